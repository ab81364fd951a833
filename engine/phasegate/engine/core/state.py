"""Task state: the fold over a task's events.

`evolve` is total over the events of one task in their order; it decides nothing. A violation changes its
own count and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, assert_never

from phasegate.engine.core.changing import changed
from phasegate.engine.core.delivering import Delivery, OutboxEvent, delivery_after
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import (
    ApprovalRecorded,
    BaselineRecorded,
    ChildCheckpointed,
    EvidenceAdded,
    FlagSet,
    GatePassed,
    HookSpooled,
    JournalNoted,
    KeyRegistered,
    KeyRotated,
    LedgerCheckpointed,
    LedgerRepaired,
    LoopDetected,
    MilestoneApproved,
    ObjectRedacted,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    PromptAttested,
    PromptBaselined,
    Recorded,
    RunEnded,
    SampleExecuted,
    SampleGenerated,
    StepFinished,
    StepStarted,
    TaskAborted,
    TaskCompleted,
    TaskOpened,
    TaskPaused,
    TaskResumed,
    ToolCalled,
    ViolationRecorded,
    WitnessRecorded,
)
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxDelivered,
    OutboxEnqueued,
    OutboxFailed,
    OutboxWithdrawn,
)
from phasegate.engine.core.token_events import TokenCreated, TokenRevoked

_GATE_REPORT = re.compile(r"gate_\d\.json")
BREAK_GLASS: Final = "break_glass"
OBSERVING: Final = frozenset({"engine", "hook", "proxy"})
"""Who sees a prompt in use; the compiler only hands one out, and an agent only reports one."""
PREVIOUS_MAX: Final = 8
"""Earlier attempts whose artifacts are remembered; of more, the first and the latest are."""
VIOLATION_TIMES_MAX: Final = 64
"""Times of violations that are kept for the rate of a loop rule, which cannot ask for more."""


class Status(StrEnum):
    """Whether a task still goes on."""

    OPEN = "open"
    PAUSED = "paused"
    COMPLETED = "completed"
    ABORTED = "aborted"

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
        return self in {Status.COMPLETED, Status.ABORTED}


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
    by: str = ""


class Baseline(NamedTuple):
    """The prompt a phase is to be worked under."""

    version: int
    prompt: str
    header: str
    persona: str
    persona_digest: str


class Attested(NamedTuple):
    """The prompt that counts as the one a phase is worked under: the latest seen, but see `_outweighs`."""

    attempt: int
    prompt: str
    persona: str
    persona_digest: str
    origin: str
    status: str
    version: int
    via: str = ""

    @property
    def observed(self) -> bool:
        """Whether it was seen in use, and not only handed out or reported."""
        return self.via in OBSERVING


class Approved(NamedTuple):
    """The latest decision of one key on one phase and attempt."""

    phase: str
    attempt: int
    decision: str
    role: str
    by: str
    key_id: str
    subjects: Mapping[str, str]
    statement: str


class Loop(NamedTuple):
    """What counts towards a loop.

    Attributes:
        streaks: violations by kind since the last progress.
        recent: times of the latest violations, oldest first.
        progress_at: time of the last progress.
    """

    streaks: Mapping[str, int] = MappingProxyType({})
    recent: tuple[str, ...] = ()
    progress_at: str = ""


NO_LOOP: Final = Loop()


@dataclass(frozen=True)  # without slots: see `changed`
class TaskState:
    """Where a task stands.

    Attributes:
        process_digest: digest of the definition it began under.
        phase: current phase; the last one once the task is completed.
        attempts: current attempt of each phase that was entered, from 1.
        completed: phases left forward and not voided since, in order.
        evidence: latest evidence by artifact name; its attempt tells whether it still counts.
        violations: number of refusals by kind.
        risk: risk class; empty where the process has none.
        repository: where its repository lies, percent-encoded; empty for none.
        base_commit: commit the work started from; empty for none.
        workers: actors that ever left evidence, by phase.
        previous: digests of each artifact's bytes in earlier attempts, by name and oldest first: the last one
            that passed its gate, and those that did not since.
        baselines: prompt baselines by phase.
        attested: latest prompt seen, by phase.
        approvals: latest decision of each key on each phase, of any attempt.
        paused: why it is paused; empty when it is not.
        escalated: whether a person was called.
        broken_glass: the last break-glass; None without.
        loop: what counts towards a loop.
        outbox: what has become of each side effect that was enqueued, by its key.
        effect_phases: phase each side effect stands on, by its key: it is withdrawn when that is voided.
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
    depends_on: tuple[str, ...] = ()
    milestone: str = ""
    risk: str = ""
    repository: str = ""
    base_commit: str = ""
    workers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    previous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    attested: Mapping[str, Attested] = field(default_factory=dict)
    approvals: tuple[Approved, ...] = ()
    paused: str = ""
    escalated: bool = False
    broken_glass: Approved | None = None
    loop: Loop = NO_LOOP
    outbox: Mapping[str, Delivery] = field(default_factory=dict)
    effect_phases: Mapping[str, str] = field(default_factory=dict)

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
        depends_on=event.depends_on,
        milestone=event.milestone,
        risk=event.risk,
        repository=event.repository,
        base_commit=event.base_commit,
        loop=Loop(progress_at=event.at),
    )


