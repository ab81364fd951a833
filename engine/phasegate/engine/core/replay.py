"""Replay of a task's history against its process: written apart from `decide`, to check what it let through.

A ledger can be chained without a flaw and still tell of moves that no engine should have allowed, because
the one who wrote it was not this engine. Replay trusts no projection and no decision: it walks the entries
and names each one that the process does not permit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from phasegate.engine.core.approvals import STEERING_ROLES, approval_findings, glass_is_broken
from phasegate.engine.core.attestation import attestation_findings, prompt_fault
from phasegate.engine.core.delivering import OutboxEvent
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import (
    ApprovalRecorded,
    Event,
    EvidenceAdded,
    GatePassed,
    LoopDetected,
    PhaseBacktracked,
    PhaseCompleted,
    PhaseEntered,
    PromptAttested,
    PromptBaselined,
    Recorded,
    StepFinished,
    TaskAborted,
    TaskCompleted,
    TaskOpened,
    TaskPaused,
    TaskResumed,
    ToolCalled,
    ViolationRecorded,
    WitnessRecorded,
)
from phasegate.engine.core.gate import APPROVALS, ATTESTATION
from phasegate.engine.core.outbox_replay import OutboxReplay
from phasegate.engine.core.state import Status, TaskState, begin, evolve, is_current
from phasegate.policies.model import EvidenceRule, Origin, Process, Witness

_AFTER_THE_END = (ViolationRecorded, ToolCalled, *OutboxEvent.__args__)
_WHILE_PAUSED = (*_AFTER_THE_END, ApprovalRecorded, TaskPaused, TaskResumed, TaskAborted)
_DECISIONS: Mapping[type, frozenset[str]] = MappingProxyType(
    {
        TaskPaused: frozenset({"pause", "escalate"}),
        TaskResumed: frozenset({"resume"}),
        TaskAborted: frozenset({"abort"}),
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """An entry the process does not permit."""

    seq: int
    message: str


@dataclass(slots=True)
class Replay:
    """A walk over one task's entries.

    Attributes:
        state: the task after the entries seen so far; None before the first.
        faults: what was not permitted, in order.
        binders: task that bound bytes first, by digest; what it does not name counts as this task's own.
        subjects: names and digests that each witnessed command was signed to have produced, by its entry;
            None where nobody read the signatures.
        gated: the task as it was when each gate was passed, by the gate's entry.
    """

    process: Process
    task: str
    state: TaskState | None = None
    faults: list[Fault] = field(default_factory=list)
    binders: Mapping[str, str] = field(default_factory=dict)
    subjects: Mapping[int, frozenset[tuple[str, str]]] | None = None
    gated: dict[int, TaskState] = field(default_factory=dict)
    _outbox: OutboxReplay = field(init=False)
    _previous: Recorded | None = None
    _bound: dict[str, tuple[str, int]] = field(default_factory=dict)
    _source: tuple[int, Recorded] | None = None

    def __post_init__(self) -> None:
        self._outbox = OutboxReplay(self.process)

    def run(self, history: Iterable[tuple[int, Recorded]]) -> TaskState | None:
        """Walk the whole history, pairs of sequence number and event; returns the final state."""
        seq = 0
        for seq, recorded in history:
            event = recorded.event
            messages = (self._cut_short(event), self._outbox.overdue(event), self._fault(recorded))
            self.faults.extend(Fault(seq, message) for message in messages if message)
            before = self.state
            try:
                self.state = (
                    begin(self.task, recorded) if self.state is None else evolve(self.state, recorded)
                )
            except IntegrityError as error:
                self.faults.append(Fault(seq, str(error)))
                return self.state
            self._remember(before, seq, recorded)
        missing = (self._cut_short(None), self._outbox.overdue(None))
        self.faults.extend(Fault(seq, message) for message in missing if message)
        return self.state

    def _cut_short(self, event: Event | None) -> str:
        """What should have been in the place of this event; None for the end of the entries.

        A phase is left in one commit. Entries that end within it claim the phase without what follows from
        it: the phase that is entered, and the side effects.
        """
        if self._previous is None:
            return ""
        phase, _, before = self._previous
        if isinstance(before, GatePassed) and not isinstance(event, PhaseCompleted):
            return f"the gate of {phase} passed, and {phase} was not completed with it"
        if isinstance(before, PhaseCompleted) and not isinstance(event, PhaseEntered | TaskCompleted):
            return f"{phase} was completed, and nothing was entered with it"
        return ""

    def _remember(self, before: TaskState | None, seq: int, recorded: Recorded) -> None:
        self._outbox.remember(before, recorded, self._previous.event if self._previous else None)
        phase, attempt, event = self._previous = recorded
        if isinstance(event, EvidenceAdded):
            self._bound.setdefault(event.digest, (phase, attempt))
        if isinstance(event, WitnessRecorded | StepFinished):
            self._source = (seq, recorded)
        elif not (isinstance(event, EvidenceAdded) and event.origin is Origin.WITNESSED):
            # What is witnessed is bound in the commit that records it: nothing comes between.
            self._source = None
        if isinstance(event, GatePassed) and before is not None:
            self.gated[seq] = before

    def _fault(self, recorded: Recorded) -> str:
        event, state = recorded.event, self.state
        if state is None:
            return self._opening_fault(recorded)
        unknown = {recorded.phase, state.phase} - self.process.order.keys()
        if unknown:
            return f"the process has no phase `{min(unknown)}`"
        ignored = self._ignored_decision(event)
        if ignored:
            return ignored
        if state.status.final and not isinstance(event, _AFTER_THE_END):
            return f"`{event.kind}` after the task was {state.status}"
        if state.status is Status.PAUSED and not isinstance(event, _WHILE_PAUSED):
            return f"`{event.kind}` while the task was paused"
        return self._event_fault(state, recorded)

    def _event_fault(self, state: TaskState, recorded: Recorded) -> str:
        event = recorded.event
        if isinstance(event, PhaseEntered):
            return self._entering_fault(state, recorded, event)
        if isinstance(event, PhaseBacktracked):
            return self._backtrack_fault(state, recorded, event)
        if (recorded.phase, recorded.attempt) != (state.phase, state.attempt):
            return f"`{event.kind}` for {recorded.phase}, attempt {recorded.attempt}, while in {state.phase}"
        if isinstance(event, EvidenceAdded):
            return self._evidence_fault(state, event)
        if isinstance(event, GatePassed):
            return self._gate_fault(state, event)
        if isinstance(event, PhaseCompleted):
            return self._completion_fault(state, event)
        if isinstance(event, TaskCompleted):
            return self._task_completion_fault(state, event)
        return self._side_fault(state, event)

    def _side_fault(self, state: TaskState, event: Event) -> str:
        """What is wrong with an event that moves the task nowhere."""
        if isinstance(event, TaskPaused | TaskResumed | TaskAborted):
            return self._steering_fault(state, event)
        if isinstance(event, PromptAttested | PromptBaselined):
            return prompt_fault(self.process, state, event)
        if isinstance(event, OutboxEvent):
            return self._outbox.fault(state, event)
        return ""

    def _ignored_decision(self, event: Event) -> str:
        """A person's decision to pause, resume or end a task takes effect in the commit that records it."""
        before = self._previous.event if self._previous else None
        if not isinstance(before, ApprovalRecorded):
            return ""
        effect = next((kind for kind, words in _DECISIONS.items() if before.decision in words), None)
        if effect is None or isinstance(event, effect):
            return ""
        return f"the decision to {before.decision} was recorded and did not take effect"

    def _steering_fault(self, state: TaskState, event: TaskPaused | TaskResumed | TaskAborted) -> str:
        """Only a loop that was seen, or the signed decision of a person, pauses, resumes or ends a task."""
        before = self._previous.event if self._previous else None
        if isinstance(event, TaskResumed) and state.status is not Status.PAUSED:
            return "`task.resumed` while it was not paused"
        if isinstance(before, LoopDetected) and isinstance(event, TaskPaused) and event.escalated:
            return ""
        wanted = _DECISIONS[type(event)]
        if isinstance(before, ApprovalRecorded) and before.decision in wanted:
            return "" if before.role in STEERING_ROLES else f"`{event.kind}` by a {before.role}"
        return f"`{event.kind}` without the decision of a person"

    def _opening_fault(self, recorded: Recorded) -> str:
        event = recorded.event
        if isinstance(event, TaskOpened) and (recorded.phase, recorded.attempt) != (self.process.first, 1):
            return f"opened in {recorded.phase}, and the process begins in {self.process.first}"
        if isinstance(event, TaskOpened) and event.process_digest != self.process.digest:
            return "opened under another definition than the one kept"
        return ""

    def _entering_fault(self, state: TaskState, recorded: Recorded, event: PhaseEntered) -> str:
        before = self._previous.event if self._previous else None
        if isinstance(before, TaskOpened):
            began = (recorded.phase, recorded.attempt) == (state.phase, state.attempt)
            return "" if began and not event.previous else "entered from nowhere"
        if not isinstance(before, PhaseCompleted) or before.next != recorded.phase:
            return f"{recorded.phase} was entered without completing {state.phase}"
        if recorded.phase not in self.process.next_phases(state.phase) or event.previous != state.phase:
            return f"{state.phase} does not lead to {recorded.phase}"
        if recorded.attempt != state.attempts.get(recorded.phase, 0) + 1:
            return f"{recorded.phase} was entered as attempt {recorded.attempt}, out of count"
        return ""

    def _backtrack_fault(self, state: TaskState, recorded: Recorded, event: PhaseBacktracked) -> str:
        if (
            event.target not in self.process.backtrack_targets(state.phase)
            or event.target not in state.completed
            or event.source != state.phase
        ):
            return f"{state.phase} does not go back to {event.target}"
        if (recorded.phase, recorded.attempt) != (event.target, state.attempts.get(event.target, 0) + 1):
            return f"back to {event.target} as attempt {recorded.attempt}, out of count"
        if event.voided != self.process.from_phase_on(event.target):
            return f"going back to {event.target} voids other phases than those from it on"
        return ""

    def _evidence_fault(self, state: TaskState, event: EvidenceAdded) -> str:
        rule = self.process.evidence_rules[state.phase].get(event.name)
        if rule is None:
            return f"`{event.name}` is no evidence of {state.phase}"
        here = (state.phase, state.attempt)
        if event.origin is Origin.WITNESSED:
            return self._witnessed_fault(here, rule, event)
        if not rule.reusable and self._bound.get(event.digest, here) != here:
            return f"the bytes of `{event.name}` are evidence of an earlier phase or attempt"
        if not rule.reusable and self.binders.get(event.digest, self.task) != self.task:
            return f"the bytes of `{event.name}` are evidence of task `{self.binders[event.digest]}`"
        return ""

    def _witnessed_fault(self, here: tuple[str, int], rule: EvidenceRule, event: EvidenceAdded) -> str:
        """What was witnessed is bound right after what made it, and is what that was signed to have made."""
        seq, (phase, attempt, source) = self._source or (0, Recorded("", 0, event))
        if (phase, attempt) != here:
            return f"`{event.name}` comes from nothing that was witnessed"
        if isinstance(source, StepFinished) != (rule.witness is Witness.RUNNER):
            return f"`{event.name}` comes from something else than its process says"
        if isinstance(source, WitnessRecorded):
            if event.exit_code not in {None, source.exit_code}:
                return f"`{event.name}` has another exit code than the command it comes from"
            if self.subjects is not None and (event.name, event.digest) not in self.subjects.get(seq, ()):
                return f"`{event.name}` is nothing that a witnessed command was signed to have made"
        return ""

    def _gate_fault(self, state: TaskState, event: GatePassed) -> str:
        named = {item.name: item for item in event.evidence}
        for rule in self.process.phase(state.phase).evidence:
            bound, used = state.evidence.get(rule.name), named.get(rule.name)
            if bound is None or used is None or not is_current(state, bound):
                return f"the gate of {state.phase} passed without `{rule.name}` of this attempt"
            if (used.digest, used.origin) != (bound.digest, Origin(bound.origin)):
                return f"the gate of {state.phase} passed over other bytes of `{rule.name}` than were added"
            if rule.origin is not Origin.CLAIMED and bound.origin != rule.origin:
                return f"the gate of {state.phase} passed with `{rule.name}` that is only {bound.origin}"
            if bound.exit_code:
                return f"the gate of {state.phase} passed with `{rule.name}` of a command that failed"
        glass = glass_is_broken(self.process, state)
        if event.broken_glass and event.broken_glass != glass:
            return f"the gate of {state.phase} names broken glass that nobody broke"
        if glass and not event.broken_glass:
            return f"the gate of {state.phase} passed over broken glass and does not say so"
        return "" if glass else self._policy_fault(state, event)

    def _policy_fault(self, state: TaskState, event: GatePassed) -> str:
        for what, found in (
            (APPROVALS, approval_findings(self.process, state)),
            (ATTESTATION, attestation_findings(self.process, state)),
        ):
            first = next((finding for finding in found if finding.blocks), None)
            if first is not None and f"{state.phase}/{what}" not in event.flags:
                return f"the gate of {state.phase} passed although `{first.code}`: {first.message}"
        return ""

    def _completion_fault(self, state: TaskState, event: PhaseCompleted) -> str:
        if not self._previous or not isinstance(self._previous.event, GatePassed):
            return f"{state.phase} was completed without passing its gate"
        options = self.process.next_phases(state.phase)
        allowed = event.next in options if options else not event.next
        return "" if allowed else f"{state.phase} does not lead to `{event.next}`"

    def _task_completion_fault(self, state: TaskState, event: TaskCompleted) -> str:
        before = self._previous.event if self._previous else None
        if not isinstance(before, PhaseCompleted) or self.process.next_phases(state.phase):
            return "completed without passing the last gate"
        done = len(state.completed)
        return "" if event.phases == done else f"completed with {event.phases} phases, and {done} were passed"
