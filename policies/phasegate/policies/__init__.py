"""Processes as data: the model of a process definition and its loader."""
