"""Events of the ledger as a whole: its keys and checkpoints, its repairs, what was redacted, its children."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from phasegate.engine.core.event_fields import Count, EventPayload, Hex, Short, Text

REPAIRS_IN_ENTRY_MAX: Final = 20


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


class LedgerRepaired(EventPayload):
    """What is kept beside the entries was made anew from them; no entry was touched.

    Attributes:
        count: how many differences were put right.
        first: code and place of the first of them.
        report: digest of the object that lists all, with what was found in their places.
    """

    kind = "ledger.repaired"
    count: Count
    first: Annotated[tuple[Short, ...], Field(strict=False, max_length=REPAIRS_IN_ENTRY_MAX)]
    report: Hex


class ObjectRedacted(EventPayload):
    """An object was erased for good; what names its digest still verifies.

    Attributes:
        object: digest of the object.
        size_bytes: how large it was; 0 where it was gone before.
        by: name of the operator's key that signed it.
        statement: SHA-256 of the signed envelope.
        at: when.
    """

    kind = "object.redacted"
    object: Hex
    size_bytes: Count
    reason: Text
    by: Short
    statement: Hex
    at: Short


class ChildCheckpointed(EventPayload):
    """A checkpoint of another ledger is held here; it was proven to follow the one held before.

    Attributes:
        child: id of that ledger.
        size: entries that the checkpoint covers.
        root: the tree's root over them.
        note: the note, with the signature of that ledger alone.
        vkey: key it was checked with.
        before: size of the checkpoint held before; 0 for the first.
        place: where that ledger was found, percent-encoded; empty where nobody said.
    """

    kind = "child.checkpointed"
    child: Short
    size: Count
    root: Hex
    note: Text
    vkey: Text
    before: Count
    place: Text = ""
