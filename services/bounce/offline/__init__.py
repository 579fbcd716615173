"""Commands that need no service: replies and mails in, their meanings out; overrides tried."""
