"""The one path every command takes: load, gather facts, decide, append, or start over if the task moved.

The append is one transaction that checks that the task is still where the decision saw it; without that
check two commands that both loaded VERIFY could commit contradicting moves. Nothing is reported before it
is committed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import orjson

from phasegate.engine.app.bindings import BINDING_ROW
from phasegate.engine.app.checkpoints.rows import due_rows
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.loop_diary import DIARY_ENTRIES_MAX, loop_diary
from phasegate.engine.app.notary import STATEMENT_FIELD, Notary
from phasegate.engine.app.outbox.rows import outbox_rows
from phasegate.engine.app.recorded import LEASE_FIELD, STATE_FIELD
from phasegate.engine.app.results import Result
from phasegate.engine.app.standing import TASK_ROW, Known, Standing, never_opened
from phasegate.engine.core.changing import changed
from phasegate.engine.core.commands import (
    CheckLoop,
    CheckTool,
    Command,
    Decide,
    OpenTask,
    RecordDelivery,
    RecordToolCall,
    Requeue,
    StandingCommand,
    UpdateBaseline,
)
from phasegate.engine.core.decide import decide
from phasegate.engine.core.decision import Accepted, Decision, Refused, refuse
from phasegate.engine.core.errors import Conflict, IntegrityError, Outdated
from phasegate.engine.core.events import (
    FINDINGS_IN_ENTRY_MAX,
    EvidenceAdded,
    Kind,
    LedgerEvent,
    LoopDetected,
    Recorded,
    ToolCalled,
    ViolationRecorded,
    payload,
)
from phasegate.engine.core.facts import Facts, OpeningFacts
from phasegate.engine.core.ids import TaskId, parse_label, trace_id
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.ports import Clock, Ids
from phasegate.engine.core.state import Status, TaskState, fold
from phasegate.engine.core.times import milliseconds
from phasegate.ledger.entry import Draft, Entry
from phasegate.ledger.errors import LeaseHeld, LeaseLost, VersionConflict
from phasegate.ledger.leases import Fence, check_fence
from phasegate.ledger.store import Expect, Projection, Projections, Store
from phasegate.policies.model import Process

DECISIONS_MAX = 64
LABEL_SIGN = "#"
"""Between actor and label in a lease's holder; no name of a key contains it."""
FLAG_ROW = "flag"
MILESTONES_ROW = Projection("milestones", "any", b"{}")
"""Written with whatever can keep a milestone from being done: a task that is opened for one, a baseline."""

UNLEASED = (Decide, CheckLoop, RecordDelivery, Requeue, OpenTask, CheckTool, RecordToolCall)
"""Commands of people and of the engine itself, which need no lease and are stopped by none.

A tool check is one: what a lease has against the call is what it decides on.
"""

_NO_FACTS = Facts()
_NOTHING: Mapping[str, str] = MappingProxyType({})

Gather = Callable[[Process, TaskState | None], Facts]
CommandSource = Callable[[], Command]


class _Commit(NamedTuple):
    """What is to be committed, and what it was decided from."""

    task: TaskId
    process: Process
    version: int
    state: TaskState | None
    decision: Decision
    facts: Facts
    rows: Sequence[Projection]


class _Asked(NamedTuple):
    """What is asked about, and the task as it is known."""

    task: TaskId
    process: Process
    version: int
    state: TaskState | None
    rows: Sequence[Projection]


def no_facts(_process: Process, _state: TaskState | None) -> Facts:
    """Facts of a command that needs none."""
    return _NO_FACTS


