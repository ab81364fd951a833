"""coverage.py's `coverage json` report to `schemas/coverage_report.json`.

Totals that are not the sum of the files are refused, and so are counts that contradict the line numbers.
Format: coverage.py's JSON reporting, format versions 2 and 3.
"""

from __future__ import annotations

from typing import Any, NoReturn

from phasegate.validators.coverage_report import FileCoverage, report_of
from phasegate.validators.errors import MalformedJsonError, MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse

_LINE_COUNTS = ("num_statements", "covered_lines")
_BRANCH_COUNTS = ("num_branches", "covered_branches")
_REMEDY = "write the report with `coverage json` and hand it in unchanged"


def coverage_json_to_report(report: bytes) -> dict[str, Any]:
    """Return the report in the shape that `coverage_report.report_of` describes.

    Raises:
        MalformedReportError: it is not such a report, measures nothing, or contradicts itself.
    """
    try:
        value = parse(report, LIMITS.max_report_bytes, LIMITS.max_report_values)
    except MalformedJsonError as error:
        raise MalformedReportError(f"the coverage report cannot be read: {error}", error.remedy) from error
    files = _member(value, "files", dict)
    sums = dict.fromkeys((*_LINE_COUNTS, *_BRANCH_COUNTS), 0)
    converted: dict[str, FileCoverage] = {}
    for path, entry in files.items():
        counts = _counts(_member(entry, "summary", dict))
        for name, count in counts.items():
            sums[name] += count
        converted[path] = _file(path, entry, counts)
    if files and _counts(_member(value, "totals", dict)) != sums:
        _refuse("the totals of the coverage report are not the sum of its files")
    return report_of(converted, _REMEDY)


def _file(path: str, entry: dict[str, Any], counts: dict[str, int]) -> FileCoverage:
    missing = _lines(_member(entry, "missing_lines", list), "missing_lines")
    executed = _lines(entry.get("executed_lines", []), "executed_lines")
    if set(missing) & set(executed):
        _refuse(f"{quoted(path)} has lines that are both executed and missing")
    if len(set(missing)) > counts["num_statements"] - counts["covered_lines"]:
        _refuse(f"{quoted(path)} lists more missing lines than it counts")
    return FileCoverage(
        statements=counts["num_statements"],
        covered=counts["covered_lines"],
        executed=executed,
        missing=missing,
        branches=counts["num_branches"],
        covered_branches=counts["covered_branches"],
    )


def _counts(summary: dict[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for names, required in ((_LINE_COUNTS, True), (_BRANCH_COUNTS, False)):
        for name in names:
            count = summary.get(name, None if required else 0)
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                _refuse(f"{quoted(name)} in the coverage report is not a count")
            counts[name] = count
        if counts[names[1]] > counts[names[0]]:
            _refuse(f"the coverage report covers more than there is: {quoted(names[1])}")
    return counts


def _lines(numbers: Any, name: str) -> list[int]:
    if not isinstance(numbers, list):
        _refuse(f"`{name}` in the coverage report is no list")
    if any(isinstance(number, bool) or not isinstance(number, int) or number < 1 for number in numbers):
        _refuse(f"`{name}` in the coverage report holds something that is no line number")
    return numbers


def _member(value: Any, name: str, kind: type) -> Any:
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, kind):
        _refuse(f"{quoted(name)} is missing from the coverage report")
    return member


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
