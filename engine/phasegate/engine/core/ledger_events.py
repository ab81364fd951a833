"""Events of what vouches for the ledger: its keys and its checkpoints."""

from __future__ import annotations

from phasegate.engine.core.event_fields import Count, EventPayload, Hex, Short, Text


class KeyRotated(EventPayload):
    """The engine's key was replaced; see `phasegate.ledger.rotation`.

    Attributes:
        before: the verifier key that was in force.
        after: the one that is from here on.
        note: the statement that both signed, a signed note.
    """

    kind = "key.rotated"
    before: Text
    after: Text
    note: Text


class LedgerCheckpointed(EventPayload):
    """The ledger's size and root were signed.

    Attributes:
        size: entries that the checkpoint covers.
        root: the tree's root over them.
        note: SHA-256 of the signed note, which lies in the object store.
        key_id: key that signed it.
    """

    kind = "ledger.checkpointed"
    size: Count
    root: Hex
    note: Hex
    key_id: Short
