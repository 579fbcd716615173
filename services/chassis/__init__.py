"""What a service process is mounted on: settings, clock, store, RPC, telemetry. Knows nothing of mail."""
