"""Verification of exports where there is no ledger and no engine: tiles, JSON lines, bundles, ledger files.

Needs cryptography and orjson; apsw only for a ledger file, and nothing else of the product.
"""
