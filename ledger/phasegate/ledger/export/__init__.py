"""Taking a ledger out of its store: as tiles, as JSON lines, and as a database for readers."""
