"""The benchmark: how many messages a second, at what cost, and beside whom. See README.md."""
