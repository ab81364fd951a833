"""Committed entries to spans. Pure: the same entries give the same spans, ids included.

    task.opened, phase.completed, phase.backtracked,
    task.paused, task.resumed, task.aborted           agent.state.transition
    violation.recorded                                process.violation
    gate.passed, witness.recorded, prompt.attested    agent.verify
    step.finished                                     runner.step

The span that decides (transition or violation, else the first) carries the command's own span id; the
others are its children, with ids derived from their entries' hashes; all other entries of the command are
its events. Every span and event names its entry by ledger, sequence number and hash, and its artifacts by
name, digest and path; so one gets from entry to span to artifact and back. Entries of one command lie
together, because they are committed together; a command that decides nothing (evidence added, a sample
executed) leaves no span.

Ids: an entry's `trace` is "<32 hex trace id>-<16 hex span id>", one trace per task and one span per
command. Where it is empty or malformed, both are derived from ledger and task, and from the entry's hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TypeAlias

from phasegate.telemetry import names
from phasegate.telemetry.entry_like import EntryLike, count, objects, text, time_ns, violation_kind
from phasegate.telemetry.names import EntryType, SpanName

Value: TypeAlias = str | int | bool | tuple[str, ...]
Attributes: TypeAlias = Mapping[str, Value]

_TRACE = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16
_NS_PER_MS = 1_000_000

_SPAN_OF = {
    EntryType.TASK_OPENED: SpanName.TRANSITION,
    EntryType.PHASE_COMPLETED: SpanName.TRANSITION,
    EntryType.PHASE_BACKTRACKED: SpanName.TRANSITION,
    EntryType.TASK_PAUSED: SpanName.TRANSITION,
    EntryType.TASK_RESUMED: SpanName.TRANSITION,
    EntryType.TASK_ABORTED: SpanName.TRANSITION,
    EntryType.VIOLATION_RECORDED: SpanName.VIOLATION,
    EntryType.GATE_PASSED: SpanName.VERIFY,
    EntryType.PROMPT_ATTESTED: SpanName.VERIFY,
    EntryType.WITNESS_RECORDED: SpanName.VERIFY,
    EntryType.STEP_FINISHED: SpanName.STEP,
}
_PROVENANCE = {
    names.PROMPT_HASH: "prompt",
    names.PROMPT_HEADER_HASH: "header",
    names.PERSONA: "persona",
    names.PERSONA_HASH: "persona_digest",
    names.LEASE_EPOCH: "lease",
}
_DECISIVE = frozenset({SpanName.TRANSITION, SpanName.VIOLATION})


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened within a span: name, time in ns since 1970, attributes."""

    name: str
    at_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """A span, ready for any exporter.

    Attributes:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_id: span id of the parent, None for a span without one.
        name: one of `names.SpanName`.
        start_ns: in nanoseconds since 1970.
        end_ns: likewise, not before the start.
        attributes: see `names`.
        events: in order of time.
        is_error: whether its status is an error.
        message: why, for an error.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: SpanName
    start_ns: int
    end_ns: int
    attributes: Attributes
    events: tuple[SpanEvent, ...] = field(default=())
    is_error: bool = False
    message: str = ""


def commands_of(entries: Iterable[EntryLike]) -> Iterator[tuple[EntryLike, ...]]:
    """Split entries, given in order, into those of one command each."""
    for _, group in groupby(entries, key=lambda entry: (entry.task, entry.trace or entry.hash)):
        yield tuple(group)


def spans_of(command: tuple[EntryLike, ...]) -> tuple[Span, ...]:
    """Return the spans of one command's entries, the one that decided first."""
    made = [(entry, _span(entry)) for entry in command if entry.type in _SPAN_OF]
    if not made:
        return ()
    decisive = (index for index, (_, span) in enumerate(made) if span.name in _DECISIVE)
    _, head = made.pop(next(decisive, 0))
    children = [
        replace(span, span_id=_derived_span_id(entry), parent_id=head.span_id) for entry, span in made
    ]
    events = tuple(_event(entry) for entry in command if entry.type not in _SPAN_OF)
    return (_enclosing(replace(head, events=events), children), *children)


