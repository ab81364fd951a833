"""Erasing an object for good, by an operator's signature, so that the ledger still verifies.

    1. What is still needed is refused: evidence that counts for a task that goes on, definitions, notes of
       checkpoints, prompts in force, side effects on their way.
    2. The signed entry `object.redacted`, with a row by digest. From here on nothing brings the bytes back.
    3. The object and its readable copies are erased. A crash before leaves them to a repetition, and
       to fsck, which finds them as `not_erased`.

Only this home is reached: not the file that evidence was made from, nor backups, bundles, exports or logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.fsck.kept import named_objects
from phasegate.engine.app.outbox.rows import OUTBOX_ROW, row_of
from phasegate.engine.app.people.keys import Role
from phasegate.engine.app.people.registrations import Registrations
from phasegate.engine.app.people.signing_off import signed_off
from phasegate.engine.app.redactions import Redactions, redaction_row
from phasegate.engine.core.delivering import Delivery
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import (
    EvidenceAdded,
    LedgerCheckpointed,
    LedgerRepaired,
    LoopDetected,
    ObjectRedacted,
    TaskOpened,
)
from phasegate.engine.core.ids import REASON_CHARS_MAX, parse_line
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import TaskState, is_current
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Store

_is_digest = re.compile(r"[0-9a-f]{64}").fullmatch
_NEEDED = {
    (TaskOpened.kind, "process_digest"): "the definition of a process, which its tasks are read by",
    (LedgerCheckpointed.kind, "note"): "the note of a checkpoint, which the ledger is verified by",
    (LedgerRepaired.kind, "report"): "the report of a repair",
}


class Erased(NamedTuple):
    """What a redaction did.

    Attributes:
        entry: what records it.
        new: whether it was recorded now.
        removed: files that were erased, below the home.
    """

    entry: Entry
    new: bool
    removed: tuple[str, ...]


class Redacting:
    """Erases objects of one home.

    Args:
        path: loads tasks, records redactions.
        store: the ledger.
        shelf: holds objects and copies.
        keys: who is an operator.
        clock: tells the time.
    """

    def __init__(
        self, path: CommandPath, store: Store, shelf: Shelf, keys: Registrations, clock: Clock
    ) -> None:
        self._path = path
        self._store = store
        self._shelf = shelf
        self._keys = keys
        self._clock = clock

    def redact(self, digest: str, reason: str, key: Path) -> Erased:
        """Erase an object and its readable copies, and record why.

        One that was redacted before is erased again, as far as anything of it is left, and recorded once.

        Args:
            digest: SHA-256 of the object.
            reason: why; it is recorded.
            key: private key file of an operator.

        Raises:
            BadInput: there is no such object, it is still needed, or the key is no operator's.
            KeyRefused: the key cannot be read.
        """
        if _is_digest(digest) is None:
            raise BadInput(
                f"`{digest[:80]}` is no digest", "give 64 lower-case hex digits, as entries name it"
            )
        before = Redactions(self._store).all().get(digest)
        entry = self._store.get(before.seq) if before else None
        new = entry is None
        if entry is None:
            content = self._shelf.snapshot(digest)
            if content is None and not self._is_named(digest):
                raise BadInput(
                    f"no object `{digest}` is known", "see `engine evidence list TASK --json` for digests"
                )
            self._demand_not_needed(digest)
            entry = self._record(digest, len(content or b""), reason, key)
        return Erased(entry, new, tuple(self._erase(digest)))

    def _record(self, digest: str, size_bytes: int, reason: str, key: Path) -> Entry:
        at, why = self._clock.now(), parse_line(reason, "reason", REASON_CHARS_MAX)
        who, statement, row = signed_off(
            self._keys,
            key,
            frozenset({Role.OPERATOR}),
            ledger=self._store.ledger,
            what=f"redact:{digest}",
            reason=why,
            at=at,
        )
        event = ObjectRedacted(
            object=digest, size_bytes=size_bytes, reason=why, by=who, statement=statement, at=at
        )
        return self._path.record_for_ledger(event, (row, redaction_row(digest)))

    def _is_named(self, digest: str) -> bool:
        named = (named_objects(entry.type, entry.payload) for entry in self._store.entries())
        return any(digest in digests for digests in named)

    # -- what is still needed -------------------------------------------------------------------------

    def _demand_not_needed(self, digest: str) -> None:
        for (kind, field), what in _NEEDED.items():
            if any(entry.payload.get(field) == digest for entry in self._store.entries(type=kind)):
                raise BadInput(f"`{digest}` is {what}", "it cannot be redacted")
        for state in self._path.states():
            if not state.status.final:
                _demand_not_in_use(state, digest)
        for row in self._store.projections(OUTBOX_ROW):
            task, effect = row_of(row)
            if effect.body == digest and effect.delivery is Delivery.PENDING:
                text = f"task `{task}` has yet to send it as `{effect.effect}`"
                raise BadInput(text, "let it be delivered or withdrawn first: `engine outbox list`")

    # -- erasing --------------------------------------------------------------------------------------

    def _erase(self, digest: str) -> list[str]:
        """Copies first: while the object stands, a repetition still finds what is left."""
        copies = sorted(set(self._copies(digest)))
        erased = [place for path in copies for place in self._shelf.erase_copy(path, digest)]
        return [*erased, *self._shelf.erase(digest)]

    def _copies(self, digest: str) -> Iterator[str]:
        for entry in self._store.entries(type=EvidenceAdded.kind):
            if entry.payload.get("digest") == digest:
                yield str(entry.payload["path"])
        for entry in self._store.entries(type=LoopDetected.kind):
            if entry.payload.get("diary") == digest:
                yield self._shelf.diary_path(entry.task, digest)


def _demand_not_in_use(state: TaskState, digest: str) -> None:
    """Refuse what a task that goes on is still judged by.

    Raises:
        BadInput: it is.
    """
    for evidence in state.evidence.values():
        if evidence.digest == digest and is_current(state, evidence):
            text = f"it is `{evidence.name}`, which counts for {evidence.phase} of `{state.task}`, still open"
            remedy = (
                f"add a `{evidence.name}` without the secret, go back before {evidence.phase}, or abort the "
                "task; then redact it"
            )
            raise BadInput(text, remedy)
    for phase, baseline in state.baselines.items():
        if digest in {baseline.prompt, baseline.persona_digest}:
            text = f"{phase} of `{state.task}` is worked under it, and the task is still open"
            raise BadInput(text, "set another baseline: `engine attest update`; then redact it")
