"""Task state: the fold over a task's events.

`evolve` is total over the events of one task in their order; it decides nothing. A violation changes its
own count and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, assert_never

from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import (
    EvidenceAdded,
    GatePassed,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    Recorded,
    RunEnded,
    SampleExecuted,
    SampleGenerated,
    StepFinished,
    StepStarted,
    TaskCompleted,
    TaskOpened,
    ViolationRecorded,
    WitnessRecorded,
)


class Status(StrEnum):
    """Whether a task still goes on."""

    OPEN = "open"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Evidence:
    """An artifact bound to phase, attempt and origin."""

    name: str
    phase: str
    attempt: int
    origin: str
    digest: str
    size_bytes: int
    path: str
    source: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class TaskState:
    """Where a task stands.

    Attributes:
        process_digest: digest of the definition it began under.
        phase: current phase; the last one once the task is completed.
        attempts: current attempt of each phase that was entered, from 1.
        completed: phases left forward and not voided since, in order.
        evidence: latest evidence by artifact name; its attempt tells whether it still counts.
        violations: number of refusals by kind.
    """

    task: str
    title: str
    process: str
    process_digest: str
    status: Status
    phase: str
    attempts: Mapping[str, int]
    completed: tuple[str, ...] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    violations: Mapping[str, int] = field(default_factory=dict)
    outcome: str = ""

    @property
    def attempt(self) -> int:
        """Attempt of the current phase."""
        return self.attempts[self.phase]


def begin(task: str, first: Recorded) -> TaskState:
    """State after a task's first event, which must be its opening."""
    event = first.event
    if not isinstance(event, TaskOpened):
        raise IntegrityError(f"the stream of task `{task}` begins with `{event.kind}`, not with its opening")
    return TaskState(
        task=task,
        title=event.title,
        process=event.process,
        process_digest=event.process_digest,
        status=Status.OPEN,
        phase=first.phase,
        attempts={first.phase: first.attempt},
    )


def evolve(state: TaskState, recorded: Recorded) -> TaskState:
    """State after one more event."""
    phase, attempt, event = recorded
    match event:
        case EvidenceAdded():
            return replace(state, evidence={**state.evidence, event.name: _bind(phase, attempt, event)})
        case PhaseCompleted():
            return replace(state, completed=(*state.completed, phase))
        case PhaseEntered():
            return replace(state, phase=phase, attempts={**state.attempts, phase: attempt})
        case PhaseBacktracked():
            kept = tuple(name for name in state.completed if name not in event.voided)
            attempts = {**state.attempts, event.target: attempt}
            return replace(state, phase=event.target, attempts=attempts, completed=kept)
        case TaskCompleted():
            return replace(state, status=Status.COMPLETED)
        case ViolationRecorded():
            count = state.violations.get(event.violation, 0) + 1
            return replace(state, violations={**state.violations, str(event.violation): count})
        case RunEnded():
            return replace(state, outcome=event.outcome)
        case TaskOpened():
            raise IntegrityError(f"task `{state.task}` is opened twice")
        case (
            WitnessRecorded()
            | GatePassed()
            | StepStarted()
            | StepFinished()
            | SampleGenerated()
            | SampleExecuted()
        ):
            return state
        case _:
            assert_never(event)


def fold(task: str, history: Iterable[Recorded], state: TaskState | None = None) -> TaskState | None:
    """State after `history`; None when nothing ever happened."""
    for recorded in history:
        state = begin(task, recorded) if state is None else evolve(state, recorded)
    return state


def _bind(phase: str, attempt: int, event: EvidenceAdded) -> Evidence:
    return Evidence(
        name=event.name,
        phase=phase,
        attempt=attempt,
        origin=str(event.origin),
        digest=event.digest,
        size_bytes=event.size_bytes,
        path=event.path,
        source=event.source,
        exit_code=event.exit_code,
    )


def to_json(state: TaskState) -> dict[str, Any]:
    """The state as plain data, for a projection row or a program."""
    return {
        "task": state.task,
        "title": state.title,
        "process": state.process,
        "process_digest": state.process_digest,
        "status": str(state.status),
        "phase": state.phase,
        "attempts": dict(state.attempts),
        "completed": list(state.completed),
        "evidence": {name: _evidence_json(item) for name, item in state.evidence.items()},
        "violations": dict(state.violations),
        "outcome": state.outcome,
    }


def from_json(data: Mapping[str, Any]) -> TaskState:
    """Inverse of `to_json`; raises IntegrityError when a projection row does not fit."""
    try:
        evidence = {name: Evidence(**item) for name, item in data["evidence"].items()}
        rest = {key: value for key, value in data.items() if key not in {"evidence", "status", "completed"}}
        return TaskState(
            **rest, evidence=evidence, status=Status(data["status"]), completed=tuple(data["completed"])
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"a task projection is damaged: {error}") from error


def _evidence_json(item: Evidence) -> dict[str, Any]:
    return {
        "name": item.name,
        "phase": item.phase,
        "attempt": item.attempt,
        "origin": item.origin,
        "digest": item.digest,
        "size_bytes": item.size_bytes,
        "path": item.path,
        "source": item.source,
        "exit_code": item.exit_code,
    }


def is_current(state: TaskState, evidence: Evidence) -> bool:
    """Whether evidence counts now: its phase is not voided, and it is of that phase's latest attempt."""
    reached = evidence.phase == state.phase or evidence.phase in state.completed
    return reached and state.attempts.get(evidence.phase) == evidence.attempt
