"""Composition root: opens store, clock and ids around the pure core; `Engine` has one method per command."""
