"""Where bytes were bound first. The entries say so; a row only makes two commits at once conflict.

Whoever can write the file can delete a row or change it, and then evidence of an earlier attempt or of
another task would pass as new.
"""

from __future__ import annotations

from typing import Final

import orjson

from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import EvidenceAdded
from phasegate.engine.core.facts import Binding
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Store

BINDING_ROW: Final = "binding"


class Bindings:
    """The first binding of every digest, folded from the entries that bind and kept up with them.

    Args:
        store: the ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._first: dict[str, Binding] = {}
        self._seen = 0

    def of(self, digest: str) -> Binding | None:
        """Where the bytes with this digest were bound first; None when they never were.

        Only commands that bind ask: the first question reads every binding entry, a later one the new ones.

        Raises:
            IntegrityError: a row says otherwise than the entries.
        """
        row = self._store.projection(BINDING_ROW, digest)
        # The row first: what stands in it is then among the entries that are read after it.
        self._follow()
        said = self._first.get(digest)
        if row is not None and (said is None or not _same(row.body, said)):
            raise IntegrityError(
                f"the row of the bytes `{digest[:16]}` is not what the entries say",
                "run `engine ledger verify`; restore the home from a backup",
            )
        return said

    def _follow(self) -> None:
        for entry in self._store.entries(since=self._seen, type=EvidenceAdded.kind):
            self._first.setdefault(str(entry.payload["digest"]), _binding(entry))
            self._seen = entry.seq


def _binding(entry: Entry) -> Binding:
    return Binding(entry.task, entry.phase, entry.attempt, str(entry.payload["name"]))


def _same(body: bytes, said: Binding) -> bool:
    """Whether a row says the same; one command can bind the same bytes under two names, so not the name."""
    try:
        row = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    keys = ("task", "phase", "attempt")
    return isinstance(row, dict) and [row.get(key) for key in keys] == [getattr(said, key) for key in keys]
