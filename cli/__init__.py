"""The `dfx` command: parses, calls, prints; one file a command group."""
