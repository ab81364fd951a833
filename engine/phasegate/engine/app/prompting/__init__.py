"""Prompts of tasks: made, handed out, compared with their baselines."""
