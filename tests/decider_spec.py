"""Given a history, when a command is decided, then these events or this violation follow.

given(process, opened, *more).when(Advance()).then(GatePassed, PhaseCompleted, PhaseEntered)
given(process, opened).when(Advance("C")).then_refused(Kind.OUT_OF_SEQUENCE)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from phasegate.engine.core.commands import AddEvidence, Advance, Backtrack, Command, Offer, OpenTask
from phasegate.engine.core.decide import decide
from phasegate.engine.core.decision import Accepted, Decision, Refused
from phasegate.engine.core.events import (
    Event,
    EvidenceAdded,
    Kind,
    Recorded,
    StepFinished,
    ViolationRecorded,
    WitnessRecorded,
)
from phasegate.engine.core.facts import Binding, EvidenceFact, Facts, GateFacts
from phasegate.engine.core.state import TaskState, fold
from phasegate.policies.model import Process, Witness
from phasegate.validators.interface import Finding

TASK = "T-1"


def digest(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


STEP = StepFinished(step="step", duration_ms=1, figures={})
SEEN = WitnessRecorded(
    argv=("make",), argv_digest=digest("make"), cwd="/", exit_code=0,
    started_at="2026-01-31T09:30:00.000000Z", duration_ms=1, stdout_digest=digest(""),
    stderr_digest=digest(""), stdout_bytes=0, stderr_bytes=0, environment_digest=digest(""), git_commit="",
    git_dirty=False, reports={},
)  # fmt: skip


def offer(name: str, content: str = "", *, source: str = "") -> Offer:
    """A claimed artifact read from a file; its content is its name unless given."""
    text = content or name
    return Offer(name, digest(text), len(text), f"evidence/{TASK}/X/{name}", source or f"/given/{name}")


def witness_offer(name: str, witness: Witness | None, exit_code: int = 0) -> Offer:
    """An artifact the engine made itself."""
    return replace(offer(name), source="", witness=witness, exit_code=exit_code)


def good_facts(state: TaskState | None, findings: Mapping[str, Sequence[Finding]] | None = None) -> GateFacts:
    """Facts in which every artifact stands as it was recorded."""
    found = findings or {}
    evidence = state.evidence if state else {}
    return GateFacts(
        {
            name: EvidenceFact(item.digest, item.digest, item.digest, tuple(found.get(name, ())))
            for name, item in evidence.items()
        }
    )


def bindings_in(history: Sequence[Recorded]) -> dict[str, Binding]:
    """Where bytes were bound first, as the shell finds it."""
    found: dict[str, Binding] = {}
    for phase, attempt, event in history:
        if isinstance(event, EvidenceAdded):
            found.setdefault(event.digest, Binding(TASK, phase, attempt, event.name))
    return found


@dataclass(frozen=True)
class Decided:
    """A decision, and what it is held against."""

    state: TaskState | None
    decision: Decision

    def then(self, *kinds: type[Event]) -> tuple[Recorded, ...]:
        """The command is accepted with exactly events of these types; returns them."""
        assert isinstance(self.decision, Accepted), self.decision
        assert tuple(type(recorded.event) for recorded in self.decision.events) == kinds
        return self.decision.events

    def then_refused(self, kind: Kind) -> ViolationRecorded:
        """The command is refused with this violation, recorded where the task stands; returns it."""
        assert isinstance(self.decision, Refused), self.decision
        phase, attempt, event = self.decision.violation
        assert isinstance(event, ViolationRecorded)
        assert event.violation is kind
        assert event.message
        assert event.remedy
        assert self.state is not None
        assert (phase, attempt) == (self.state.phase, self.state.attempt)
        return event


@dataclass(frozen=True)
class Given:
    """A process and the history of one task under it."""

    process: Process
    history: tuple[Recorded, ...] = ()
    facts: Facts = field(default_factory=Facts)

    @property
    def state(self) -> TaskState | None:
        """The task after the history."""
        return fold(TASK, self.history)

    def having(self, *commands: Command) -> Given:
        """The history lengthened by commands that are accepted."""
        given = self
        for command in commands:
            decision = given.when(command).decision
            assert isinstance(decision, Accepted), decision
            given = Given(given.process, (*given.history, *decision.events))
        return given

    def with_facts(self, facts: Facts) -> Given:
        """The same history, seen with other facts than the good ones."""
        return Given(self.process, self.history, facts)

    def when(self, command: Command) -> Decided:
        """Decide one command; without facts of their own everything stands as it was recorded."""
        facts = self.facts
        if facts == Facts():
            facts = Facts(gate=good_facts(self.state), bindings=bindings_in(self.history))
        return Decided(self.state, decide(self.process, self.state, command, facts))


def given(process: Process, *commands: Command) -> Given:
    """A task opened under the process, then these commands, all accepted."""
    return Given(process).having(OpenTask("a title"), *commands)


def passing(name: str, content: str = "") -> tuple[Command, Command]:
    """Commands that leave one artifact and pass the gate."""
    return AddEvidence((offer(name, content),)), Advance()


def back(to: str) -> Backtrack:
    """A backtrack with a reason."""
    return Backtrack(to, "something was missed")
