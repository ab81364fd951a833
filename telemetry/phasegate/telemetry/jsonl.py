"""Append-only JSON Lines files: one `write` per batch, so that readers see whole batches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from phasegate.telemetry.metrics import Counters, Point
    from phasegate.telemetry.spans import Span

TRACES = "traces.jsonl"
METRICS = "metrics.jsonl"


def append(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Append rows and return how many; a file that ended in the middle of a line is mended first.

    Raises:
        OSError: the file cannot be written.
    """
    lines = [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows]
    if not lines:
        return 0
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        data = b"".join(lines)
        # A full disk or a crash may have cut the last batch; its tail must not swallow our first row.
        if _ends_inside_line(descriptor):
            data = b"\n" + data
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes went into {path.name}")
    finally:
        os.close(descriptor)
    return len(lines)


def span_row(span: Span) -> dict[str, Any]:
    """Return a span as one JSON row; times in nanoseconds since 1970."""
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name.value,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "status": "error" if span.is_error else "ok",
        "message": span.message,
        "attributes": dict(span.attributes),
        "events": [
            {"name": event.name, "at_ns": event.at_ns, "attributes": dict(event.attributes)}
            for event in span.events
        ],
    }


def point_row(point: Point, counters: Counters) -> dict[str, Any]:
    """Return a counter's value as one JSON row: cumulative since the ledger began, as of entry `seq`."""
    return {
        "name": point.counter.value,
        "phase": point.phase,
        "value": point.value,
        "seq": counters.seq,
        "since": counters.since,
        "at": counters.until,
    }


def _ends_inside_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
