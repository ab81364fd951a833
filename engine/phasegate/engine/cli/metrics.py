"""Commands on metrics and baselines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_json, print_jsonl, print_rows, say
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput

if TYPE_CHECKING:
    from phasegate.engine.app.measuring.metrics import Measured
    from phasegate.telemetry.baseline import Comparison, Range
    from phasegate.telemetry.slo import Slo

EXIT_OUT_OF_RANGE = 1
EXIT_NOT_SENT = 1
EXIT_NO_DATA = 3
EXIT_INTEGRITY = 4
_MET = {True: "yes", False: "no", None: ""}


def show(home: Path | None, format_: Format, window: str, export: bool) -> None:
    """Show counters and objectives of a window, and send the objectives to the collector if asked to."""
    with session(home, readonly=True) as engine:
        measured = engine.metrics.measure(window)
    _print_measured(format_, measured, window)
    if export:
        _send(measured, window)


def _send(measured: Measured, window: str) -> None:
    from phasegate.telemetry.endpoints import Endpoints
    from phasegate.telemetry.errors import ExportError
    from phasegate.telemetry.export import send_objectives

    endpoints = Endpoints.from_environ(os.environ)
    if endpoints is None or not endpoints.metrics:
        raise BadInput("no collector for metrics is configured", "set OTEL_EXPORTER_OTLP_ENDPOINT")
    try:
        send_objectives(endpoints, measured.slos, measured.window, window)
    except ExportError as error:
        say(f"error: {error}\nremedy: {error.remedy}")
        raise typer.Exit(EXIT_NOT_SENT) from error


def _print_measured(format_: Format, measured: Measured, window: str) -> None:
    if format_ is Format.JSON:
        print_json(_as_json(measured))
    elif format_ is Format.JSONL:
        print_jsonl([*_counter_rows(measured), *(slo.to_json() for slo in measured.slos)])
    else:
        print_rows(format_, _counter_rows(measured), ["name", "value"], f"counters, {window}")
        bounds = _bounds(measured)
        say(f"after {bounds['after']}, until {bounds['until']}")
        rows = [_slo_row(slo) for slo in measured.slos]
        columns = ["name", "value", "numerator", "denominator", "target", "met", "reason"]
        print_rows(format_, rows, columns, "objectives")


def record(home: Path | None, format_: Format, name: str, window: str, days_min: int) -> None:
    """Record a baseline."""
    with session(home) as engine:
        done = engine.baselines.record(name, window, days_min)
    made = done.baseline
    if format_ is not Format.TABLE:
        payload = done.entry.payload
        document = {
            "name": name,
            **made.to_json(),
            "figures_digest": payload["figures"],
            "stable": made.stable,
            "reasons": list(made.reasons),
            "entry": done.entry.seq,
            "hash": done.entry.hash,
        }
        (print_json if format_ is Format.JSON else _print_line)(document)
        return
    rows = [{"name": figure, **made.ranges[figure].to_json()} for figure in made.ranges]
    columns = ["name", "days", "mean", "least", "greatest", "p5", "p95", "lower", "upper"]
    print_rows(
        format_, rows, columns, f"baseline {name}, {made.days} day(s) with data, entry {done.entry.seq}"
    )
    say("stable" if made.stable else "not stable: " + "; ".join(made.reasons))


def compare(home: Path | None, format_: Format, name: str, window: str) -> None:
    """Compare a window with a baseline; exit 1 when a figure is out of range, 3 when there is no data."""
    from phasegate.telemetry.baseline import Verdict

    with session(home, readonly=True) as engine:
        seen = engine.baselines.compare(name, window)
    print_rows(
        format_,
        [_comparison_row(item) for item in seen.comparisons],
        ["name", "baseline", "current", "verdict"],
        f"{seen.verdict}: {window} against baseline {name}, entry {seen.entry.seq}",
    )
    if seen.verdict is Verdict.OUT_OF_RANGE:
        raise typer.Exit(EXIT_OUT_OF_RANGE)
    if seen.verdict is Verdict.NO_DATA:
        raise typer.Exit(EXIT_NO_DATA)


def verify(home: Path | None, format_: Format) -> None:
    """Count every baseline anew from the ledger; exit 4 where one says otherwise."""
    with session(home, readonly=True) as engine:
        known = sum(1 for _ in engine.baselines.all())
        faults = list(engine.baselines.faults())
    if format_ is Format.JSONL:
        print_jsonl({"fault": fault} for fault in faults)
    elif format_ is Format.JSON:
        print_json({"baselines": known, "faults": faults})
    else:
        for fault in faults:
            say(fault)
        say(f"{known} baseline(s) counted anew, {len(faults)} of them wrong")
    if faults:
        raise typer.Exit(EXIT_INTEGRITY)


def list_all(home: Path | None, format_: Format) -> None:
    """List all baselines that were recorded."""
    with session(home, readonly=True) as engine:
        rows = [
            {
                "name": event.name,
                "from": event.window_from,
                "to": event.window_to,
                "stable": event.stable,
                "reasons": "; ".join(event.reasons) if format_ is Format.TABLE else list(event.reasons),
                "figures": event.figures,
                "entry": entry.seq,
            }
            for entry, event in engine.baselines.all()
        ]
    print_rows(format_, rows, ["name", "from", "to", "stable", "entry", "reasons"])


def _as_json(measured: Measured) -> dict[str, Any]:
    return {
        "window": _bounds(measured),
        "counters": {row["name"]: row["value"] for row in _counter_rows(measured)},
        "slos": [slo.to_json() for slo in measured.slos],
    }


def _bounds(measured: Measured) -> dict[str, str]:
    from phasegate.telemetry.window import at_text

    return {"after": at_text(measured.window.after_us), "until": at_text(measured.window.until_us)}


def _counter_rows(measured: Measured) -> list[dict[str, Any]]:
    from phasegate.telemetry.names import Counter

    counts = measured.counts
    return [{"name": str(counter), "value": counts.of(counter)} for counter in Counter]


def _slo_row(slo: Slo) -> dict[str, Any]:
    row = slo.to_json()
    return {
        **row,
        "value": "-" if row["value"] is None else row["value"],
        "target": row["target"] or "",
        "met": _MET[slo.met],
    }


def _comparison_row(item: Comparison) -> dict[str, Any]:
    from phasegate.telemetry.slo import decimal_text

    return {
        "name": item.name,
        "baseline": _bounds_of(item.normal),
        "current": "" if item.current is None else decimal_text(item.current),
        "verdict": str(item.verdict),
    }


def _bounds_of(normal: Range | None) -> str:
    from phasegate.telemetry.slo import decimal_text

    if normal is None:
        return ""
    low, high = normal.bounds
    return f"{decimal_text(low)} to {decimal_text(high)}"


def _print_line(document: dict[str, Any]) -> None:
    rows: Sequence[dict[str, Any]] = [document]
    print_jsonl(rows)
