"""What a decision is: accepted events, or one refusal with what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from phasegate.engine.core.commands import COMMAND_NAMES, Command, Decide, RecordProgress, RecordWitness
from phasegate.engine.core.events import (
    FINDINGS_IN_ENTRY_MAX,
    Event,
    FindingRef,
    Kind,
    Recorded,
    ViolationRecorded,
)
from phasegate.engine.core.state import TaskState
from phasegate.validators.interface import Finding


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command takes effect as these events; none when it changes nothing."""

    events: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The command is refused; the violation is recorded, and what follows from it.

    Attributes:
        findings: all of them; the violation itself carries the first few.
        consequences: events that the violation brings about: a loop that is seen, the pause it leads to.
    """

    violation: Recorded
    findings: tuple[Finding, ...] = ()
    consequences: tuple[Recorded, ...] = ()


Decision = Accepted | Refused


def refuse(
    state: TaskState,
    command: Command,
    kind: Kind,
    message: str,
    remedy: str,
    *,
    target: str = "",
    findings: tuple[Finding, ...] = (),
) -> Refused:
    """A refusal of `command`, as the violation it is recorded as."""
    event = ViolationRecorded(
        violation=kind,
        command=COMMAND_NAMES[type(command)],
        message=message[:2_000],
        remedy=remedy[:2_000],
        target=target[:300],
        finding_count=len(findings),
        findings=finding_refs(findings),
    )
    return Refused(Recorded(state.phase, state.attempt, event), findings)


def finding_refs(findings: tuple[Finding, ...]) -> tuple[FindingRef, ...]:
    """The first findings, as an entry names them; those that block before those that do not."""
    return tuple(
        FindingRef(
            code=f.code[:300],
            artifact=f.artifact[:300],
            place=f.place[:300],
            remedy=f.remedy[:300],
            severity=f.severity,
        )
        for f in sorted(findings, key=lambda f: not f.blocks)[:FINDINGS_IN_ENTRY_MAX]
    )


def accept(state: TaskState, events: list[Event]) -> Accepted:
    """Accept events for the current phase and attempt."""
    return Accepted(tuple(Recorded(state.phase, state.attempt, event) for event in events))


def moved_on(state: TaskState, command: RecordWitness | RecordProgress | Decide) -> Refused | None:
    """The refusal of work done for a phase or attempt that the task has left; None when it is still there."""
    if (command.phase, command.attempt) == (state.phase, state.attempt):
        return None
    text = f"it belongs to {command.phase}, and the task is in {state.phase} (attempt {state.attempt})"
    remedy = f"the current phase is {state.phase}; see `engine status {state.task}`"
    return refuse(state, command, Kind.NOT_CURRENT_PHASE, text, remedy, target=command.phase)
