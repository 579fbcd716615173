"""emta: what Campaign installs to speak to the open Enhanced MTA."""
