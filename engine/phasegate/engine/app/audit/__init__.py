"""Auditing a home or a bundle: replay, signatures, and what the repository under review says."""
