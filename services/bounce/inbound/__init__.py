"""Mails that come back: read (reading.py), brought to their messages, and told to Feedback."""