def evolve(  # noqa: C901, PLR0912 - a closed union, matched exhaustively
    state: TaskState, recorded: Recorded
) -> TaskState:
    """State after one more event."""
    phase, attempt, event = recorded
    match event:
        case EvidenceAdded():
            evidence = {**state.evidence, event.name: _bind(phase, attempt, event)}
            workers = _workers(state, phase, event.by)
            loop = state.loop._replace(progress_at=event.at) if event.at else state.loop
            previous = _previous(state, attempt, event.name)
            return changed(state, evidence=evidence, workers=workers, previous=previous, loop=loop)
        case PhaseCompleted():
            return changed(state, completed=(*state.completed, phase))
        case PhaseEntered():
            attempts = {**state.attempts, phase: attempt}
            return changed(state, phase=phase, attempts=attempts, loop=_progress(state, event.at))
        case PromptBaselined() | PromptAttested():
            return _attested(state, phase, attempt, event)
        case PhaseBacktracked():
            kept = tuple(name for name in state.completed if name not in event.voided)
            attempts = {**state.attempts, event.target: attempt}
            previous = _superseded(state, event.voided)
            return changed(state, phase=event.target, attempts=attempts, completed=kept, previous=previous)
        case TaskCompleted():
            return changed(state, status=Status.COMPLETED)
        case ViolationRecorded():
            return _violated(state, event)
        case RunEnded():
            return changed(state, outcome=event.outcome)
        case TaskOpened():
            raise IntegrityError(f"task `{state.task}` is opened twice")
        case (
            FlagSet()
            | MilestoneApproved()
            | BaselineRecorded()
            | KeyRegistered()
            | KeyRotated()
            | LedgerCheckpointed()
            | LedgerRepaired()
            | ObjectRedacted()
            | ChildCheckpointed()
            | TokenCreated()
            | TokenRevoked()
            | HookSpooled()
        ):
            raise IntegrityError(f"`{event.kind}` in the stream of task `{state.task}`")
        case TaskPaused() | TaskResumed() | TaskAborted() | ApprovalRecorded():
            return _decided(state, phase, attempt, event)
        case OutboxEnqueued():
            phases = {event.key: event.gate or phase, **state.effect_phases}
            return changed(state, outbox=_delivery(state, event), effect_phases=phases)
        case OutboxDeferred() | OutboxDelivered() | OutboxFailed() | OutboxWithdrawn():
            return changed(state, outbox=_delivery(state, event))
        case (
            WitnessRecorded()
            | GatePassed()
            | StepStarted()
            | StepFinished()
            | SampleGenerated()
            | SampleExecuted()
            | LoopDetected()
            | JournalNoted()
            | ToolCalled()
        ):
            return state
        case _:
            assert_never(event)


def _delivery(state: TaskState, event: OutboxEvent) -> Mapping[str, Delivery]:
    return {**state.outbox, event.key: delivery_after(event)}


def _workers(state: TaskState, phase: str, by: str) -> Mapping[str, tuple[str, ...]]:
    known = state.workers.get(phase, ())
    return state.workers if not by or by in known else {**state.workers, phase: (*known, by)}


def _previous(state: TaskState, attempt: int, name: str) -> Mapping[str, tuple[str, ...]]:
    before = state.evidence.get(name)
    if before is None or before.attempt == attempt:
        return state.previous
    known = state.previous.get(name, ())
    return {**state.previous, name: (*known[:1], *known[1:][2 - PREVIOUS_MAX :], before.digest)}


