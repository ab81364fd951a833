"""Checkpoints of the ledger: when they are due, how they are made, and who holds them."""
