"""The course of a task: the phases that it left and that still stand, each with what was signed about it.

Of a task that went back, the attempts before count no more. Nothing is taken from a projection: the task is
audited first, and each transition is read from the envelope that the engine signed when it was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from phasegate.engine.app.audit.audit import BROKEN_GLASS, Auditor, History, Terms, auditor_of
from phasegate.engine.app.audit.records import HomeRecords
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.in_toto.envelopes import envelope_of
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import GatePassed, Recorded, WitnessRecorded
from phasegate.engine.core.state import Approved, Status, TaskState
from phasegate.engine.statements.dsse import verify
from phasegate.engine.statements.transition import Transition
from phasegate.engine.statements.witness import Witness
from phasegate.ledger.entry import Entry
from phasegate.policies.model import Process

_LISTED: Final = "`validate_checkpoint` lists all that is wrong"


class Ran(NamedTuple):
    """A witnessed command whose results are evidence of the gate."""

    entry: Entry
    event: WitnessRecorded


class Left(NamedTuple):
    """A phase that was left forward.

    Attributes:
        entry: the entry that records it.
        said: what the engine signed of it.
        statement: SHA-256 of the signed envelope.
        ran: commands that produced its evidence, in order.
        decided: what people decided on it, the latest of each.
    """

    entry: Entry
    said: Transition
    statement: str
    ran: tuple[Ran, ...]
    decided: tuple[Approved, ...]


class Course(NamedTuple):
    """How a task went.

    Attributes:
        left: the phases it left and that stand, in their order.
        ahead: phases that every way to an end still goes through; none once it is completed.
    """

    ledger: str
    process: Process
    state: TaskState
    left: tuple[Left, ...]
    ahead: tuple[str, ...]

    @property
    def phases(self) -> tuple[str, ...]:
        """Every phase that must be left for the task to be complete, in order."""
        return (*(item.said.source for item in self.left), *self.ahead)


def course_of(engine: Engine, task: str, *, accept_break_glass: bool = False) -> Course:
    """The course of a task whose history, statements and evidence hold.

    Args:
        engine: open over the home.
        task: its id.
        accept_break_glass: whether gates that were passed over broken glass are taken as they are.

    Raises:
        BadInput: there is no such task, or broken glass is not accepted.
        IntegrityError: ledger, statements or evidence do not hold.
    """
    name = engine.state(task).task
    records = HomeRecords(engine)
    if not records.verification().ok:
        raise IntegrityError("the ledger does not hold, so nobody may sign it", "run `engine ledger verify`")
    auditor = auditor_of(records, Terms(accept_break_glass=accept_break_glass))
    # Read before it is audited: what is committed meanwhile is audited too, and not exported unaudited.
    history = auditor.history(name)
    _demand(auditor, name)
    state = history.state
    left = tuple(_left(records, history, phase) for phase in state.completed)
    ahead = () if state.status is Status.COMPLETED else still_ahead(history.process, state.phase)
    return Course(records.store.ledger, history.process, state, left, ahead)


def still_ahead(process: Process, phase: str) -> tuple[str, ...]:
    """The phases that no way on from `phase` to an end of the process goes round, itself first."""
    return tuple(name for name in process.from_phase_on(phase) if not _ends_without(process, phase, name))


def _ends_without(process: Process, start: str, avoided: str) -> bool:
    reached = {start} - {avoided}
    # Forward edges lead to later phases only, so one pass in order sees every way.
    for name in process.from_phase_on(start):
        if name in reached:
            targets = process.next_phases(name)
            if not targets:
                return True
            reached.update(set(targets) - {avoided})
    return False


def _demand(auditor: Auditor, task: str) -> None:
    """Refuse a task of which not everything holds: a foreign verifier could not see it."""
    found = auditor.task(task)
    faults = (*auditor.people.faults, *found.faults)
    if faults:
        raise IntegrityError(f"the task's history does not hold: {faults[0]}", _LISTED)
    blocking = [finding for finding in found.findings if finding.blocks]
    for finding in blocking:
        if finding.code == BROKEN_GLASS:
            raise BadInput(finding.message, "accept it knowingly: `--accept-break-glass`")
    if blocking:
        raise IntegrityError(f"the task's evidence does not hold: {blocking[0].message}", _LISTED)


def _left(records: HomeRecords, history: History, phase: str) -> Left:
    attempt = history.state.attempts[phase]
    here = [(seq, event) for seq, event in history.events if event[:2] == (phase, attempt)]
    seq, passed = next(
        (seq, event.event) for seq, event in reversed(here) if isinstance(event.event, GatePassed)
    )
    said = verify(envelope_of(records.store, passed.statement), records.engine_keys, expected_type=Transition)
    approvals = history.state.approvals
    decided = tuple(item for item in approvals if (item.phase, item.attempt) == (phase, attempt))
    evidence = {(item.name, item.digest) for item in passed.evidence}
    ran = tuple(_ran(records, here, evidence))
    return Left(_entry(records, seq), said.predicate, passed.statement, ran, decided)


def _ran(
    records: HomeRecords, events: list[tuple[int, Recorded]], evidence: set[tuple[str, str]]
) -> Iterator[Ran]:
    for seq, (_, _, event) in events:
        if isinstance(event, WitnessRecorded):
            envelope = envelope_of(records.store, event.statement)
            seen = verify(envelope, records.engine_keys, expected_type=Witness)
            if any((item.name, item.digest) in evidence for item in seen.subject):
                yield Ran(_entry(records, seq), event)


def _entry(records: HomeRecords, seq: int) -> Entry:
    entry = records.store.get(seq)
    if entry is None:
        raise IntegrityError(f"entry {seq} is gone", "run `engine ledger verify`")
    return entry