def ids_of(entry: EntryLike) -> tuple[str, str]:
    """Return trace and span id of an entry's command, derived where the entry carries none."""
    match = _TRACE.fullmatch(entry.trace)
    if match and match[1] != _NO_TRACE and match[2] != _NO_SPAN:
        return match[1], match[2]
    trace = hashlib.sha256(f"{entry.ledger}\n{entry.task}".encode()).hexdigest()[:32]
    return trace, _derived_span_id(entry)


def _derived_span_id(entry: EntryLike) -> str:
    return hashlib.sha256(f"span\0{entry.ledger}\0{entry.hash}".encode()).hexdigest()[:16]


def _enclosing(head: Span, children: list[Span]) -> Span:
    """Let a parent begin no later than its children, such as a witness that ran for a minute."""
    return replace(head, start_ns=min([head.start_ns, *(child.start_ns for child in children)]))


def _span(entry: EntryLike) -> Span:
    trace_id, span_id = ids_of(entry)
    end_ns = time_ns(entry.at)
    message = _error_message(entry)
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=None,
        name=_SPAN_OF[EntryType(entry.type)],
        start_ns=min(_start_ns(entry, end_ns), end_ns),
        end_ns=end_ns,
        attributes={**_identity(entry), **_details(entry), names.COMMAND_SPAN: span_id},
        is_error=bool(message),
        message=message,
    )


def _event(entry: EntryLike) -> SpanEvent:
    return SpanEvent(entry.type, time_ns(entry.at), {**_identity(entry), **_details(entry)})


def _start_ns(entry: EntryLike, end_ns: int) -> int:
    started_ns = time_ns(text(entry.payload, "started_at"))
    if started_ns:
        return started_ns
    return max(0, end_ns - (count(entry.payload, "duration_ms") or 0) * _NS_PER_MS)


def _identity(entry: EntryLike) -> dict[str, Value]:
    return {
        names.LEDGER_ID: entry.ledger,
        names.LEDGER_SEQ: entry.seq,
        names.LEDGER_HASH: entry.hash,
        names.LEDGER_TYPE: entry.type,
        names.TASK: entry.task,
        names.PHASE: entry.phase,
        names.ATTEMPT: entry.attempt,
        names.ACTOR: entry.actor,
    }


def _details(entry: EntryLike) -> dict[str, Value]:
    details = _DETAILS.get(entry.type)
    return {**_provenance(entry), **(details(entry) if details else {})}


def _provenance(entry: EntryLike) -> dict[str, Value]:
    """Return prompt and persona an entry was made under and the epoch of its lease, where it says so."""
    said = {name: text(entry.payload, key) for name, key in _PROVENANCE.items()}
    return {name: value for name, value in said.items() if value}


def _opened(entry: EntryLike) -> dict[str, Value]:
    return {
        names.PROCESS: text(entry.payload, "process"),
        names.PROCESS_DIGEST: text(entry.payload, "process_digest"),
        names.PHASE_TO: entry.phase,
    }


def _backtracked(entry: EntryLike) -> dict[str, Value]:
    return {
        names.PHASE_FROM: text(entry.payload, "source"),
        names.PHASE_TO: text(entry.payload, "target"),
        names.REASON: text(entry.payload, "reason"),
    }


def _ended(entry: EntryLike) -> dict[str, Value]:
    return {
        names.RUN_OUTCOME: text(entry.payload, "outcome"),
        names.SUCCESS_LEVEL: text(entry.payload, "success_level"),
    }


def _attested(entry: EntryLike) -> dict[str, Value]:
    payload = entry.payload
    return {
        names.PROMPT_STATUS: text(payload, "status"),
        names.PROMPT_ORIGIN: text(payload, "origin"),
        names.PROMPT_VERSION: count(payload, "version") or 0,
    }


def _decided(entry: EntryLike) -> dict[str, Value]:
    return {
        names.DECISION: text(entry.payload, "decision") or entry.type,
        names.DECIDED_BY: text(entry.payload, "by"),
        names.REASON: text(entry.payload, "reason"),
    }


def _looped(entry: EntryLike) -> dict[str, Value]:
    return {names.LOOP_CAUSE: text(entry.payload, "cause"), names.REASON: text(entry.payload, "detail")}


