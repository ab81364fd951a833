"""What the API gives, as typed models. Names are those of the ledger."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field

from phasegate.engine.app.access.tokens import Grant
from phasegate.engine.app.paths import decode_path
from phasegate.engine.app.results import GateReport, Result
from phasegate.engine.core.state import Evidence, Status, TaskState, is_current
from phasegate.ledger.entry import Entry
from phasegate.ledger.leases import Lease
from phasegate.policies.model import Process
from phasegate.validators.interface import Finding


class FindingModel(BaseModel):
    """A finding of a gate: what is wrong, where, and what to do."""

    code: str
    severity: str
    artifact: str
    place: str
    message: str
    remedy: str

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """The finding as the API gives it."""
        return cls(
            code=finding.code,
            severity=str(finding.severity),
            artifact=finding.artifact,
            place=finding.place,
            message=finding.message,
            remedy=finding.remedy,
        )


class EntryModel(BaseModel):
    """An entry of the ledger, with its hash."""

    v: int
    seq: int
    prev: str
    at: str
    ledger: str
    task: str
    phase: str
    attempt: int
    type: str
    actor: str
    trace: str
    payload: dict[str, Any]
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """The entry as the API gives it."""
        return cls.model_construct(**{name: getattr(entry, name) for name in cls.model_fields})


class Entries(BaseModel):
    """Entries, oldest first; `next` is the `since` to go on with, null at the end."""

    entries: list[EntryModel]
    next: int | None


class EvidenceModel(BaseModel):
    """A piece of evidence; `counts` tells whether it is of the current attempt."""

    name: str
    phase: str
    attempt: int
    origin: str
    digest: str
    size_bytes: int
    path: str
    by: str
    counts: bool

    @classmethod
    def of(cls, state: TaskState, item: Evidence) -> Self:
        """The evidence as the API gives it."""
        names = cls.model_fields.keys() - {"counts"}
        return cls(**{name: getattr(item, name) for name in names}, counts=is_current(state, item))


class EvidenceList(BaseModel):
    """The evidence of a task."""

    evidence: list[EvidenceModel]


class TaskModel(BaseModel):
    """Where a task stands. `version` is also its ETag, for `If-Match`."""

    task: str
    version: int
    title: str
    process: str
    process_digest: str
    status: str
    phase: str
    attempt: int
    attempts: dict[str, int]
    phases: list[str]
    leads_to: list[str]
    completed: list[str]
    violations: dict[str, int]
    risk: str
    milestone: str
    depends_on: list[str]
    repository: str
    base_commit: str
    paused: str
    escalated: bool
    outcome: str

    @classmethod
    def of(cls, version: int, state: TaskState, process: Process) -> Self:
        """The task as the API gives it."""
        return cls(
            task=state.task,
            version=version,
            title=state.title,
            process=state.process,
            process_digest=state.process_digest,
            status=str(state.status),
            phase=state.phase,
            attempt=state.attempt,
            attempts=dict(state.attempts),
            phases=list(process.order),
            leads_to=list(process.next_phases(state.phase)) if state.status is Status.OPEN else [],
            completed=list(state.completed),
            violations=dict(state.violations),
            risk=state.risk,
            milestone=state.milestone,
            depends_on=list(state.depends_on),
            repository=str(decode_path(state.repository)) if state.repository else "",
            base_commit=state.base_commit,
            paused=state.paused,
            escalated=state.escalated,
            outcome=state.outcome,
        )


class Tasks(BaseModel):
    """Tasks by id; `next` is the `after` to go on with, null at the end."""

    tasks: list[TaskModel]
    next: str | None


class WrittenEntry(BaseModel):
    """An entry that a command wrote."""

    seq: int
    type: str
    hash: str


class Done(BaseModel):
    """A command that took effect. One that was refused is a problem with status 409."""

    task: str
    phase: str
    attempt: int
    status: str
    entries: list[WrittenEntry]

    @classmethod
    def of(cls, result: Result) -> Self:
        """The outcome as the API gives it."""
        state = result.state
        return cls(
            task=state.task,
            phase=state.phase,
            attempt=state.attempt,
            status=str(state.status),
            entries=[WrittenEntry(seq=item.seq, type=item.type, hash=item.hash) for item in result.entries],
        )


class GateModel(BaseModel):
    """What the current gate says, without passing it."""

    task: str
    phase: str
    attempt: int
    open: bool
    leads_to: list[str]
    findings: list[FindingModel]

    @classmethod
    def of(cls, report: GateReport) -> Self:
        """The report as the API gives it."""
        return cls(
            task=report.task,
            phase=report.phase,
            attempt=report.attempt,
            open=report.open,
            leads_to=list(report.leads_to),
            findings=[FindingModel.of(finding) for finding in report.findings],
        )


class LeaseModel(BaseModel):
    """A lease; `epoch` goes into the header `Phasegate-Lease` of what is done under it."""

    task: str
    phase: str
    epoch: int
    holder: str
    expires_ms: int
    held: bool
    taken_from: str | None

    @classmethod
    def of(cls, lease: Lease, *, held: bool) -> Self:
        """The lease as the API gives it."""
        names = cls.model_fields.keys() - {"held"}
        return cls(**{name: getattr(lease, name) for name in names}, held=held)


class Leases(BaseModel):
    """The latest lease of each task and phase."""

    leases: list[LeaseModel]


class GrantModel(BaseModel):
    """A token, without its text."""

    id: str
    actor: str
    role: str
    status: str
    created: str
    expires: str | None
    by: str

    @classmethod
    def of(cls, grant: Grant, now: str) -> Self:
        """The grant as the API gives it."""
        return cls(
            id=grant.id,
            actor=grant.actor,
            role=str(grant.role),
            status=grant.status(now),
            created=grant.created,
            expires=grant.expires or None,
            by=grant.by,
        )


class Grants(BaseModel):
    """The tokens of the ledger."""

    tokens: list[GrantModel]


class StatusModel(BaseModel):
    """The ledger, and what the server can promise about it."""

    ledger: str
    entries: int
    head: str
    trust: str
    trust_reasons: list[str]
    processes: list[str]
    version: str


class Health(BaseModel):
    """Whether the server lives, or can serve."""

    status: str


class PromptModel(BaseModel):
    """A prompt of a phase; `version` is that of its baseline, 0 for none."""

    phase: str
    version: int
    prompt: str
    header: str
    text: str


class Attested(BaseModel):
    """What came of comparing a prompt with its baseline."""

    phase: str
    status: str
    version: int
    severity: str
    digest: str


class Compiled(BaseModel):
    """A prompt that was handed out, and the record of it."""

    text: str
    attested: Attested


class WitnessAnswer(BaseModel):
    """A witnessed command; `passed` when it ended with 0 and every report counted."""

    done: Done
    passed: bool
    exit_code: int
    duration_ms: int
    problems: list[str]
    notes: list[str]


class ToSign(BaseModel):
    """A statement to sign: DSSE over `payload`, of type `payload_type`, with one's own key."""

    payload_type: str
    payload: str = Field(description="base64")


