"""The Relay: accepts messages, queues them durably, delivers them by SMTP."""
