"""The common shape of test reports, whatever runner wrote them: `schemas/test_results.json`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.limits import LIMITS

SCHEMA_ID = "phasegate/test-results/v1"

_PLURAL = {"passed": "passed", "failed": "failed", "error": "errors", "skipped": "skipped"}
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]{0,32}[A-Za-z]")


@dataclass(slots=True)
class Cases:
    """The cases of one report, gathered one by one.

    Args:
        remedy: what to do about a report that is refused.
    """

    remedy: str
    cases: list[dict[str, Any]] = field(default_factory=list)

    def add(self, identifier: str, outcome: str, duration_ms: int = 0) -> None:
        """Take note of a case: its id, one of the four outcomes, and how long it took.

        Raises:
            MalformedReportError: it has no id, or there are more than `LIMITS.max_report_cases`.
        """
        if len(self.cases) >= LIMITS.max_report_cases:
            raise MalformedReportError(
                f"the report has more than {LIMITS.max_report_cases} cases", self.remedy
            )
        if not identifier.strip():
            raise MalformedReportError("a test case has no name", self.remedy)
        self.cases.append(
            {"id": bounded_id(identifier.strip()), "outcome": outcome, "duration_ms": duration_ms}
        )

    def count(self, outcome: str) -> int:
        """Return how many cases ended so."""
        return sum(case["outcome"] == outcome for case in self.cases)

    def results(self, duration_ms: int = 0) -> dict[str, Any]:
        """Return `{schema, tests, passed, failed, errors, skipped, duration_ms, cases}`."""
        counts = {plural: self.count(outcome) for outcome, plural in _PLURAL.items()}
        total_ms = max(duration_ms, sum(case["duration_ms"] for case in self.cases))
        return {
            "schema": SCHEMA_ID,
            "tests": len(self.cases),
            **counts,
            "duration_ms": total_ms,
            "cases": self.cases,
        }


def bounded_id(identifier: str) -> str:
    """Cut a long id, with a digest of all of it so that two long ones stay apart."""
    if len(identifier) <= LIMITS.max_case_id_chars:
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{identifier[: LIMITS.max_case_id_chars - len(digest) - 1]}~{digest}"


def report_lines(report: bytes, remedy: str) -> list[str]:
    """Return the lines of a report that is text, without terminal colours; odd bytes are replaced.

    Raises:
        MalformedReportError: it is too large.
    """
    if len(report) > LIMITS.max_report_bytes:
        raise MalformedReportError(
            f"the report has {len(report)} bytes, more than the {LIMITS.max_report_bytes} allowed", remedy
        )
    text = report.decode("utf-8", "replace")
    return [
        _TERMINAL_CODES.sub("", line[: LIMITS.max_log_line_chars]) for line in re.split(r"\r?\n|\r", text)
    ]
