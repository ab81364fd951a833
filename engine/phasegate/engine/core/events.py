"""Events: everything that can have happened, as a closed union of typed payloads.

An event's `kind` is the entry's `type`. Payload models are strict and hold no float, so an entry made from
one can always be written canonically; decimals are strings. Phase and attempt stand in the entry itself.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError
from pydantic_core import to_jsonable_python

from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.event_fields import FINDINGS_IN_ENTRY_MAX as FINDINGS_IN_ENTRY_MAX  # noqa: PLC0414
from phasegate.engine.core.event_fields import (
    Count,
    EventPayload,
    Hex,
    Number,
    OptionalHex,
    Short,
    Text,
)
from phasegate.engine.core.hook_events import HookSpooled as HookSpooled  # noqa: PLC0414
from phasegate.engine.core.ledger_events import ChildCheckpointed as ChildCheckpointed  # noqa: PLC0414
from phasegate.engine.core.ledger_events import KeyRotated as KeyRotated  # noqa: PLC0414 - named with the others
from phasegate.engine.core.ledger_events import LedgerCheckpointed as LedgerCheckpointed  # noqa: PLC0414
from phasegate.engine.core.ledger_events import LedgerRepaired as LedgerRepaired  # noqa: PLC0414
from phasegate.engine.core.ledger_events import ObjectRedacted as ObjectRedacted  # noqa: PLC0414
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxDelivered,
    OutboxEnqueued,
    OutboxFailed,
    OutboxWithdrawn,
)
from phasegate.engine.core.run_events import RunEnded as RunEnded  # noqa: PLC0414
from phasegate.engine.core.run_events import SampleExecuted as SampleExecuted  # noqa: PLC0414
from phasegate.engine.core.run_events import SampleGenerated as SampleGenerated  # noqa: PLC0414
from phasegate.engine.core.run_events import StepFinished as StepFinished  # noqa: PLC0414
from phasegate.engine.core.run_events import StepStarted as StepStarted  # noqa: PLC0414
from phasegate.engine.core.token_events import TokenCreated, TokenRevoked
from phasegate.engine.core.tool_events import ToolCalled as ToolCalled  # noqa: PLC0414
from phasegate.engine.core.violations import Kind as Kind  # noqa: PLC0414 - named with the events it stands in
from phasegate.policies.model import EVIDENCE_PER_PHASE_MAX, Attention, FlagMode, Origin

ARGV_ITEMS_MAX = 64

_LaxTuple = Field(strict=False)


class EvidenceRef(EventPayload):
    """One piece of evidence as a transition names it."""

    name: Short
    digest: Hex
    origin: Annotated[Origin, Field(strict=False)]
    path: Text


class FindingRef(EventPayload):
    """One finding as an entry names it; the whole list lies in the object store."""

    code: Short
    artifact: Short
    place: Short
    remedy: Short
    severity: Short = "error"


class TaskOpened(EventPayload):
    """A task began under a definition that is pinned by digest."""

    kind = "task.opened"
    process: Short
    process_version: Count
    process_digest: Hex
    title: Short
    depends_on: Annotated[tuple[Short, ...], Field(strict=False, max_length=64)] = ()
    milestone: Short = ""
    risk: Short = ""
    repository: Text = ""
    base_commit: Short = ""
    at: Short = ""


class EvidenceAdded(EventPayload):
    """An artifact was bound to the task's current phase and attempt."""

    kind = "evidence.added"
    name: Short
    digest: Hex
    size_bytes: Count
    origin: Annotated[Origin, Field(strict=False)]
    path: Text
    source: Text
    exit_code: Number | None = None
    by: Short = ""
    at: Short = ""


class WitnessRecorded(EventPayload):
    """The engine ran a command itself and kept what it saw.

    Attributes:
        git_tree_before: tree of the working directory before it ran, uncommitted changes included.
        dropped: names of environment variables it was not given.
        problems: why a report does not count as evidence.
        statement: SHA-256 of the signed envelope that says the same.
    """

    kind = "witness.recorded"
    argv: Annotated[tuple[Text, ...], Field(strict=False, max_length=ARGV_ITEMS_MAX)]
    argv_digest: Hex
    cwd: Text
    exit_code: Number
    started_at: Short
    duration_ms: Count
    stdout_digest: Hex
    stderr_digest: Hex
    stdout_bytes: Count
    stderr_bytes: Count
    environment_digest: Hex
    git_commit: Short
    git_dirty: bool
    reports: Annotated[dict[str, Hex], Field(max_length=8)]
    git_tree_before: Short = ""
    git_tree_after: Short = ""
    git_dirty_after: bool = False
    cpu_user_ms: Count = 0
    cpu_system_ms: Count = 0
    max_rss_kib: Count = 0
    hermetic: bool = False
    dropped: Annotated[tuple[Short, ...], Field(strict=False, max_length=32)] = ()
    problems: Annotated[tuple[Short, ...], Field(strict=False, max_length=FINDINGS_IN_ENTRY_MAX)] = ()
    statement: OptionalHex = ""