class Enqueued(BaseModel):
    """A side effect that waits in the outbox."""

    key: str
    done: Done


class Effect(BaseModel):
    """A side effect and what has become of it."""

    key: str
    task: str
    effect: str
    destination: str
    delivery: str
    attempts: int
    held: str


class Effects(BaseModel):
    """Side effects."""

    effects: list[Effect]


class Flag(BaseModel):
    """The mode of a policy gate that was changed."""

    flag: str
    mode: str
    by: str
    reason: str


class FlagList(BaseModel):
    """Every flag that was ever set."""

    flags: list[Flag]


class Key(BaseModel):
    """A public key and its roles."""

    name: str
    key_id: str
    vkey: str
    roles: list[str]


class KeyList(BaseModel):
    """The registered keys, and the engine's."""

    keys: list[Key]


class CheckpointModel(BaseModel):
    """The ledger's size and root, signed: a C2SP signed note."""

    size: int
    root: str
    note: str


class Verdict(BaseModel):
    """What re-reading the whole ledger found."""

    ok: bool
    size: int
    head: str
    root: str
    problem: str
    trust: str


class Document(BaseModel):
    """Plain data, as the command line gives it with `--json`."""

    document: dict[str, Any]


class Documents(BaseModel):
    """Several of them."""

    documents: list[dict[str, Any]]
