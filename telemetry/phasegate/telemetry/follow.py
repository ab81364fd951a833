"""The follower: reads committed entries after a cursor and exports what they say.

A command calls `Follower.run` once, after its work is committed. Two stages, each with a cursor and a lock
of its own, so that neither waits for the other:

1. JSON Lines: append the batch, then move the cursor. A crash between the two exports that batch again.
2. OTLP, if an endpoint is set: send, then move the cursor. What was not sent goes with a later command, after
   a pause that grows with each failure.

So everything is exported at least once, and a span exported twice has the same ids. Nothing here raises:
whatever goes wrong with telemetry is told in the outcome and changes no result.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from phasegate.telemetry import cursor, jsonl
from phasegate.telemetry.endpoints import Endpoints
from phasegate.telemetry.errors import ExportError
from phasegate.telemetry.metrics import Counters, Point, counters_from
from phasegate.telemetry.spans import Span, commands_of, spans_of

if TYPE_CHECKING:
    from pathlib import Path

    from phasegate.telemetry.cursor import Position
    from phasegate.telemetry.entry_like import EntryLike, EntrySource

CURSOR = "cursor.json"
OTLP_CURSOR = "otlp_cursor.json"

_MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """Bounds of one run.

    Attributes:
        batch_entries: entries read before they are written; commands are never split.
        run_entries: entries exported by one run; the rest goes with later ones.
        lock_wait_ms: how long to wait while another process writes JSON Lines.
        send_budget_ms: no further batch is sent after this; a backlog goes with several commands.
        first_pause_s: pause after a failed OTLP export; doubled with each further failure.
        longest_pause_s: where the doubling ends.
    """

    batch_entries: int = 2_000
    run_entries: int = 50_000
    lock_wait_ms: int = 100
    send_budget_ms: int = 400
    first_pause_s: int = 5
    longest_pause_s: int = 300


@dataclass(slots=True)
class Outcome:
    """What a run did.

    Attributes:
        spans_written: spans appended to the JSON Lines file.
        spans_sent: spans the collector took.
        problem: what went wrong, for a log; empty if nothing did.
        otlp: `off`, `sent`, `current` (nothing new), `busy` (another process sends), `paused` or `failed`.
    """

    spans_written: int = 0
    spans_sent: int = 0
    problem: str = ""
    otlp: str = "off"


Send = Callable[[Endpoints, tuple[Span, ...], Counters], str]


@dataclass(slots=True)
class Follower:
    """Exports what a ledger's entries say into a directory, and to a collector.

    Attributes:
        source: where entries come from.
        directory: where JSON Lines and cursors lie; made if it is not there.
        environ: where the OTEL_* variables are looked up.
        now: seconds since 1970.
        settings: bounds of one run.
        send: how spans and counters reach a collector; see `export.send`.
    """

    source: EntrySource
    directory: Path
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    now: Callable[[], float] = time.time
    settings: Settings = field(default_factory=Settings)
    send: Send = field(default_factory=lambda: _send_otlp)

    def run(self) -> Outcome:
        """Export what is new. Never raises for want of disk, lock, network or collector."""
        outcome = Outcome()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with cursor.locked(self.directory / "jsonl.lock", self.settings.lock_wait_ms) as held:
                counters = self._write(outcome) if held else None
            endpoints = Endpoints.from_environ(self.environ)
            if endpoints is not None:
                with cursor.locked(self.directory / "otlp.lock", 0) as held:
                    outcome.otlp = self._send(outcome, endpoints, counters) if held else "busy"
        except OSError as error:
            outcome.problem = f"telemetry could not be written: {error}"
        return outcome

    def _write(self, outcome: Outcome) -> Counters:
        path = self.directory / CURSOR
        state = cursor.load(path)
        counters = _counters_in(state)
        position = cursor.position_in(state) if counters.seq else cursor.Position()
        entries, intact = self._after(position)
        if not intact:
            counters = Counters()
        for batch in _batches(entries, self.settings):
            before = set(counters.points()) if counters.seq else set()
            spans = [span for command in batch for span in spans_of(command)]
            for entry in chain.from_iterable(batch):
                counters.fold(entry)
            changed = [point for point in counters.points() if point not in before]
            self._append(outcome, spans, changed, counters)
            last = batch[-1][-1]
            cursor.save(path, {"seq": last.seq, "hash": last.hash, "counters": counters.to_json()})
        return counters

    def _append(self, outcome: Outcome, spans: list[Span], changed: list[Point], counters: Counters) -> None:
        outcome.spans_written += jsonl.append(self.directory / jsonl.TRACES, map(jsonl.span_row, spans))
        rows = [jsonl.point_row(point, counters) for point in changed]
        jsonl.append(self.directory / jsonl.METRICS, rows)

    def _send(self, outcome: Outcome, endpoints: Endpoints, counters: Counters | None) -> str:
        path = self.directory / OTLP_CURSOR
        state = cursor.load(path)
        failures, resume_at = _backoff_in(state)
        # A clock that was set back must not silence telemetry for longer than the longest pause.
        if self.now() < resume_at <= self.now() + self.settings.longest_pause_s:
            return "paused"
        stop_at = time.monotonic() + self.settings.send_budget_ms / 1000
        entries, _ = self._after(cursor.position_in(state))
        for batch in _batches(entries, self.settings):
            spans = tuple(span for command in batch for span in spans_of(command))
            try:
                if spans:
                    outcome.problem = self.send(endpoints, spans, counters or self._known_counters())
            except ExportError as error:
                cursor.save(path, {**state, **self._pause_after(failures)})
                outcome.problem = str(error)
                return "failed"
            outcome.spans_sent += len(spans)
            last = batch[-1][-1]
            state = {"seq": last.seq, "hash": last.hash}
            cursor.save(path, state)
            if time.monotonic() >= stop_at:
                break
        return "sent" if outcome.spans_sent else "current"

    def _pause_after(self, failures: int) -> dict[str, int]:
        doubled_s = self.settings.first_pause_s * 2 ** min(failures, _MAX_DOUBLINGS)
        pause_s = min(doubled_s, self.settings.longest_pause_s)
        return {"failures": failures + 1, "resume_at": int(self.now()) + pause_s}

    def _known_counters(self) -> Counters:
        return _counters_in(cursor.load(self.directory / CURSOR))

    def _after(self, position: Position) -> tuple[Iterator[EntryLike], bool]:
        """Return the entries after a position, and whether the ledger still is the one it points into.

        The entry at the position is read again: if its hash is another, this is another ledger or another
        history, and everything in it is new.
        """
        if not position.seq:
            return self.source.entries(since=0), True
        entries = self.source.entries(since=position.seq - 1)
        at_position = next(entries, None)
        if at_position is not None and (at_position.seq, at_position.hash) == (position.seq, position.hash):
            return entries, True
        return self.source.entries(since=0), False


def follow(source: EntrySource, directory: Path) -> str:
    """Export what is new in a ledger, as a command does when it ends.

    Returns:
        What went wrong, for the log; empty if nothing did.
    """
    return Follower(source, directory).run().problem


def _batches(entries: Iterator[EntryLike], settings: Settings) -> Iterator[list[tuple[EntryLike, ...]]]:
    batch: list[tuple[EntryLike, ...]] = []
    size = total = 0
    for command in commands_of(entries):
        batch.append(command)
        size += len(command)
        if size >= settings.batch_entries:
            yield batch
            total += size
            batch, size = [], 0
            if total >= settings.run_entries:
                return
    if batch:
        yield batch


def _counters_in(state: Mapping[str, Any]) -> Counters:
    try:
        return counters_from(state["counters"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return Counters()


def _backoff_in(state: Mapping[str, Any]) -> tuple[int, int]:
    failures, resume_at = state.get("failures"), state.get("resume_at")
    if isinstance(failures, int) and isinstance(resume_at, int):
        return max(0, failures), resume_at
    return 0, 0


def _send_otlp(endpoints: Endpoints, spans: tuple[Span, ...], counters: Counters) -> str:
    from phasegate.telemetry.export import send  # noqa: PLC0415  # only where a collector is configured

    try:
        return send(endpoints, spans, counters)
    except ImportError as error:
        raise ExportError(
            f"the OpenTelemetry exporter cannot be imported: {error}", "install the package anew"
        ) from error
