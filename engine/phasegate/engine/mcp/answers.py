"""What tools answer with: the shapes of their structured content."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.paths import decode_path
from phasegate.engine.app.results import GateReport, Result, Witnessed
from phasegate.engine.core.state import Status, TaskState, is_current
from phasegate.engine.mcp.refusals import finding_json
from phasegate.ledger.entry import Entry
from phasegate.ledger.leases import Lease


class Missing(BaseModel):
    """One thing that keeps a gate shut, or that is only told (severity `warning`)."""

    code: str
    artifact: str
    place: str
    message: str
    remedy: str
    severity: str


class Standing(BaseModel):
    """Where a task stands."""

    task: str
    title: str
    process: str
    phase: str
    attempt: int
    status: str = Field(description="open, paused, completed or aborted.")
    paused: str = Field("", description="Why it is paused.")
    completed: list[str] = Field(description="Phases whose gate was passed.")
    leads_to: list[str] = Field(description="Where the current phase may lead; empty at the last.")
    evidence: dict[str, bool] = Field(
        description="Artifacts of the current phase: whether each is in and counts."
    )
    violations: dict[str, int] = Field(description="Refused commands by kind.")
    repository: str = ""
    base_commit: str = ""


class Tasks(BaseModel):
    """All tasks, or the one that was asked for."""

    tasks: list[Standing]


class Done(BaseModel):
    """A command that took effect."""

    task: str
    phase: str = Field(description="The phase the task is in now.")
    attempt: int
    status: str
    entries: list[int] = Field(description="Numbers of the ledger's entries that record it.")
    next: str = Field(description="What to do now.")


class Gate(BaseModel):
    """What the gate of the current phase says now; nothing was recorded."""

    task: str
    phase: str
    attempt: int
    open: bool
    leads_to: list[str]
    findings: list[Missing]


class Seen(BaseModel):
    """A command that the engine ran."""

    passed: bool
    exit_code: int
    duration_ms: int
    problems: list[str] = Field(description="Why a report does not count as evidence.")
    notes: list[str]
    done: Done


class PromptText(BaseModel):
    """The prompt of the current phase; working under it is attested."""

    task: str
    phase: str
    digest: str
    text: str


class Held(BaseModel):
    """A lease."""

    task: str
    phase: str
    epoch: int = Field(description="Give this as `lease` with every call that changes the task.")
    holder: str
    expires_ms: int


class Asked(BaseModel):
    """A question that was recorded; a person answers it with their key."""

    entry: int
    waiting_for: list[Missing] = Field(description="Approvals that the gate still misses.")
    next: str


class Logged(BaseModel):
    """An entry of the ledger."""

    seq: int
    at: str
    type: str
    actor: str
    phase: str
    attempt: int
    hash: str
    payload: dict[str, Any]


class History(BaseModel):
    """Entries of a task, oldest first."""

    task: str
    entries: list[Logged]
    more_since: int | None = Field(description="Ask again with this as `since`; null at the end.")


class Callable(BaseModel):
    """Tools that pass now."""

    task: str
    phase: str
    tools: dict[str, str] = Field(description="Name, or `NAME*`, by the rule that lets it pass.")


def standing(engine: Engine, state: TaskState) -> Standing:
    """Where a task stands, told."""
    process = engine.process(state.process_digest)
    rules = process.evidence_rules[state.phase]
    found = state.evidence
    return Standing(
        task=state.task,
        title=state.title,
        process=state.process,
        phase=state.phase,
        attempt=state.attempt,
        status=state.outcome or str(state.status),
        paused=state.paused,
        completed=list(state.completed),
        leads_to=list(process.next_phases(state.phase)) if state.status is Status.OPEN else [],
        evidence={name: name in found and is_current(state, found[name]) for name in rules},
        violations={str(kind): count for kind, count in state.violations.items()},
        repository=str(decode_path(state.repository)) if state.repository else "",
        base_commit=state.base_commit,
    )


def done(result: Result, advice: str) -> Done:
    """A command that took effect, told."""
    state = result.state
    return Done(
        task=state.task,
        phase=state.phase,
        attempt=state.attempt,
        status=state.outcome or str(state.status),
        entries=[entry.seq for entry in result.entries],
        next=advice,
    )


def gate(report: GateReport) -> Gate:
    """A gate, told."""
    return Gate(
        task=report.task,
        phase=report.phase,
        attempt=report.attempt,
        open=report.open,
        leads_to=list(report.leads_to),
        findings=[Missing(**finding_json(finding)) for finding in report.findings],
    )


def seen(witnessed: Witnessed) -> Seen:
    """A witnessed command, told."""
    event = witnessed.event
    advice = (
        "`gate` tells what is still missing" if witnessed.passed else "mend what failed, and witness again"
    )
    return Seen(
        passed=witnessed.passed,
        exit_code=event.exit_code if event else -1,
        duration_ms=event.duration_ms if event else 0,
        problems=list(witnessed.problems),
        notes=list(witnessed.notes),
        done=done(witnessed.result, advice),
    )


def held(lease: Lease) -> Held:
    """A lease, told."""
    return Held(
        task=lease.task,
        phase=lease.phase,
        epoch=lease.epoch,
        holder=lease.holder,
        expires_ms=lease.expires_ms,
    )


def logged(entry: Entry) -> Logged:
    """An entry, told."""
    return Logged(
        seq=entry.seq,
        at=entry.at,
        type=entry.type,
        actor=entry.actor,
        phase=entry.phase,
        attempt=entry.attempt,
        hash=entry.hash,
        payload=dict(entry.payload),
    )
