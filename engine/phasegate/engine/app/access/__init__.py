"""Who asks from outside, and what they may ask for: bearer tokens and their roles."""
