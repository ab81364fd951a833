"""`engine-hook`: what an agent's client asks around each tool call, with the standard library alone.

It imports nothing of the engine and nothing heavy, because a client starts it anew for every call. What it
answers is what `engine.tools.check` answers, read from the same ledger; a property test compares the two.
Modules of it are imported where an event needs them.
"""
