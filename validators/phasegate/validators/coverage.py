"""Is enough of the code covered by tests?"""

from __future__ import annotations

from fractions import Fraction

from phasegate.validators.companions import companion, earlier
from phasegate.validators.decimals import checked, shown
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import number, text_parameter

SCHEMA = "coverage_report"
DEFAULT_PREVIOUS = "previous:coverage_report.json"

_FULL_PERCENT = 100
_REMEDY = "add tests for what the report lists as missing"


def coverage(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that total coverage is a percentage, not below policy, and not falling.

    The shape is `schemas/coverage_report.json`. Parameters: `min_total`, the least percentage; `max_drop`,
    the percentage points it may lose since any attempt from the last that passed on, whose reports are the
    companion `previous` (default `previous:coverage_report.json`; where there is none, this is the first),
    `previous:2` and so on.

    Findings: `coverage.out_of_range`, `coverage.below_minimum`, `coverage.dropped`, those of
    `json_schema.read`, and with `max_drop` those of `companions.companion`.

    Raises:
        BadParameterError: `min_total` or `max_drop` is not a number.
    """
    minimum, drop = number(context.params, "min_total"), number(context.params, "max_drop")
    previous = text_parameter(context.params, "previous", DEFAULT_PREVIOUS)
    value, findings = read(artifact, SCHEMA)
    if findings:
        return findings
    total = checked(value["total_percent"])
    if not 0 <= total <= _FULL_PERCENT:
        message = f"a coverage of {shown(total)}% is impossible"
        remedy = "hand in the report as the witness wrote it"
        return (Finding("coverage.out_of_range", artifact.name, "/total_percent", message, remedy),)
    if minimum is not None and total < minimum:
        message = f"{shown(total)}% of the lines are covered, fewer than {shown(minimum)}%"
        return (Finding("coverage.below_minimum", artifact.name, "/total_percent", message, _REMEDY),)
    return () if drop is None else _dropped(artifact, context, previous, total, drop)


def _dropped(
    artifact: Artifact, context: Context, previous: str, total: Fraction, drop: Fraction
) -> tuple[Finding, ...]:
    for attempt in earlier(context, previous):
        before, findings = companion(artifact, context, attempt, SCHEMA)
        if findings:
            return findings
        had = checked(before["total_percent"])
        if had - total > drop:
            message = (
                f"coverage fell from {shown(had)}% to {shown(total)}%, by more than {shown(drop)} points"
            )
            return (Finding("coverage.dropped", artifact.name, "/total_percent", message, _REMEDY),)
    return ()
