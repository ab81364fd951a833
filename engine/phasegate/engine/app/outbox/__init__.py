"""Side effects: enqueued with a decision, delivered exactly once to a receiver that keeps keys."""
