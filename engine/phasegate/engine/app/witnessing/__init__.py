"""Witnessing: the engine runs a command itself, keeps what it saw, and tries what the tests protect."""
