"""People and their keys: who may sign what, decisions, flags, milestones."""
