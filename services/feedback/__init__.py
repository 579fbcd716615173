"""Feedback: the ledger, the delivery log, and the figures."""
