"""The decision journal and the context fabric: what was had, thought, decided and left, phase by phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.recorded import recorded
from phasegate.engine.app.results import Result
from phasegate.engine.core.commands import NoteJournal
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.fabric import Visit, context_hash, visits
from phasegate.engine.core.ids import parse_line, parse_phase, parse_task_id
from phasegate.ledger.store import Store

SUMMARY_CHARS_MAX: Final = 20_000
LINE_CHARS_MAX: Final = 2_000
LINES_MAX: Final = 16
LINES_CHARS_MAX: Final = 8_000
"""Decisions and links of one note together; they stand in the entry, which is bounded."""


@dataclass(frozen=True, slots=True)
class PhaseContext:
    """The context of the latest visit to one phase.

    Attributes:
        visit: what it was folded from.
        document: what is hashed; see `Visit.context`.
        hash: SHA-256 of the document's canonical JSON.
        reasoning: text of each note's summary; None where it is gone from the object store.
    """

    visit: Visit
    document: dict[str, Any]
    hash: str
    reasoning: tuple[str | None, ...]


class Journal:
    """Keeps reasoning summaries, and tells what a task's entries say of each phase.

    Args:
        path: decides and records.
        store: the ledger.
        shelf: keeps the summaries.
    """

    def __init__(self, path: CommandPath, store: Store, shelf: Shelf) -> None:
        self._path = path
        self._store = store
        self._shelf = shelf

    def add(
        self, task: str, summary: str, *, links: Sequence[str] = (), decisions: Sequence[str] = ()
    ) -> Result:
        """Keep a reasoning summary for the current phase and attempt.

        Args:
            task: the task.
            summary: why the work was done as it was; kept as an object, the entry holds its digest.
            links: what it refers to: URLs, files and lines, entries.
            decisions: each decision as one sentence.

        Raises:
            BadInput: the task was never opened, or a text is empty or too long.
        """
        text = parse_line(summary, "summary", SUMMARY_CHARS_MAX)
        for lines, what in ((links, "link"), (decisions, "decision")):
            if len(lines) > LINES_MAX:
                raise BadInput(f"there are {len(lines)} {what}s", f"keep to {LINES_MAX} in one note")
        kept = [tuple(parse_line(line, "link", LINE_CHARS_MAX) for line in links)]
        kept.append(tuple(parse_line(line, "decision", LINE_CHARS_MAX) for line in decisions))
        total = sum(len(line) for lines in kept for line in lines)
        if total > LINES_CHARS_MAX:
            raise BadInput(f"links and decisions have {total} characters", f"keep to {LINES_CHARS_MAX}")
        name = parse_task_id(task)
        self._path.state(name)
        command = NoteJournal(self._shelf.keep(text.encode()), len(text), links=kept[0], decisions=kept[1])
        return self._path.run(name, command)

    def visits(self, task: str) -> list[Visit]:
        """The visits of a task to its phases, in the order they began."""
        name = self._path.state(parse_task_id(task)).task
        return visits(name, ((entry, recorded(entry)) for entry in self._store.entries(task=name)))

    def context(self, task: str, phase: str | None = None) -> tuple[PhaseContext, ...]:
        """The context of the latest visit to each phase, or to one, in the order the phases were entered.

        Raises:
            BadInput: the task was never opened, or has not entered the phase.
        """
        latest = {visit.phase: visit for visit in self.visits(task)}
        if phase is not None:
            wanted = parse_phase(phase)
            if wanted not in latest:
                raise BadInput(f"`{task}` has not entered {wanted}", f"it has: {', '.join(latest)}")
            latest = {wanted: latest[wanted]}
        return tuple(self._context(task, visit) for visit in latest.values())

    def text(self, digest: str) -> str | None:
        """Text of a summary, or that it was redacted; None when it is gone from the object store."""
        content = self._shelf.snapshot(digest)
        if content is None:
            return self._shelf.told(digest) or None
        return content.decode("utf-8", "replace")

    def _context(self, task: str, visit: Visit) -> PhaseContext:
        document = visit.context(self._store.ledger, task)
        reasoning = tuple(self.text(note.summary) for note in visit.notes)
        return PhaseContext(visit, document, context_hash(document), reasoning)
