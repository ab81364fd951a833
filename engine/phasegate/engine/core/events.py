"""Events: everything that can have happened, as a closed union of typed payloads.

An event's `kind` is the entry's `type`. Payload models are strict and hold no float, so an entry made from
one can always be written canonically; decimals are strings. Phase and attempt stand in the entry itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from phasegate.engine.core.errors import IntegrityError
from phasegate.policies.model import Origin

FINDINGS_IN_ENTRY_MAX = 20
ARGV_ITEMS_MAX = 64

Short = Annotated[str, StringConstraints(max_length=300)]
Text = Annotated[str, StringConstraints(max_length=2_000)]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
OptionalHex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[int, Field(gt=-(2**53), lt=2**53)]
FigureName = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,128}$")]
_LaxTuple = Field(strict=False)


class Kind(StrEnum):
    """Kinds of violation: what was wrong with a refused command."""

    OUT_OF_SEQUENCE = "out_of_sequence"
    UNKNOWN_PHASE = "unknown_phase"
    ILLEGAL_BACKTRACK = "illegal_backtrack"
    GATE_FAILED = "gate_failed"
    STALE_EVIDENCE = "stale_evidence"
    FOREIGN_EVIDENCE = "foreign_evidence"
    UNEXPECTED_EVIDENCE = "unexpected_evidence"
    NOT_WITNESSED = "not_witnessed"
    NOT_CURRENT_PHASE = "not_current_phase"
    TASK_EXISTS = "task_exists"
    TASK_FINISHED = "task_finished"


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: ClassVar[str]


class EvidenceRef(_Event):
    """One piece of evidence as a transition names it."""

    name: Short
    digest: Hex
    origin: Annotated[Origin, Field(strict=False)]
    path: Text


class FindingRef(_Event):
    """One finding as an entry names it; the whole list lies in the object store."""

    code: Short
    artifact: Short
    place: Short
    remedy: Short


class TaskOpened(_Event):
    """A task began under a definition that is pinned by digest."""

    kind = "task.opened"
    process: Short
    process_version: Count
    process_digest: Hex
    title: Short


class EvidenceAdded(_Event):
    """An artifact was bound to the task's current phase and attempt."""

    kind = "evidence.added"
    name: Short
    digest: Hex
    size_bytes: Count
    origin: Annotated[Origin, Field(strict=False)]
    path: Text
    source: Text
    exit_code: Number | None = None


class WitnessRecorded(_Event):
    """The engine ran a command itself and kept what it saw."""

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


class GatePassed(_Event):
    """Every condition of leaving a phase held, over exactly this evidence."""

    kind = "gate.passed"
    evidence: Annotated[tuple[EvidenceRef, ...], _LaxTuple]
    checks: Annotated[tuple[Short, ...], _LaxTuple]
    warnings: Annotated[tuple[FindingRef, ...], Field(strict=False, max_length=FINDINGS_IN_ENTRY_MAX)]
    statement: OptionalHex = ""


class PhaseCompleted(_Event):
    """A phase was left forward; `next` is empty when it was the last."""

    kind = "phase.completed"
    next: Short


class PhaseEntered(_Event):
    """A phase was entered forward."""

    kind = "phase.entered"
    previous: Short


class PhaseBacktracked(_Event):
    """The task went back; the attempts of `voided` phases count no more."""

    kind = "phase.backtracked"
    source: Short
    target: Short
    reason: Text
    voided: Annotated[tuple[Short, ...], _LaxTuple]


class TaskCompleted(_Event):
    """The last gate was passed."""

    kind = "task.completed"
    phases: Count


class ViolationRecorded(_Event):
    """A command was refused."""

    kind = "violation.recorded"
    violation: Annotated[Kind, Field(strict=False)]
    command: Short
    message: Text
    remedy: Text
    target: Short = ""
    finding_count: Count = 0
    findings: Annotated[tuple[FindingRef, ...], Field(strict=False, max_length=FINDINGS_IN_ENTRY_MAX)] = ()
    findings_digest: OptionalHex = ""


class StepStarted(_Event):
    """A phase runner began a step."""

    kind = "step.started"
    step: Short
    total: Count


class StepFinished(_Event):
    """A phase runner finished a step; `figures` are its results as decimal strings or counts."""

    kind = "step.finished"
    step: Short
    duration_ms: Count
    figures: Annotated[dict[FigureName, Number | Text | bool | None], Field(max_length=64)]


class SampleGenerated(_Event):
    """A model answered one problem once."""

    kind = "sample.generated"
    problem: Short
    sample: Count
    completion: Hex
    synthetic: bool


class SampleExecuted(_Event):
    """One completion ran in the sandbox."""

    kind = "sample.executed"
    problem: Short
    sample: Count
    completion: Hex
    verdict: Short
    detail: Short
    wall_ms: Count
    cpu_ms: Count
    rss_kib: Count


class RunEnded(_Event):
    """A run came to its end: accepted in its last phase, or held with reasons."""

    kind = "run.ended"
    outcome: Short
    success_level: Short
    reasons: Annotated[tuple[Text, ...], Field(strict=False, max_length=FINDINGS_IN_ENTRY_MAX)]
    report: OptionalHex


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
    return event.model_dump(mode="json")


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
