"""coverage.py's `coverage json` report to `schemas/coverage_report.json`.

Percentages are computed from the counts, exactly, and rounded down: 84.999 is not 85. Totals that are not the
sum of the files are refused. Format: coverage.py's JSON reporting, format versions 2 and 3.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NoReturn

from phasegate.validators.errors import MalformedJsonError, MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse

SCHEMA_ID = "phasegate/coverage/v1"

_LINE_COUNTS = ("num_statements", "covered_lines")
_BRANCH_COUNTS = ("num_branches", "covered_branches")


def coverage_json_to_report(report: bytes) -> dict[str, Any]:
    """Return `{schema, total_percent, files: {path: {percent, statements, covered, missing}}}`.

    Percentages are decimal strings with at most two digits after the point, and count branches where the
    report does. `missing` lists line numbers.

    Raises:
        MalformedReportError: it is not such a report, measures nothing, or contradicts itself.
    """
    try:
        value = parse(report, LIMITS.max_report_bytes, LIMITS.max_report_values)
    except MalformedJsonError as error:
        raise MalformedReportError(f"the coverage report cannot be read: {error}", error.remedy) from error
    files = _member(value, "files", dict)
    if not files:
        _refuse("the coverage report names no file")
    sums = dict.fromkeys((*_LINE_COUNTS, *_BRANCH_COUNTS), 0)
    converted: dict[str, Any] = {}
    for path, entry in files.items():
        counts = _counts(_member(entry, "summary", dict))
        for name, count in counts.items():
            sums[name] += count
        converted[path] = {
            "percent": _percent(counts),
            "statements": counts["num_statements"],
            "covered": counts["covered_lines"],
            "missing": _lines(_member(entry, "missing_lines", list)),
        }
    totals = _counts(_member(value, "totals", dict))
    if totals != sums:
        _refuse("the totals of the coverage report are not the sum of its files")
    if not totals["num_statements"]:
        _refuse("the coverage report measures no statement")
    return {"schema": SCHEMA_ID, "total_percent": _percent(totals), "files": converted}


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


def _percent(counts: dict[str, int]) -> str:
    whole = counts["num_statements"] + counts["num_branches"]
    covered = counts["covered_lines"] + counts["covered_branches"]
    # coverage.py, too, calls a file without statements wholly covered.
    hundredths = int(Fraction(covered * 10_000, whole)) if whole else 10_000
    return f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")


def _lines(numbers: list[Any]) -> list[int]:
    if any(isinstance(number, bool) or not isinstance(number, int) or number < 1 for number in numbers):
        _refuse("`missing_lines` in the coverage report holds something that is no line number")
    return numbers


def _member(value: Any, name: str, kind: type) -> Any:
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, kind):
        _refuse(f"{quoted(name)} is missing from the coverage report")
    return member


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, "write the report with `coverage json` and hand it in unchanged")
