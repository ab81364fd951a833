"""Workflows: runners wired to a process."""
