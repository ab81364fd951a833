"""What was redacted: objects that an entry says are gone for good, and why.

An object that is gone without such an entry is missing, which is a fault. A row by digest makes the question
cheap; it counts only if the entry it was written with says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from phasegate.engine.core.events import ObjectRedacted
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Projection, Store

REDACTION_ROW: Final = "redaction"
ROW_BODY: Final = b"{}"


class Redacted(NamedTuple):
    """A redaction.

    Attributes:
        seq: entry that records it.
        by: name of the operator's key that signed it.
        at: when.
        reason: why.
    """

    seq: int
    by: str
    at: str
    reason: str

    def __str__(self) -> str:
        return f"redacted by `{self.by}` on {self.at} because: {self.reason}"


class Redactions:
    """The redactions of one ledger.

    Args:
        store: the ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, digest: str) -> Redacted | None:
        """The redaction of an object, if its row stands; what is to be kept asks this, so it is quick."""
        row = self._store.projection(REDACTION_ROW, digest)
        entry = self._store.get(row.seq) if row is not None else None
        return _said(entry) if entry is not None and _is_of(entry, digest) else None

    def all(self) -> Mapping[str, Redacted]:
        """Every redaction by digest, as the entries say, whatever the rows do."""
        entries = self._store.entries(task=LEDGER_STREAM, type=ObjectRedacted.kind)
        return {str(entry.payload["object"]): _said(entry) for entry in entries}


def redaction_row(digest: str) -> Projection:
    """The row that is written with the entry."""
    return Projection(REDACTION_ROW, digest, ROW_BODY)


def redaction_lines(store: Store) -> list[str]:
    """A line for each redaction: what can no longer be checked because of it."""
    return [
        f"entry {said.seq}: object `{digest}` was {said}; its bytes are gone and can no longer be checked"
        for digest, said in Redactions(store).all().items()
    ]


def _is_of(entry: Entry, digest: str) -> bool:
    return entry.type == ObjectRedacted.kind and entry.payload.get("object") == digest


def _said(entry: Entry) -> Redacted:
    said = entry.payload
    return Redacted(entry.seq, str(said["by"]), str(said["at"]), str(said["reason"]))
