"""Bounce: what receivers' replies mean, in Campaign's terms."""
