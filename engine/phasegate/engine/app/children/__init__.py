"""Many ledgers: a parent that holds the checkpoints of its children."""
