"""The engine's side of `engine-hook`: what it is set up with, and what it spooled."""
