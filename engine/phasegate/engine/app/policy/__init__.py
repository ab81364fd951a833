"""What policy says: which rules decide on a task, and what they would say of a change or a call."""
