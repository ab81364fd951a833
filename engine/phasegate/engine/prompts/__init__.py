"""Prompts as values: their canonical form, how they are compiled, and how two of them differ. Pure."""
