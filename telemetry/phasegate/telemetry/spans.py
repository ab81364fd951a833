"""Committed entries to spans. Pure: the same entries give the same spans, ids included.

    task.opened, phase.completed, phase.backtracked   agent.state.transition   } one per command: they carry
    violation.recorded                                process.violation        } the command's own span id
    gate.passed, witness.recorded                     agent.verify             } their ids are derived from the
    step.finished                                     runner.step              } entry's hash

All other entries of a command become events of its first span. Every span and event names its entry by ledger,
sequence number and hash, and its artifacts by name, digest and path; so one gets from entry to span to artifact
and back. Entries of one command lie together, because they are committed together; a command that decides
nothing (evidence added, a sample executed) leaves no span.

Ids: an entry's `trace` is "<32 hex trace id>-<16 hex span id>", one trace per task and one span per command.
Where it is empty or malformed, both are derived from ledger and task, and from the entry's hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TypeAlias

from phasegate.telemetry import names
from phasegate.telemetry.entry_like import EntryLike, count, objects, strings, text, time_ns, violation_kind
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
    EntryType.VIOLATION_RECORDED: SpanName.VIOLATION,
    EntryType.GATE_PASSED: SpanName.VERIFY,
    EntryType.WITNESS_RECORDED: SpanName.VERIFY,
    EntryType.STEP_FINISHED: SpanName.STEP,
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
    decisive = [index for index, (_, span) in enumerate(made) if span.name in _DECISIVE]
    first = decisive[0] if decisive else 0
    spans: list[Span] = []
    for index, (entry, span) in enumerate(made):
        if index == first and decisive:
            continue
        parent = made[first][1].span_id if decisive else None
        # Only one span may carry the command's id; a second decision in one command becomes its child.
        spans.append(replace(span, span_id=_derived_span_id(entry), parent_id=parent))
    head = made[first][1] if decisive else spans.pop(0)
    events = tuple(_event(entry) for entry in command if entry.type not in _SPAN_OF)
    return (_enclosing(replace(head, events=events), spans), *spans)


def ids_of(entry: EntryLike) -> tuple[str, str]:
    """Return trace and span id of an entry's command, derived where the entry carries none."""
    match = _TRACE.fullmatch(entry.trace)
    if match and match[1] != _NO_TRACE and match[2] != _NO_SPAN:
        return match[1], match[2]
    trace = hashlib.sha256(f"trace\0{entry.ledger}\0{entry.task}".encode()).hexdigest()[:32]
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
    payload = entry.payload
    match entry.type:
        case EntryType.TASK_OPENED:
            found: dict[str, Value] = {
                names.PROCESS: text(payload, "process"),
                names.PROCESS_DIGEST: text(payload, "process_digest"),
                names.PHASE_TO: entry.phase,
            }
        case EntryType.PHASE_COMPLETED:
            found = {names.PHASE_FROM: entry.phase, names.PHASE_TO: text(payload, "next")}
        case EntryType.PHASE_ENTERED:
            found = {names.PHASE_FROM: text(payload, "previous"), names.PHASE_TO: entry.phase}
        case EntryType.PHASE_BACKTRACKED:
            found = {
                names.PHASE_FROM: text(payload, "source"),
                names.PHASE_TO: text(payload, "target"),
                names.REASON: text(payload, "reason"),
            }
        case EntryType.VIOLATION_RECORDED:
            found = _violation(payload)
        case EntryType.GATE_PASSED:
            found = _artifacts(objects(payload, "evidence"))
        case EntryType.EVIDENCE_ADDED:
            found = _artifacts([payload])
        case EntryType.WITNESS_RECORDED:
            found = {names.COMMAND_ARGS: strings(payload, "argv"), **_witnessed(payload)}
        case EntryType.STEP_STARTED | EntryType.STEP_FINISHED:
            found = {names.STEP: text(payload, "step")}
        case EntryType.SAMPLE_EXECUTED:
            found = {names.VERDICT: text(payload, "verdict")}
        case EntryType.RUN_ENDED:
            found = {
                names.RUN_OUTCOME: text(payload, "outcome"),
                names.SUCCESS_LEVEL: text(payload, "success_level"),
            }
        case _:
            found = {}
    return found


def _violation(payload: Mapping[str, object]) -> dict[str, Value]:
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


def _witnessed(payload: Mapping[str, object]) -> dict[str, Value]:
    """Digests of what a witness kept: its output, and the reports it converted."""
    kept = {"stdout": text(payload, "stdout_digest"), "stderr": text(payload, "stderr_digest")}
    reports = payload.get("reports")
    if isinstance(reports, Mapping):
        kept |= {str(name): text(reports, name) for name in sorted(reports)}
    kept = {name: digest for name, digest in kept.items() if digest}
    found: dict[str, Value] = {names.ARTIFACT_NAMES: tuple(kept), names.ARTIFACT_DIGESTS: tuple(kept.values())}
    exit_code = count(payload, "exit_code")
    return found if exit_code is None else {**found, names.EXIT_CODE: exit_code}


def _error_message(entry: EntryLike) -> str:
    if entry.type == EntryType.VIOLATION_RECORDED:
        return text(entry.payload, "message") or violation_kind(entry.payload) or "violation"
    exit_code = count(entry.payload, "exit_code")
    if entry.type == EntryType.WITNESS_RECORDED and exit_code:
        return f"the command exited with {exit_code}"
    return ""
