"""What entries amount to, each with its time: the additive ground that counters and SLOs stand on. Pure.

A ledger is told once, from its first entry, because what an entry means depends on those before it: whether a
gate that passes had blocked on the same evidence, or whether a task that completes had been given up. Each
happening is dated to the entry that the figure is about (a spurious block to the block, not to the pass that
showed it), so the figures of neighbouring windows add up to those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, NamedTuple

from phasegate.telemetry import names
from phasegate.telemetry.blocks import Block, Fate, Ground, fate_of
from phasegate.telemetry.entry_like import EntryLike, count, objects, text, violation_kind
from phasegate.telemetry.metrics import counted_by, refused_task, weight
from phasegate.telemetry.names import Counter, EntryType
from phasegate.telemetry.window import Window, at_us


class Figure(StrEnum):
    """What SLOs are made of; `slo` has the formulas.

    Attributes:
        TASKS_ENDED: tasks that completed, were aborted, were held by their run, or wait for a person who was
            called; each counts once, for how it stands at the end of the ledger, at the time it came to that.
        TASKS_COMPLETED: those of them that completed.
        TASKS_ACTIVE: distinct tasks with an entry.
        TASKS_LOOPED: distinct tasks with a loop.
        OUTAGES: times that a task's tool calls were refused until its work went on, dated to its going on.
        OUTAGE_US: how long those took, in microseconds, from the first refusal.
        OUTAGES_OPEN: outages that no work has followed, dated to the refusal.
        EVIDENCE: pieces of evidence that gates passed on.
        EVIDENCE_GROUNDED: those of them that are more than somebody's word.
        BLOCKS: transitions that a gate refused.
        BLOCKS_SPURIOUS: those that passed later though nothing had changed.
        BLOCKS_OVERRIDDEN: those that a person overrode though the evidence had not changed.
        PROMPTS_COMPARED: prompts that were compared with a baseline.
        PROMPTS_DRIFTED: those that differed.
    """

    TASKS_ENDED = "tasks_ended"
    TASKS_COMPLETED = "tasks_completed"
    TASKS_ACTIVE = "tasks_active"
    TASKS_LOOPED = "tasks_looped"
    OUTAGES = "outages"
    OUTAGE_US = "outage_us"
    OUTAGES_OPEN = "outages_open"
    EVIDENCE = "evidence"
    EVIDENCE_GROUNDED = "evidence_grounded"
    BLOCKS = "blocks"
    BLOCKS_SPURIOUS = "blocks_spurious"
    BLOCKS_OVERRIDDEN = "blocks_overridden"
    PROMPTS_COMPARED = "prompts_compared"
    PROMPTS_DRIFTED = "prompts_drifted"


DISTINCT: frozenset[Figure | Counter] = frozenset(
    {Figure.TASKS_ACTIVE, Figure.TASKS_LOOPED, Counter.TASKS_REJECTED}
)
"""What is counted by distinct tasks, and so does not add up over windows."""

# Entries that only accepted work leaves. What people and the engine itself record is not among them, nor a
# prompt that was seen or a note in the journal, which go on while every tool call is refused.
_WORK = frozenset(
    {
        EntryType.EVIDENCE_ADDED,
        EntryType.WITNESS_RECORDED,
        EntryType.GATE_PASSED,
        EntryType.PHASE_COMPLETED,
        EntryType.PHASE_ENTERED,
        EntryType.PHASE_BACKTRACKED,
        EntryType.TASK_COMPLETED,
        EntryType.STEP_STARTED,
        EntryType.STEP_FINISHED,
        EntryType.SAMPLE_GENERATED,
        EntryType.SAMPLE_EXECUTED,
        EntryType.RUN_ENDED,
    }
)
_GROUNDED = frozenset({"witnessed", "approved"})
_GROUNDING_CHECK = "citations"
_ACCEPTED_RUN = "accepted"


class Happening(NamedTuple):
    """One thing that is counted: what, when, of which task, and how much; less than 0 takes back."""

    what: Figure | Counter
    at_us: int
    task: str
    amount: int = 1


@dataclass(slots=True)
class _Task:
    """What is known of a task while its stream is told."""

    ground: Ground = field(default_factory=Ground)
    blocks: list[Block] = field(default_factory=list)
    ending: tuple[int, bool] | None = None
    outage_us: int | None = None


_Teller = Callable[["Chronicle", _Task, EntryLike, int], None]


@dataclass(slots=True)
class Chronicle:
    """The happenings of a ledger, told entry by entry.

    Attributes:
        happenings: everything that is counted, in the order it became known.
        since_us: time of the first entry, in microseconds since 1970; None before it.
        seq: sequence number of the last entry told.
    """

    happenings: list[Happening] = field(default_factory=list)
    since_us: int | None = None
    seq: int = 0
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _flags_set: int = 0

    def fold(self, entry: EntryLike) -> None:
        """Take one entry into account; entries come in order, each once."""
        at, self.seq = at_us(entry.at), entry.seq
        if self.since_us is None:
            self.since_us = at
        for counter in counted_by(entry):
            self._tell(counter, at, entry.task, weight(entry))
        if entry.type == EntryType.VIOLATION_RECORDED:
            self._tell(Counter.TASKS_REJECTED, at, refused_task(entry))
        if entry.type == EntryType.FLAG_SET:
            self._flags_set += 1
        if entry.task != names.LEDGER_STREAM:
            self._of_task(entry, at)

    def _tell(self, what: Figure | Counter, at: int, task: str, amount: int = 1) -> None:
        self.happenings.append(Happening(what, at, task, amount))

    def _of_task(self, entry: EntryLike, at: int) -> None:
        task = self._tasks.setdefault(entry.task, _Task())
        self._tell(Figure.TASKS_ACTIVE, at, entry.task)
        if entry.type in _WORK:
            self._work_went_on(task, entry.task, at)
        tell = self._TOLD.get(entry.type)
        if tell is not None:
            tell(self, task, entry, at)

    def _work_went_on(self, task: _Task, name: str, at: int) -> None:
        if task.outage_us is None:
            return
        began, task.outage_us = task.outage_us, None
        self._tell(Figure.OUTAGES_OPEN, began, name, -1)
        self._tell(Figure.OUTAGES, at, name)
        # A clock that was set back must not make a repair take less than no time.
        self._tell(Figure.OUTAGE_US, at, name, max(0, at - began))

    def _violated(self, task: _Task, entry: EntryLike, at: int) -> None:
        kind = violation_kind(entry.payload)
        # Repeats are told late: they belong to the outage that the entry they repeat began.
        again = bool(count(entry.payload, "repeats"))
        if kind == names.TOOL_REJECTED and task.outage_us is None and not again:
            task.outage_us = at
            self._tell(Figure.OUTAGES_OPEN, at, entry.task)
        if kind == names.GATE_FAILED:
            codes = tuple(text(finding, "code") for finding in objects(entry.payload, "findings"))
            task.blocks.append(
                Block(at, entry.phase, entry.attempt, codes, task.ground.copy(), self._flags_set)
            )
            self._tell(Figure.BLOCKS, at, entry.task)

    def _passed(self, task: _Task, entry: EntryLike, _at: int) -> None:
        fates = {Fate.SPURIOUS: Figure.BLOCKS_SPURIOUS, Fate.OVERRIDDEN: Figure.BLOCKS_OVERRIDDEN}
        for block in task.blocks:
            if (block.phase, block.attempt) != (entry.phase, entry.attempt):
                continue
            figure = fates.get(fate_of(block, entry.payload, task.ground, self._flags_set))
            if figure is not None:
                self._tell(figure, block.at_us, entry.task)
        task.blocks.clear()
        self._grounded(entry)

    def _grounded(self, entry: EntryLike) -> None:
        at, payload = at_us(entry.at), entry.payload
        items = objects(payload, "evidence")
        checked = _citations_that_resolved(entry.phase, payload)
        grounded = [
            item for item in items if text(item, "origin") in _GROUNDED or text(item, "name") in checked
        ]
        if items:
            self._tell(Figure.EVIDENCE, at, entry.task, len(items))
        if grounded:
            self._tell(Figure.EVIDENCE_GROUNDED, at, entry.task, len(grounded))

    def _went_back(self, task: _Task, _entry: EntryLike, _at: int) -> None:
        task.blocks.clear()

    def _bound(self, task: _Task, entry: EntryLike, _at: int) -> None:
        task.ground.bind(entry)

    def _attested(self, task: _Task, entry: EntryLike, at: int) -> None:
        task.ground.attest(entry)
        status = text(entry.payload, "status")
        if status in {names.DRIFT, names.MATCH}:
            self._tell(Figure.PROMPTS_COMPARED, at, entry.task)
        if status == names.DRIFT:
            self._tell(Figure.PROMPTS_DRIFTED, at, entry.task)

    def _rebased(self, task: _Task, entry: EntryLike, _at: int) -> None:
        task.ground.rebase(entry)

    def _judged(self, task: _Task, entry: EntryLike, _at: int) -> None:
        task.ground.judge(entry)

    def _looped(self, _task: _Task, entry: EntryLike, at: int) -> None:
        self._tell(Figure.TASKS_LOOPED, at, entry.task)

    def _completed(self, task: _Task, entry: EntryLike, at: int) -> None:
        self._end(task, entry.task, (at, True))

    def _given_up(self, task: _Task, entry: EntryLike, at: int) -> None:
        self._end(task, entry.task, (at, False))

    def _paused(self, task: _Task, entry: EntryLike, at: int) -> None:
        if entry.payload.get("escalated") is True:
            self._end(task, entry.task, (at, False))

    def _resumed(self, task: _Task, entry: EntryLike, _at: int) -> None:
        self._end(task, entry.task, None)

    def _run_ended(self, task: _Task, entry: EntryLike, at: int) -> None:
        if text(entry.payload, "outcome") != _ACCEPTED_RUN and not (task.ending and task.ending[1]):
            self._end(task, entry.task, (at, False))

    def _end(self, task: _Task, name: str, ending: tuple[int, bool] | None) -> None:
        """Let a task stand as ended so and then, in place of how it stood before."""
        for standing, sign in ((task.ending, -1), (ending, 1)):
            if standing is None:
                continue
            self._tell(Figure.TASKS_ENDED, standing[0], name, sign)
            if standing[1]:
                self._tell(Figure.TASKS_COMPLETED, standing[0], name, sign)
        task.ending = ending

    _TOLD: ClassVar[Mapping[str, _Teller]] = {
        EntryType.VIOLATION_RECORDED: _violated,
        EntryType.GATE_PASSED: _passed,
        EntryType.PHASE_BACKTRACKED: _went_back,
        EntryType.EVIDENCE_ADDED: _bound,
        EntryType.PROMPT_ATTESTED: _attested,
        EntryType.PROMPT_BASELINED: _rebased,
        EntryType.APPROVAL_RECORDED: _judged,
        EntryType.LOOP_DETECTED: _looped,
        EntryType.TASK_COMPLETED: _completed,
        EntryType.TASK_ABORTED: _given_up,
        EntryType.TASK_PAUSED: _paused,
        EntryType.TASK_RESUMED: _resumed,
        EntryType.RUN_ENDED: _run_ended,
    }


def _citations_that_resolved(phase: str, payload: Mapping[str, object]) -> frozenset[str]:
    """Names of the evidence whose citations the gate found to resolve: checked, and not merely observed."""
    flags = payload.get("flags")
    waived = isinstance(flags, Mapping) and f"{phase}/{_GROUNDING_CHECK}" in flags
    checks = payload.get("checks")
    if waived or payload.get("broken_glass") or not isinstance(checks, list | tuple):
        return frozenset()
    named = (str(check).rpartition(":") for check in checks)
    return frozenset(name for name, _, use in named if use == _GROUNDING_CHECK)


@dataclass(frozen=True, slots=True)
class Counts:
    """How often what happened within a window."""

    amounts: Mapping[Figure | Counter, int]

    def of(self, what: Figure | Counter) -> int:
        """Return the count of one figure; 0 if it never happened."""
        return self.amounts.get(what, 0)


def told(entries: Iterable[EntryLike]) -> Chronicle:
    """Return the happenings of a ledger, given its entries from the first on."""
    chronicle = Chronicle()
    for entry in entries:
        chronicle.fold(entry)
    return chronicle


def counted(happenings: Iterable[Happening], window: Window) -> Counts:
    """Count what happened within a window."""
    amounts: dict[Figure | Counter, int] = {}
    tasks: dict[Figure | Counter, set[str]] = {}
    for what, at, task, amount in happenings:
        if not window.holds(at):
            continue
        if what in DISTINCT:
            tasks.setdefault(what, set()).add(task)
        else:
            amounts[what] = amounts.get(what, 0) + amount
    return Counts(amounts | {what: len(names_of) for what, names_of in tasks.items()})
