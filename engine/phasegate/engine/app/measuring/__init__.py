"""Figures of the ledger, monitoring baselines, and the batch of attacks."""
