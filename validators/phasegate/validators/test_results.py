"""Did tests run, and did all of them pass?"""

from __future__ import annotations

from typing import Any

from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted

SCHEMA = "test_results"

# Field of the summary, outcome of a case, and code of a finding.
_BAD = (("failed", "failed", "test_results.failed"), ("errors", "error", "test_results.errored"))
_OUTCOMES = (("passed", "passed"), ("failed", "failed"), ("errors", "error"), ("skipped", "skipped"))


def test_results(artifact: Artifact, context: Context) -> tuple[Finding, ...]:  # noqa: ARG001  # the interface's shape
    """Check that at least one test ran, none failed and none broke, and that the counts add up.

    A skipped test did not run. The shape is `schemas/test_results.json`.

    Findings: `test_results.none_ran`, `test_results.failed`, `test_results.errored`,
    `test_results.miscounted`, and those of `json_schema.read`.
    """
    value, findings = read(artifact, SCHEMA)
    if findings:
        return findings
    return (*_miscounted(artifact.name, value), *_none_ran(artifact.name, value), *_bad(artifact.name, value))


def _miscounted(artifact: str, value: dict[str, Any]) -> list[Finding]:
    counted = {outcome: 0 for _, outcome in _OUTCOMES}
    for case in value["cases"]:
        counted[case["outcome"]] += 1
    expected = {"tests": len(value["cases"])} | {field: counted[outcome] for field, outcome in _OUTCOMES}
    remedy = "hand in the report as the test runner or the witness wrote it"
    return [
        Finding(
            "test_results.miscounted",
            artifact,
            f"/{field}",
            f"`{field}` says {value[field]}, but the cases say {count}",
            remedy,
        )
        for field, count in expected.items()
        if value[field] != count
    ]


def _none_ran(artifact: str, value: dict[str, Any]) -> list[Finding]:
    if value["passed"] + value["failed"] + value["errors"]:
        return []
    message = f"no test ran ({value['skipped']} skipped)"
    remedy = "run the test command where it finds the tests"
    return [Finding("test_results.none_ran", artifact, "/tests", message, remedy)]


def _bad(artifact: str, value: dict[str, Any]) -> list[Finding]:
    findings: list[Finding] = []
    for field, outcome, code in _BAD:
        cases = [(index, case) for index, case in enumerate(value["cases"]) if case["outcome"] == outcome]
        for index, case in cases[: LIMITS.max_findings]:
            message = f"the test {quoted(case['id'])} ended as {outcome}"
            findings.append(
                Finding(code, artifact, f"/cases/{index}", message, "correct it and run all tests")
            )
        if value[field] and not cases:
            message = f"{value[field]} tests ended as {outcome}"
            findings.append(Finding(code, artifact, f"/{field}", message, "correct them and run all tests"))
    return findings
