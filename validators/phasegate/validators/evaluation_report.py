"""Evaluation, what is published: report, release gate matrix, deltas against the last accepted run."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from phasegate.validators.companions import companion
from phasegate.validators.decimals import checked, shown
from phasegate.validators.evaluation_statistics import STATISTICS
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.quoting import quoted

_DELTA_TOLERANCE = Fraction(1, 10**6)


def report(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that a report names its task, its sources, and the level of `statistics.json`.

    Findings: `evaluation.report_differs`, those of `json_schema.read` and of `companions.companion`.
    """
    value, findings = read(artifact, "evaluation_report")
    if findings:
        return findings
    measured, missing = companion(artifact, context, STATISTICS, "evaluation_statistics")
    if missing or measured["success_level"] == value["success_level"]:
        return missing
    message = (
        f"the report says `{value['success_level']}`, but {quoted(STATISTICS)} `{measured['success_level']}`"
    )
    remedy = "write the report again from the statistics"
    return (Finding("evaluation.report_differs", artifact.name, "/success_level", message, remedy),)


def gate_matrix(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check that every row of a release gate matrix decides `pass`, and no axis stands twice.

    Findings: `evaluation.gate_not_passed`, `evaluation.duplicate_axis`, and those of `json_schema.read`.
    """
    value, findings = read(artifact, "evaluation_gate_matrix")
    if findings:
        return findings
    found: list[Finding] = []
    axes: set[str] = set()
    for index, row in enumerate(value["rows"]):
        axis = quoted(row["axis"])
        if row["decision"] != "pass":
            message = f"the axis {axis} was decided {quoted(row['decision'])}"
            remedy = "hold the release until every axis passes"
            place = f"/rows/{index}/decision"
            found.append(Finding("evaluation.gate_not_passed", artifact.name, place, message, remedy))
        if row["axis"] in axes:
            message = f"the axis {axis} is decided twice"
            place = f"/rows/{index}/axis"
            found.append(
                Finding("evaluation.duplicate_axis", artifact.name, place, message, "decide each axis once")
            )
        axes.add(row["axis"])
    return tuple(found)


def deltas(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check that each delta is current minus baseline, and that a baseline comes from a named run.

    Findings: `evaluation.delta_wrong`, `evaluation.baseline_unnamed`, `evaluation.duplicate_metric`, and
    those of `json_schema.read`.
    """
    value, findings = read(artifact, "evaluation_deltas")
    if findings:
        return findings
    found: list[Finding] = []
    metrics: set[str] = set()
    for index, row in enumerate(value["rows"]):
        found += _row_findings(artifact.name, index, row, value["baseline_run"])
        if row["metric"] in metrics:
            message = f"the metric {quoted(row['metric'])} stands twice"
            place = f"/rows/{index}/metric"
            remedy = "give each metric one row"
            found.append(Finding("evaluation.duplicate_metric", artifact.name, place, message, remedy))
        metrics.add(row["metric"])
    return tuple(found)


def _row_findings(artifact: str, index: int, row: dict[str, Any], baseline_run: str | None) -> list[Finding]:
    metric = quoted(row["metric"])
    if row["baseline"] is not None and baseline_run is None:
        message = f"{metric} has a baseline, but no baseline run is named"
        place = f"/rows/{index}/baseline"
        remedy = "name the run in `baseline_run`, or leave the baseline null"
        return [Finding("evaluation.baseline_unnamed", artifact, place, message, remedy)]
    numbers = [row["baseline"], row["current"]]
    expected = None if None in numbers else checked(row["current"]) - checked(row["baseline"])
    given = None if row["delta"] is None else checked(row["delta"])
    if given is expected or (
        given is not None and expected is not None and abs(given - expected) <= _DELTA_TOLERANCE
    ):
        return []
    should = "null" if expected is None else shown(expected)
    message = f"the delta of {metric} is given as {quoted(row['delta'])}, but it is {should}"
    remedy = "compute it as current minus baseline"
    return [Finding("evaluation.delta_wrong", artifact, f"/rows/{index}/delta", message, remedy)]
