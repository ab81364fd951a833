"""The evaluation of a code model, from STRATEGIZE to MONITOR."""
