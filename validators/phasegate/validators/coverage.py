"""Is enough of the code covered by tests?"""

from __future__ import annotations

from phasegate.validators.decimals import checked, shown
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import number

SCHEMA = "coverage_report"

_FULL_PERCENT = 100


def coverage(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that total line coverage is a percentage and not below the parameter `min_total`, if given.

    The shape is `schemas/coverage_report.json`.

    Findings: `coverage.out_of_range`, `coverage.below_minimum`, and those of `json_schema.read`.

    Raises:
        BadParameterError: `min_total` is not a number.
    """
    minimum = number(context.params, "min_total")
    value, findings = read(artifact, SCHEMA)
    if findings:
        return findings
    total = checked(value["total_percent"])
    if not 0 <= total <= _FULL_PERCENT:
        message = f"a coverage of {shown(total)}% is impossible"
        remedy = "hand in the report as the witness wrote it"
        return (Finding("coverage.out_of_range", artifact.name, "/total_percent", message, remedy),)
    if minimum is None or total >= minimum:
        return ()
    message = f"{shown(total)}% of the lines are covered, fewer than {shown(minimum)}%"
    remedy = "add tests for what the report lists as missing"
    return (Finding("coverage.below_minimum", artifact.name, "/total_percent", message, remedy),)