def _step(entry: EntryLike) -> dict[str, Value]:
    return {names.STEP: text(entry.payload, "step")}


def _violation(entry: EntryLike) -> dict[str, Value]:
    payload = entry.payload
    return {
        names.VIOLATION_KIND: violation_kind(payload),
        names.COMMAND: text(payload, "command"),
        names.PHASE_TO: text(payload, "target"),
        names.VIOLATION_REMEDY: text(payload, "remedy"),
        names.FINDING_CODES: tuple(text(finding, "code") for finding in objects(payload, "findings")),
        names.FINDING_COUNT: count(payload, "finding_count") or 0,
    }


def _artifacts(evidence: list[Mapping[str, object]]) -> dict[str, Value]:
    return {
        names.ARTIFACT_NAMES: tuple(text(item, "name") for item in evidence),
        names.ARTIFACT_DIGESTS: tuple(text(item, "digest") for item in evidence),
        names.ARTIFACT_PATHS: tuple(text(item, "path") for item in evidence),
    }


def _witnessed(entry: EntryLike) -> dict[str, Value]:
    """Return what was run, how it ended, and digests of its output and of the reports made from it.

    Arguments are named by their digest only: they may hold secrets, and a collector is further away than the
    ledger that has them.
    """
    payload = entry.payload
    kept = {"stdout": text(payload, "stdout_digest"), "stderr": text(payload, "stderr_digest")}
    reports = payload.get("reports")
    if isinstance(reports, Mapping):
        kept |= {str(name): text(reports, name) for name in sorted(reports)}
    kept = {name: digest for name, digest in kept.items() if digest}
    argv = payload.get("argv")
    found: dict[str, Value] = {
        names.EXECUTABLE: str(argv[0]) if isinstance(argv, Sequence) and argv else "",
        names.ARGV_DIGEST: text(payload, "argv_digest"),
        names.ARTIFACT_NAMES: tuple(kept),
        names.ARTIFACT_DIGESTS: tuple(kept.values()),
    }
    exit_code = count(payload, "exit_code")
    return found if exit_code is None else {**found, names.EXIT_CODE: exit_code}


def _error_message(entry: EntryLike) -> str:
    if entry.type == EntryType.VIOLATION_RECORDED:
        return text(entry.payload, "message") or violation_kind(entry.payload) or "violation"
    if entry.type == EntryType.PROMPT_ATTESTED and text(entry.payload, "status") == names.DRIFT:
        return f"the prompt is not version {count(entry.payload, 'version')} of its baseline"
    exit_code = count(entry.payload, "exit_code")
    if entry.type == EntryType.WITNESS_RECORDED and exit_code:
        return f"the command exited with {exit_code}"
    return ""


_DETAILS: Mapping[str, Callable[[EntryLike], dict[str, Value]]] = {
    EntryType.TASK_OPENED: _opened,
    EntryType.PHASE_COMPLETED: lambda entry: {
        names.PHASE_FROM: entry.phase,
        names.PHASE_TO: text(entry.payload, "next"),
    },
    EntryType.PHASE_ENTERED: lambda entry: {
        names.PHASE_FROM: text(entry.payload, "previous"),
        names.PHASE_TO: entry.phase,
    },
    EntryType.PHASE_BACKTRACKED: _backtracked,
    EntryType.VIOLATION_RECORDED: _violation,
    EntryType.GATE_PASSED: lambda entry: _artifacts(objects(entry.payload, "evidence")),
    EntryType.EVIDENCE_ADDED: lambda entry: _artifacts([entry.payload]),
    EntryType.WITNESS_RECORDED: _witnessed,
    EntryType.PROMPT_ATTESTED: _attested,
    EntryType.PROMPT_BASELINED: _decided,
    EntryType.APPROVAL_RECORDED: _decided,
    EntryType.TASK_PAUSED: _decided,
    EntryType.TASK_RESUMED: _decided,
    EntryType.TASK_ABORTED: _decided,
    EntryType.LOOP_DETECTED: _looped,
    EntryType.STEP_STARTED: _step,
    EntryType.STEP_FINISHED: _step,
    EntryType.SAMPLE_EXECUTED: lambda entry: {names.VERDICT: text(entry.payload, "verdict")},
    EntryType.RUN_ENDED: _ended,
}