def _superseded(state: TaskState, voided: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """What is remembered once phases are void: what passed a gate takes the place of all before it."""
    passed = set(state.completed).intersection(voided)
    return {
        name: digests for name, digests in state.previous.items() if state.evidence[name].phase not in passed
    }


def _progress(state: TaskState, at: str) -> Loop:
    if not at and not state.loop.streaks:
        return state.loop
    return state.loop._replace(streaks={}, progress_at=at or state.loop.progress_at)


def _violated(state: TaskState, event: ViolationRecorded) -> TaskState:
    kind = str(event.violation)
    violations = {**state.violations, kind: state.violations.get(kind, 0) + event.weight}
    if not event.at:
        return changed(state, violations=violations)
    streaks = {**state.loop.streaks, kind: state.loop.streaks.get(kind, 0) + 1}
    recent = (*state.loop.recent, event.at)[-VIOLATION_TIMES_MAX:]
    return changed(state, violations=violations, loop=state.loop._replace(streaks=streaks, recent=recent))


def _decided(
    state: TaskState,
    phase: str,
    attempt: int,
    event: TaskPaused | TaskResumed | TaskAborted | ApprovalRecorded,
) -> TaskState:
    match event:
        case TaskPaused():
            escalated = state.escalated or event.escalated
            return changed(state, status=Status.PAUSED, paused=event.reason, escalated=escalated)
        case TaskResumed():
            loop = Loop(progress_at=event.at)
            return changed(state, status=Status.OPEN, paused="", escalated=False, loop=loop)
        case TaskAborted():
            return changed(state, status=Status.ABORTED, paused="")
        case ApprovalRecorded():
            decided = Approved(
                phase,
                attempt,
                event.decision,
                event.role,
                event.by,
                event.key_id,
                dict(event.subjects),
                event.statement,
            )
            if event.decision == BREAK_GLASS:
                return changed(state, broken_glass=decided)
            same = (phase, event.key_id, event.role)
            others = tuple(a for a in state.approvals if (a.phase, a.key_id, a.role) != same)
            return changed(state, approvals=(*others, decided))
        case _:
            assert_never(event)


def _attested(
    state: TaskState, phase: str, attempt: int, event: PromptBaselined | PromptAttested
) -> TaskState:
    if isinstance(event, PromptBaselined):
        baseline = Baseline(event.version, event.prompt, event.header, event.persona, event.persona_digest)
        return changed(state, baselines={**state.baselines, phase: baseline})
    seen = Attested(
        attempt,
        event.prompt,
        event.persona,
        event.persona_digest,
        str(event.origin),
        event.status,
        event.version,
        event.via,
    )
    before = state.attested.get(phase)
    stands = before is not None and before.attempt == attempt and not _outweighs(state, phase, seen, before)
    if stands or seen == before:
        return state
    return changed(state, attested={**state.attested, phase: seen})


def _outweighs(state: TaskState, phase: str, seen: Attested, before: Attested) -> bool:
    """Whether what is seen now counts in place of what was seen before in the same attempt.

    Drift that was observed in use is outweighed only by another observation: to be handed the right prompt,
    or to report it, does not show that it is worked under. And a report of a prompt takes nothing from what
    was witnessed of the same prompt.
    """
    same = (seen.prompt, seen.persona_digest) == (before.prompt, before.persona_digest)
    baseline = state.baselines.get(phase)
    drifted = baseline is not None and (before.prompt, before.persona_digest) != (
        baseline.prompt,
        baseline.persona_digest,
    )
    if before.observed and drifted:
        return seen.observed
    return not (same and seen.origin == "claimed" and before.origin == "witnessed")


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
        by=event.by,
    )


def is_gate_report(name: str, evidence: Evidence) -> bool:
    """Whether an artifact is what the checks of a gate found, made by the engine (`GateBundle.report`)."""
    return evidence.origin == "witnessed" and _GATE_REPORT.fullmatch(name) is not None


def is_current(state: TaskState, evidence: Evidence) -> bool:
    """Whether evidence counts now: its phase is not voided, and it is of that phase's latest attempt."""
    reached = evidence.phase == state.phase or evidence.phase in state.completed
    return reached and state.attempts.get(evidence.phase) == evidence.attempt
