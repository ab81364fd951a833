"""Commands: what an actor may ask for, as a closed union of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from phasegate.engine.core.events import (
    RunnerEvent,
    StepFinished,
    ToolCalled,
    ViolationRecorded,
    WitnessRecorded,
)
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxDelivered,
    OutboxFailed,
)
from phasegate.engine.core.tools import ToolRefusal
from phasegate.policies.model import Origin, Witness


@dataclass(frozen=True, slots=True)
class OpenTask:
    """Begin a task under the given process.

    Attributes:
        title: what it is about.
        depends_on: tasks that must be completed before.
        milestone: milestone of the process it belongs to; empty for none.
        risk: its risk class, one of the process; empty for the first of them.
        repository: where the repository lies, percent-encoded; empty for none.
        base_commit: commit the work starts from; empty for none.
    """

    title: str
    depends_on: tuple[str, ...] = ()
    milestone: str = ""
    risk: str = ""
    repository: str = ""
    base_commit: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """Bytes offered as evidence.

    Attributes:
        name: artifact name.
        digest: SHA-256 of the bytes, hex.
        size_bytes: their number.
        path: where the standing copy lies, relative to the home.
        source: file the bytes were read from; empty when the engine made them.
        witness: what the engine derived them from; None when an agent handed them in.
        exit_code: of the witnessed command.
    """

    name: str
    digest: str
    size_bytes: int
    path: str
    source: str = ""
    witness: Witness | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class AddEvidence:
    """Bind claimed artifacts to the current phase and attempt."""

    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class RecordWitness:
    """Record what the engine did itself, a command or a runner's step, and bind what came of it.

    `phase` and `attempt` are those the command was started for; when the task has moved on since, the
    result belongs to nothing and is refused.
    """

    phase: str
    attempt: int
    witnessed: WitnessRecorded | StepFinished | None
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Advance:
    """Leave the current phase forward, to `to` or to the only next phase."""

    to: str | None = None


@dataclass(frozen=True, slots=True)
class Backtrack:
    """Go back to an earlier phase and void everything from it on.

    Attributes:
        to: the phase; None for the earliest one affected by what has changed.
        reason: why.
    """

    to: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class RecordProgress:
    """Record what a phase runner did, for the phase it ran in."""

    phase: str
    attempt: int
    events: tuple[RunnerEvent, ...]


@dataclass(frozen=True, slots=True)
class AttestPrompt:
    """Compare the prompt in use with its baseline; see `PromptAttested` for the fields.

    Attributes:
        own_texts: whether the engine compiled it itself from texts that were shipped with it, for no persona
            or a shipped one; only such a prompt may found the baseline where drift is an error.
    """

    prompt: str
    header: str
    persona: str
    persona_digest: str
    origin: Origin
    via: Literal["compiler", "engine", "hook", "proxy", "agent"]
    own_texts: bool = False


@dataclass(frozen=True, slots=True)
class UpdateBaseline:
    """Replace the baseline of the current phase by an intended other prompt.

    Attributes:
        statement: digest of the signed approval; empty where none was given.
        by: whose key signed it; else the actor.
    """

    prompt: str
    header: str
    persona: str
    persona_digest: str
    reason: str
    by: str
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Decide:
    """A decision of a person about the task, its signature verified by the shell.

    Attributes:
        attempt: attempt of the phase the person saw.
        subjects: digests of what was signed, by name.
        statement: digest of the signed envelope.
        fault: why the key that signed may not decide so, with a remedy; None when it may.
    """

    decision: str
    role: str
    by: str
    key_id: str
    reason: str
    phase: str
    attempt: int
    subjects: Mapping[str, str]
    statement: str
    fault: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CheckLoop:
    """Look whether the task makes no progress."""


@dataclass(frozen=True, slots=True)
class NoteJournal:
    """Keep a reasoning summary for the current phase."""

    summary: str
    chars: int
    decisions: tuple[str, ...]
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Put a side effect into the outbox; one that is there already changes nothing."""

    effect: str
    destination: str
    body: str


@dataclass(frozen=True, slots=True)
class Requeue:
    """Put a side effect that was refused for good into the outbox again, under the key it had."""

    key: str
    effect: str
    destination: str
    body: str


@dataclass(frozen=True, slots=True)
class RecordDelivery:
    """Record what became of a try to deliver a side effect; of one that has its end already, nothing."""

    outcome: OutboxDelivered | OutboxDeferred | OutboxFailed


@dataclass(frozen=True, slots=True)
class CheckTool:
    """Whether a tool may be called, as `tools.route` answered on this very state.

    Attributes:
        refusal: why it is refused; None where nothing is recorded: it is allowed, or repeats a refusal.
        against_lease: whether a lease, or the want of one, was in the caller's way, whatever is refused.
    """

    refusal: ToolRefusal | None
    against_lease: bool = False


@dataclass(frozen=True, slots=True)
class RecordToolCall:
    """Record that a tool was called as it was allowed, or how often it was refused again."""

    event: ToolCalled | ViolationRecorded


StandingCommand = (
    AddEvidence
    | RecordWitness
    | Advance
    | Backtrack
    | RecordProgress
    | AttestPrompt
    | UpdateBaseline
    | Decide
    | CheckLoop
    | NoteJournal
    | Enqueue
    | Requeue
    | RecordDelivery
    | CheckTool
    | RecordToolCall
)
"""Commands for a task that was opened."""

Command = OpenTask | StandingCommand

COMMAND_NAMES: dict[type, str] = {
    OpenTask: "open",
    AddEvidence: "evidence add",
    RecordWitness: "witness",
    Advance: "advance",
    Backtrack: "backtrack",
    RecordProgress: "run",
    AttestPrompt: "attest check",
    UpdateBaseline: "attest update",
    Decide: "decide",
    CheckLoop: "loop check",
    NoteJournal: "journal add",
    Enqueue: "outbox add",
    Requeue: "outbox retry",
    RecordDelivery: "outbox deliver",
    CheckTool: "tool check",
    RecordToolCall: "tool called",
}