class GatePassed(EventPayload):
    """Every condition of leaving a phase held, over exactly this evidence."""

    kind = "gate.passed"
    evidence: Annotated[tuple[EvidenceRef, ...], _LaxTuple]
    checks: Annotated[tuple[Short, ...], _LaxTuple]
    warnings: Annotated[tuple[FindingRef, ...], Field(strict=False, max_length=FINDINGS_IN_ENTRY_MAX)]
    statement: OptionalHex = ""
    flags: Annotated[dict[Short, Short], Field(max_length=64)] = Field(default_factory=dict)
    broken_glass: OptionalHex = ""
    commit: Short = ""


class PhaseCompleted(EventPayload):
    """A phase was left forward; `next` is empty when it was the last."""

    kind = "phase.completed"
    next: Short


class PhaseEntered(EventPayload):
    """A phase was entered forward."""

    kind = "phase.entered"
    previous: Short
    at: Short = ""


class PhaseBacktracked(EventPayload):
    """The task went back; the attempts of `voided` phases count no more."""

    kind = "phase.backtracked"
    source: Short
    target: Short
    reason: Text
    voided: Annotated[tuple[Short, ...], _LaxTuple]
    at: Short = ""


class TaskCompleted(EventPayload):
    """The last gate was passed."""

    kind = "task.completed"
    phases: Count


class ViolationRecorded(EventPayload):
    """A command was refused.

    Attributes:
        repeats: how many refusals it stands for, which repeat an earlier entry; 0 for one that is new.
        fold: names the count of repeats, which has no other entry.
        first_at, last_at: times of the first and the last of the repeats.
    """

    kind = "violation.recorded"
    violation: Annotated[Kind, Field(strict=False)]
    command: Short
    message: Text
    remedy: Text
    target: Short = ""
    finding_count: Count = 0
    findings: Annotated[tuple[FindingRef, ...], Field(strict=False, max_length=FINDINGS_IN_ENTRY_MAX)] = ()
    findings_digest: OptionalHex = ""
    at: Short = ""
    repeats: Count = 0
    fold: Short = ""
    first_at: Short = ""
    last_at: Short = ""

    @property
    def weight(self) -> int:
        """How many refusals it stands for."""
        return self.repeats or 1


class PromptAttested(EventPayload):
    """A prompt in use was compared with its baseline.

    Attributes:
        prompt: SHA-256 of the canonical prompt.
        header: SHA-256 of its header.
        origin: `witnessed` when engine, hook or proxy captured it, `claimed` when an agent reported it.
        via: who captured it.
        status: `baseline` (it became the baseline), `match`, `drift`, or `no_baseline`.
        version: version of the baseline it was compared with; 0 for none.
    """

    kind = "prompt.attested"
    prompt: Hex
    header: Hex
    persona: Short
    persona_digest: OptionalHex
    origin: Annotated[Origin, Field(strict=False)]
    via: Literal["compiler", "engine", "hook", "proxy", "agent"]
    status: Literal["baseline", "match", "drift", "no_baseline"]
    version: Count
    severity: Annotated[Attention, Field(strict=False)]


class PromptBaselined(EventPayload):
    """The prompt that a phase is to be worked under was set, or replaced by an intended other.

    Attributes:
        statement: SHA-256 of the envelope a person signed; empty without.
        own_texts: whether the engine compiled it from shipped texts alone.
    """

    kind = "prompt.baselined"
    version: Count
    prompt: Hex
    header: Hex
    persona: Short
    persona_digest: OptionalHex
    reason: Text
    by: Short
    statement: OptionalHex = ""
    own_texts: bool = False


class ApprovalRecorded(EventPayload):
    """A person decided on the current phase, and signed it.

    Attributes:
        decision: see `statements.approval.Decision`.
        by: name of the key that signed.
        subjects: digests of what was signed, by name.
        statement: SHA-256 of the signed envelope.
    """

    kind = "approval.recorded"
    decision: Short
    role: Short
    by: Short
    key_id: Short
    reason: Text
    subjects: Annotated[dict[Short, Hex], Field(max_length=EVIDENCE_PER_PHASE_MAX)]
    statement: Hex


