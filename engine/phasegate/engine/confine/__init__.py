"""The program that a witnessed command runs under: it ends all the command started, and can confine it.

`python -I -m phasegate.engine.confine --status FD [--hermetic SCRATCH] -- COMMAND...`. It stands outside the
layers: the engine starts it as a process and imports nothing of it.
"""
