"""Bundles: all that is needed to check one task where there is no ledger, in one file."""