class CommandPath(Standing):
    """Decides commands for tasks of one ledger and commits what was decided.

    With `only_at`, commands take effect only on a task whose last entry has that number.
    """

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        notary: Notary,
        *,
        actor: str,
        clock: Clock,
        ids: Ids,
        epoch: int | None = None,
        label: str = "",
    ) -> None:
        super().__init__(store, shelf)
        self._notary = notary
        self._clock = clock
        self._ids = ids
        self.actor = actor
        self.epoch = epoch
        self._label = parse_label(label)
        self.only_at: int | None = None

    @property
    def holder(self) -> str:
        """Who holds the leases this acts under: the actor, with a label that keeps its workers apart."""
        return f"{self.actor}{LABEL_SIGN}{self._label}" if self._label else self.actor

    # -- the path -------------------------------------------------------------------------------------

    def open(
        self,
        task: TaskId,
        definition: Process,
        command: OpenTask,
        opening: Callable[[], OpeningFacts] = OpeningFacts,
    ) -> Result:
        """Decide an opening under `definition`; a task that exists refuses it under its own.

        Args:
            task: its id.
            definition: the process.
            command: the opening.
            opening: looks what it depends on, anew for every try.
        """
        self.pin(definition)
        return self._until_committed(
            task, lambda: command, lambda *_: Facts(opening=opening()), definition, ()
        )

    def run(
        self,
        task: TaskId,
        command: StandingCommand | CommandSource,
        gather: Gather = no_facts,
        rows: Sequence[Projection] = (),
    ) -> Result:
        """Decide a command for a task that was opened.

        Args:
            task: its id.
            command: the command, or what makes it once the facts of this try are gathered.
            gather: reads what the decision needs to know.
            rows: rows to write beside the entries if it is accepted; none of them may exist.

        Raises:
            BadInput: the task was never opened.
            Conflict: the task kept moving.
        """
        source = command if callable(command) else lambda: command
        return self._until_committed(task, source, gather, None, rows)

    def record_for_ledger(
        self,
        event: LedgerEvent | ViolationRecorded | ToolCalled,
        rows: Sequence[Projection] = (),
        expect: Sequence[Expect] = (),
    ) -> Entry:
        """Record what belongs to no task, with the rows that follow from it.

        Raises:
            VersionConflict: a row that was expected is another; nothing was recorded.
        """
        return self.record_all_for_ledger((event,), rows, expect)[0]

    def record_all_for_ledger(
        self,
        events: Sequence[LedgerEvent | ViolationRecorded | ToolCalled],
        rows: Projections = (),
        expect: Sequence[Expect] = (),
    ) -> tuple[Entry, ...]:
        """Record several things that belong to no task, all or none. As `record_for_ledger`."""
        at = self._clock.now()
        drafts = self._drafts(LEDGER_STREAM, [Recorded(LEDGER_STREAM, 0, event) for event in events])
        return self._store.append(drafts, at=at, projections=rows, expect=expect)

    def record_lease_refusal(self, task: TaskId, phase: str, kind: Kind, message: str, remedy: str) -> None:
        """Record and count that somebody was refused a lease."""
        for _ in range(DECISIONS_MAX):
            version, state = self._load(task)
            if state is None:
                return
            event = ViolationRecorded(
                violation=kind, command="lease", message=message, remedy=remedy, target=phase
            )
            refused = Refused(Recorded(state.phase, state.attempt, event))
            process, facts = self.process(state.process_digest), Facts(now=self._clock.now())
            try:
                self._commit(_Commit(task, process, version, state, refused, facts, ()))
            except VersionConflict:
                continue
            return

    def _until_committed(
        self,
        task: TaskId,
        source: CommandSource,
        gather: Gather,
        definition: Process | None,
        rows: Sequence[Projection],
    ) -> Result:
        for turn in range(DECISIONS_MAX):
            # What this process knows of the task will do to decide from: the commit checks its version.
            known = self._known.get(task) if turn == 0 else None
            version, state = known[:2] if known else self._load(task)
            if self.only_at not in {None, version}:
                if known:
                    continue
                raise _moved_on(task, version)
            process = self._governing(task, state, definition)
            try:
                result = self._decided(_Asked(task, process, version, state, rows), source, gather)
            except VersionConflict:
                continue
            except Exception:
                if known and self._load(task)[0] != version:
                    continue
                raise
            if result.entries or not known or self._load(task)[0] == version:
                return result
        raise Conflict(f"task `{task}` kept moving while this was decided", "try again when it is quieter")

    def _decided(self, asked: _Asked, source: CommandSource, gather: Gather) -> Result:
        """Gather, decide and commit once; raises VersionConflict when the task moved meanwhile."""
        task, process, version, state, rows = asked
        now = self._clock.now()
        gathered = gather(process, state)
        facts = changed(gathered, now=now, actor=self.actor, epoch=self.epoch, ledger=self._store.ledger)
        command = source()
        decision = decide(process, state, command, facts)
        return self._fenced(_Commit(task, process, version, state, decision, facts, rows), command)

    def _fenced(self, commit: _Commit, command: Command) -> Result:
        """Commit under the lease the command is made under; a lost one refuses it, and that is recorded."""
        state = commit.state
        signed = isinstance(command, UpdateBaseline) and bool(command.statement)
        if state is None or signed or isinstance(command, UNLEASED):
            return self._commit(commit)
        # The time as it is now: gathering may have taken longer than the lease, or this process was stopped.
        now_ms = milliseconds(self._clock.now())
        fence = Fence(commit.task, state.phase, self.epoch, now_ms, self.holder)
        try:
            return self._commit(commit, fence)
        except (LeaseHeld, LeaseLost) as error:
            kind = Kind.LEASE_CONTENTION if isinstance(error, LeaseHeld) else Kind.STALE_LEASE
            remedy = f"see `engine lease list {commit.task}`; take it when it is free: `engine lease acquire`"
            refused = refuse(state, command, kind, str(error), remedy, target=state.phase)
            return self._commit(commit._replace(decision=refused))

    def _governing(self, task: str, state: TaskState | None, definition: Process | None) -> Process:
        if state is not None:
            return self.process(state.process_digest)
        if definition is None:
            raise never_opened(task)
        return definition

    def _commit(self, commit: _Commit, fence: Fence | None = None) -> Result:
        task, process, version, state, decision, facts, extra = commit
        at = facts.now
        if isinstance(decision, Accepted):
            events = decision.events
        else:
            events, extra = (self._violation(decision), *decision.consequences), ()
        events = tuple(self._with_diary(task, state, recorded) for recorded in events)
        statement = self._notary.attest(
            task, process, state, events, actor=self.actor, at=at, head=lambda: self._store.head(version)
        )
        if not events and state is not None:
            self._check(fence)
            return Result(state, ())
        if events[0].phase == LEDGER_STREAM:
            return self._refused_opening(task, process, events[0], at)
        after = fold(task, events, state)
        if after is None:
            raise IntegrityError(f"task `{task}` has no state after its opening")
        new_rows = (*_new_bindings(task, events, facts), *extra)
        body = self._body(task, after)
        milestones = facts.opening.milestone_row
        entries = self._store.append(
            self._drafts(task, events, _said_first(statement), _said_last(body, fence)),
            at=at,
            projections=(
                Projection(TASK_ROW, task, body),
                *new_rows,
                *([statement] if statement else ()),
                *outbox_rows(self._store, task, events),
                *due_rows(process, events),
                *([MILESTONES_ROW] if milestones is not None else ()),
            ),
            expect=(
                Expect(TASK_ROW, task, version),
                *(Expect(row.kind, row.key, 0) for row in new_rows),
                *(Expect(FLAG_ROW, flag, seq) for flag, seq in facts.gate.flag_rows.items()),
                *([Expect(*MILESTONES_ROW[:2], milestones)] if milestones is not None else ()),
            ),
            fence=fence,
        )
        self._known[task] = Known(entries[-1].seq, after, body)
        return _result(after, entries, events, decision)

    def _check(self, fence: Fence | None) -> None:
        """Refuse under a lost lease what would change nothing, too: no transaction checks the fence then."""
        if fence is not None:
            held = (lease for lease in self._store.leases(fence.task) if lease.phase == fence.phase)
            check_fence(next(held, None), fence, fence.now_ms)

    def _refused_opening(self, task: str, process: Process, violation: Recorded, at: str) -> Result:
        """Record a refused opening: there is no task whose stream it could stand in."""
        event = violation.event
        if not isinstance(event, ViolationRecorded):
            raise TypeError("only a refusal stands in no task")
        named = violation._replace(event=event.model_copy(update={"target": task}))
        entries = self._store.append(self._drafts(LEDGER_STREAM, (named,)), at=at)
        never = TaskState(task, "", process.process, process.digest, Status.ABORTED, process.first, {})
        return Result(replace(never, attempts={process.first: 0}), entries, named.event)  # type: ignore[arg-type]

    def _with_diary(self, task: str, state: TaskState | None, recorded: Recorded) -> Recorded:
        event = recorded.event
        if not isinstance(event, LoopDetected) or state is None:
            return recorded
        text = loop_diary(state, event, self._store.entries(task=task, reverse=True, limit=DIARY_ENTRIES_MAX))
        return recorded._replace(event=event.model_copy(update={"diary": self._shelf.keep_diary(task, text)}))

    def _drafts(
        self,
        task: str,
        events: Sequence[Recorded],
        first: Mapping[str, str] = _NOTHING,
        last: Mapping[str, str] = _NOTHING,
    ) -> list[Draft]:
        """The events as drafts; the first and the last also say what is in `first` and `last`."""
        trace = self._trace(task)
        bodies = [payload(item.event) for item in events]
        bodies[0].update(first)
        bodies[-1].update(last)
        return [
            Draft(task, phase, attempt, event.kind, self.actor, trace, body)
            for (phase, attempt, event), body in zip(events, bodies, strict=True)
        ]

    def _trace(self, task: str) -> str:
        """One trace for each task, one span for each command: its entries share it."""
        return f"{trace_id(self._store.ledger, task)}-{self._ids.span_id()}"

    def _violation(self, refused: Refused) -> Recorded:
        """The violation, with the whole list of findings kept as an object when it is long."""
        event = refused.violation.event
        if len(refused.findings) <= FINDINGS_IN_ENTRY_MAX or not isinstance(event, ViolationRecorded):
            return refused.violation
        digest = self._shelf.keep(orjson.dumps(refused.findings, option=orjson.OPT_SORT_KEYS))
        return refused.violation._replace(event=event.model_copy(update={"findings_digest": digest}))


