"""The fault suite: what emta promises, kept while it is killed, cut off, stopped, filled and lied to."""
