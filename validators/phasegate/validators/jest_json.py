"""The report of `jest --json` and `vitest --reporter=json` to `schemas/test_results.json`.

Both write `{numTotalTests, numFailedTests, ..., testResults: [{name, status, assertionResults: [...]}]}`. A
file that failed without a test that did (it does not compile, a hook threw) is a case of its own that broke.
"""

from __future__ import annotations

from typing import Any, NoReturn

from phasegate.validators.case_report import Cases
from phasegate.validators.errors import MalformedJsonError, MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse

_REMEDY = "run `jest --json --outputFile FILE` or `vitest run --reporter=json` and hand in the file unchanged"
_OUTCOME = {
    "passed": "passed", "failed": "failed", "skipped": "skipped", "pending": "skipped", "todo": "skipped",
    "disabled": "skipped", "focused": "passed",
}  # fmt: skip
_DURATION_MS_MAX = 10**12


def jest_json_to_results(report: bytes) -> dict[str, Any]:
    """Return the test results that such a report tells of; an id is `file::describe blocks and title`.

    Raises:
        MalformedReportError: it is not such a report, or contradicts itself.
    """
    try:
        value = parse(report, LIMITS.max_report_bytes, LIMITS.max_report_values)
    except MalformedJsonError as error:
        raise MalformedReportError(f"the report cannot be read: {error}", error.remedy) from error
    files = _member(value, "testResults", list)
    cases = Cases(_REMEDY)
    for file in files:
        _take_file(file, cases)
    failed = sum(case["outcome"] == "failed" for case in cases.cases)
    declared, total = _count(value, "numFailedTests"), _count(value, "numTotalTests")
    own = sum(not case["id"].endswith("::(file)") for case in cases.cases)
    if declared != failed or total != own:
        _refuse(f"the report counts {total} tests and {declared} failed, but lists {own} and {failed}")
    if value.get("success") is True and (failed or cases.count("error")):
        _refuse("the report says `success`, but lists failed tests")
    if value.get("success") is False and not failed and not cases.count("error"):
        cases.add("(run)", "error")
    return cases.results()


def _take_file(file: Any, cases: Cases) -> None:
    name = _member(file, "name", str)
    before = len(cases.cases)
    for test in _member(file, "assertionResults", list):
        title = test.get("fullName") if isinstance(test, dict) else None
        title = title or _member(test, "title", str)
        status = _member(test, "status", str)
        if not isinstance(title, str) or status not in _OUTCOME:
            _refuse(f"{quoted(status)} is no outcome of a test")
        cases.add(f"{name}::{title}", _OUTCOME[status], _milliseconds(test.get("duration")))
    status = _member(file, "status", str)
    failed_here = any(case["outcome"] == "failed" for case in cases.cases[before:])
    if status == "failed" and not failed_here:
        cases.add(f"{name}::(file)", "error")


def _milliseconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _DURATION_MS_MAX:
        return 0
    return round(value)


def _count(value: dict[str, Any], name: str) -> int:
    count = _member(value, name, int)
    if isinstance(count, bool) or count < 0:
        _refuse(f"{quoted(name)} is not a count")
    return int(count)


def _member(value: Any, name: str, kind: type) -> Any:
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, kind):
        _refuse(f"{quoted(name)} is missing from the report")
    return member


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
