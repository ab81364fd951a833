"""The common shape of coverage reports, whatever tool measured: `schemas/coverage_report.json`.

Percentages are computed from the counts, exactly, and rounded down: 84.999 is not 85.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.line_ranges import compact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA_ID = "phasegate/coverage/v1"


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """What a tool measured of one file.

    Attributes:
        statements: lines that can run.
        covered: those of them that ran.
        executed: line numbers that ran.
        missing: line numbers that did not.
        branches: ways a condition can go; 0 where the tool does not measure them.
        covered_branches: those of them that were gone.
    """

    statements: int
    covered: int
    executed: Iterable[int]
    missing: Iterable[int]
    branches: int = 0
    covered_branches: int = 0


def report_of(files: Mapping[str, FileCoverage], remedy: str) -> dict[str, Any]:
    """Return `{schema, total_percent, files: {path: {percent, statements, covered, executed, missing}}}`.

    Percentages are decimal strings with at most two digits after the point, and count branches where the tool
    does. `executed` and `missing` are line numbers as `line_ranges` writes them.

    Raises:
        MalformedReportError: no file or no statement was measured.
    """
    if not files:
        raise MalformedReportError("the coverage report names no file", remedy)
    if not any(file.statements for file in files.values()):
        raise MalformedReportError("the coverage report measures no statement", remedy)
    whole = sum(file.statements + file.branches for file in files.values())
    covered = sum(file.covered + file.covered_branches for file in files.values())
    return {
        "schema": SCHEMA_ID,
        "total_percent": percent(covered, whole),
        "files": {path: _entry(file) for path, file in files.items()},
    }


def percent(covered: int, whole: int) -> str:
    """Return a share in percent, rounded down to two digits; of nothing it is 100, as coverage.py has it."""
    hundredths = int(Fraction(covered * 10_000, whole)) if whole else 10_000
    return f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")


def _entry(file: FileCoverage) -> dict[str, Any]:
    return {
        "percent": percent(file.covered + file.covered_branches, file.statements + file.branches),
        "statements": file.statements,
        "covered": file.covered,
        "executed": compact(file.executed),
        "missing": compact(file.missing),
    }
