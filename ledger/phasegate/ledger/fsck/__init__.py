"""A stored ledger read apart from the code that wrote it: what differs is found, what is derived repaired."""
