"""The pure heart: ids, commands, events, state, gates and decisions.

Nothing here opens a file or socket, reads a clock, or draws a random number. What must be known from outside
arrives as facts; what must be done outside leaves as events.
"""