class TaskPaused(EventPayload):
    """Nothing happens to the task until a person resumes it."""

    kind = "task.paused"
    reason: Text
    by: Short
    escalated: bool
    at: Short


class TaskResumed(EventPayload):
    """A person let a paused task go on; what counted towards a loop counts anew."""

    kind = "task.resumed"
    reason: Text
    by: Short
    at: Short


class TaskAborted(EventPayload):
    """A person ended the task without completing it."""

    kind = "task.aborted"
    reason: Text
    by: Short
    at: Short


class LoopDetected(EventPayload):
    """The task goes round in circles; `diary` is the digest of what was written about it."""

    kind = "loop.detected"
    cause: Literal["same_kind", "no_progress", "rate"]
    detail: Text
    diary: OptionalHex = ""
    at: Short


class JournalNoted(EventPayload):
    """Why something was done as it was: the reasoning summary lies in the object store."""

    kind = "journal.noted"
    summary: Hex
    chars: Count
    decisions: Annotated[tuple[Text, ...], Field(strict=False, max_length=16)]
    links: Annotated[tuple[Text, ...], Field(strict=False, max_length=16)]


class FlagSet(EventPayload):
    """The mode of a policy gate was changed by a person."""

    kind = "flag.set"
    flag: Short
    mode: Annotated[FlagMode, Field(strict=False)]
    reason: Text
    by: Short
    statement: Hex


class MilestoneApproved(EventPayload):
    """A supervisor signed a milestone off."""

    kind = "milestone.approved"
    milestone: Short
    process: Short
    reason: Text
    by: Short
    statement: Hex


class KeyRegistered(EventPayload):
    """A public key may from now on sign in a role.

    Attributes:
        vkey: the verifier key, so that whoever has the ledger can check what it signed.
        by: key name of the operator who signed the registration; else the actor, while there was no operator.
        statement: SHA-256 of the signed registration; empty while there was no operator.
    """

    kind = "key.registered"
    name: Short
    key_id: Short
    vkey: Text
    role: Short
    by: Short
    statement: OptionalHex


class BaselineRecorded(EventPayload):
    """Normal ranges of the metrics were recorded from a window of the ledger."""

    kind = "baseline.recorded"
    name: Short
    window_from: Short
    window_to: Short
    figures: Hex
    stable: bool
    reasons: Annotated[tuple[Text, ...], Field(strict=False, max_length=FINDINGS_IN_ENTRY_MAX)]


LedgerEvent = (
    FlagSet
    | MilestoneApproved
    | BaselineRecorded
    | KeyRegistered
    | KeyRotated
    | LedgerCheckpointed
    | LedgerRepaired
    | ObjectRedacted
    | ChildCheckpointed
    | TokenCreated
    | TokenRevoked
    | HookSpooled
)
"""Events of the ledger itself, which belong to no task."""
Event = (
    TaskOpened
    | EvidenceAdded
    | WitnessRecorded
    | GatePassed
    | PhaseCompleted
    | PhaseEntered
    | PhaseBacktracked
    | TaskCompleted
    | ViolationRecorded
    | StepStarted
    | StepFinished
    | SampleGenerated
    | SampleExecuted
    | RunEnded
    | PromptAttested
    | PromptBaselined
    | ApprovalRecorded
    | TaskPaused
    | TaskResumed
    | TaskAborted
    | LoopDetected
    | JournalNoted
    | ToolCalled
    | OutboxEnqueued
    | OutboxDelivered
    | OutboxDeferred
    | OutboxFailed
    | OutboxWithdrawn
    | LedgerEvent
)
RunnerEvent = StepStarted | StepFinished | SampleGenerated | SampleExecuted | RunEnded

EVENT_TYPES: dict[str, type[Event]] = {cls.kind: cls for cls in Event.__args__}


class Recorded(NamedTuple):
    """An event with the phase and attempt it belongs to."""

    phase: str
    attempt: int
    event: Event


def payload(event: Event) -> dict[str, Any]:
    """The event as the JSON payload of an entry."""
    body: dict[str, Any] = to_jsonable_python(event)
    return body


def parse_event(kind: str, body: Any) -> Event:
    """Rebuild an event from an entry.

    Raises:
        IntegrityError: an unknown type, or a payload that does not fit it.
    """
    if kind not in EVENT_TYPES:
        raise IntegrityError(
            f"entry type `{kind[:80]}` is unknown", "read this ledger with the version that wrote it"
        )
    try:
        return EVENT_TYPES[kind].model_validate(body)
    except ValidationError as error:
        raise IntegrityError(f"payload of `{kind}` does not fit: {error.errors()[0]['msg']}") from error
