"""A home checked against its own entries, apart from the code that keeps it."""