def _moved_on(task: str, version: int) -> Outdated:
    text = f"task `{task}` is at version {version}, and this was to be done at another"
    return Outdated(text, "read the task again, and decide from what it is now")


def _said_first(statement: Projection | None) -> Mapping[str, str]:
    """What a command's first entry says beside its event: the digest of the statement signed about it."""
    return {STATEMENT_FIELD: statement.key} if statement else _NOTHING


def _said_last(after: bytes, fence: Fence | None) -> dict[str, str]:
    """What a command's last entry says beside its event: the digest of the state after it, the lease's epoch.

    An epoch is named only where the commit itself checks it: what is recorded without a lease, such as the
    refusal of a stale one, must not look as if it had been made under it.
    """
    said = {STATE_FIELD: hashlib.sha256(after).hexdigest()}
    if fence is not None and fence.epoch is not None:
        said[LEASE_FIELD] = str(fence.epoch)
    return said


def _result(
    after: TaskState, entries: tuple[Entry, ...], events: Sequence[Recorded], decision: Decision
) -> Result:
    event = events[0].event
    if isinstance(decision, Refused) and isinstance(event, ViolationRecorded):
        return Result(after, entries, event, decision.findings)
    return Result(after, entries)


def _new_bindings(task: str, events: Sequence[Recorded], facts: Facts) -> list[Projection]:
    """Rows for bytes bound for the first time, so that no other task can claim them as well."""
    rows: dict[str, Projection] = {}
    for phase, attempt, event in events:
        if isinstance(event, EvidenceAdded) and event.digest not in facts.bindings:
            body = orjson.dumps({"task": task, "phase": phase, "attempt": attempt, "name": event.name})
            rows[event.digest] = Projection(BINDING_ROW, event.digest, body)
    return list(rows.values())
