"""Refused tool calls on record: one entry for what is new, a count for what repeats it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from secrets import token_hex
from typing import Final

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.tool_repeats import WINDOW, RepeatCounts, Repeats
from phasegate.engine.core.commands import COMMAND_NAMES, CheckTool, RecordToolCall
from phasegate.engine.core.decision import finding_refs
from phasegate.engine.core.events import Kind, ViolationRecorded
from phasegate.engine.core.ids import parse_task_id
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.tools import ToolRefusal
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Store
from phasegate.validators.interface import Finding

FURTHER: Final = "tool.further"
"""Code of refusals that are counted together, beyond the most that a window tells apart."""
ENTRIES_IN_WINDOW_MAX: Final = 20


class RefusedCalls:
    """What was refused to agents, as the ledger has it and as the home counts it.

    Args:
        path: records.
        store: the ledger.
        clock: tells the time.
        home: the engine's home, where repeats are counted.
    """

    def __init__(self, path: CommandPath, store: Store, clock: Clock, home: Path) -> None:
        self._path = path
        self._store = store
        self._clock = clock
        self._repeats = RepeatCounts(home)

    def for_no_task(self, task: str, refusal: ToolRefusal) -> None:
        """Record or count what was refused for no task, or for one that nobody opened."""
        target = ascii(task[:64])[1:-1][:300]
        if self.is_repeat(LEDGER_STREAM, target, 0, refusal):
            self.count(refusal, LEDGER_STREAM, target, 0)
            return
        message = f"{refusal.message}; `{refusal.tool}` was called, policy {refusal.policy_revision}"
        event = ViolationRecorded(
            violation=Kind.TOOL_REJECTED,
            command=COMMAND_NAMES[CheckTool],
            message=message,
            remedy=refusal.remedy,
            target=target,
            finding_count=1,
            findings=finding_refs((refusal.finding,)),
        )
        self._path.record_for_ledger(event)

    def pending(self) -> tuple[Repeats, ...]:
        """Refusals that are counted and no entry yet, because their window is open."""
        return self._repeats.pending()

    def settle(self, task: str = "") -> None:
        """Make an entry of each count whose window has closed, and of all those of a task that is named."""
        now = self._clock.now()
        self._repeats.settle(lambda it: it.stream == task or it.due(now), self._record_repeats)

    def count(self, refusal: ToolRefusal, stream: str, place: str, attempt: int) -> None:
        """Count a refusal that repeats an entry, or that came when the window was full."""
        now = self._clock.now()
        code, tool, rule = refusal.code, refusal.tool, refusal.rule
        message, remedy = refusal.message, refusal.remedy
        if not any(_told(entry) == (place, attempt, code, tool, rule) for entry in self._recent(stream)):
            # There are too many kinds of them to tell apart: what is left is how many.
            code, tool, rule, place, attempt = FURTHER, "", "", "", 0
            message, remedy = "further calls of various tools were refused", "see the entries before"
        one = Repeats(stream, place, attempt, code, tool, rule, message, remedy, token_hex(16), now, now)
        self._repeats.add(one)

    def _record_repeats(self, counted: Repeats) -> None:
        """Enter one count, unless a process that was killed meanwhile has done so."""
        told = self._store.entries(task=counted.stream, type=ViolationRecorded.kind, reverse=True)
        since = datetime.fromisoformat(counted.first)
        for entry in takewhile(lambda it: datetime.fromisoformat(it.at) >= since, told):
            if entry.payload.get("fold") == counted.fold:
                return
        where = f" in {counted.place}, attempt {counted.attempt}" if counted.attempt else ""
        finding = Finding(counted.code, counted.tool, counted.rule, counted.message, counted.remedy)
        event = ViolationRecorded(
            violation=Kind.TOOL_REJECTED,
            command=COMMAND_NAMES[CheckTool],
            message=f"{counted.count} more refused{where}: {counted.message}"[:2000],
            remedy=counted.remedy,
            target=counted.tool if counted.attempt else counted.place,
            finding_count=1,
            findings=finding_refs((finding,)),
            repeats=counted.count,
            fold=counted.fold,
            first_at=counted.first,
            last_at=counted.last,
        )
        if counted.stream == LEDGER_STREAM:
            self._path.record_for_ledger(event)
        else:
            self._path.run(parse_task_id(counted.stream), RecordToolCall(event))

    def is_repeat(self, stream: str, place: str, attempt: int, refusal: ToolRefusal) -> bool:
        """Whether the same was recorded within the window, or the window is full."""
        recent = list(self._recent(stream))
        same = (place, attempt, refusal.code, refusal.tool, refusal.rule)
        return len(recent) >= ENTRIES_IN_WINDOW_MAX or any(_told(entry) == same for entry in recent)

    def _recent(self, stream: str) -> Iterator[Entry]:
        """Refused tool calls of a stream within the window."""
        since = datetime.fromisoformat(self._clock.now()) - WINDOW
        for entry in self._store.entries(task=stream, type=ViolationRecorded.kind, reverse=True):
            if datetime.fromisoformat(entry.at) < since:
                return
            if entry.payload.get("violation") == Kind.TOOL_REJECTED and not entry.payload.get("repeats"):
                yield entry


def _told(entry: Entry) -> tuple[str, int, str, str, str]:
    """What a recorded refusal refused, as `RefusedCalls.is_repeat` compares it."""
    findings = entry.payload.get("findings")
    first = findings[0] if isinstance(findings, list) and findings else {}
    place = str(entry.payload.get("target")) if entry.task == LEDGER_STREAM else entry.phase
    return place, entry.attempt, str(first.get("code")), str(first.get("artifact")), str(first.get("place"))
