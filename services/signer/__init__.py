"""The Signer: DKIM signatures by keys that never leave it."""
