"""JUnit XML to `schemas/test_results.json`: what the witness writes from a test runner's report.

The report is untrusted and read as `untrusted_xml` says; the number of cases is bounded. The outcome of each
case counts, not the totals in the report's head; a head that counts more failures than its cases show is
refused.

Format: the "JUnit XML" of Ant's junitreport task as pytest, Gradle, Surefire and others write it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from phasegate.validators.case_report import SCHEMA_ID, bounded_id
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.untrusted_xml import Handlers, read_xml

_REMEDY = "let the test runner write its junit xml report and hand it in unchanged"
_SECONDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,9})?|[0-9]{1,12}(?:\.[0-9]{1,18})?")
_COUNT = re.compile(r"[0-9]{1,9}")
_OUTCOME_OF = {"failure": "failed", "error": "error", "skipped": "skipped"}
# GoogleTest and CTest tell of a test that did not run by an attribute, and of some by nothing else.
_SAID_BY = ("status", "result")
_OUTCOME_SAID = {
    **dict.fromkeys(("notrun", "disabled", "suppressed", "skipped"), "skipped"),
    **dict.fromkeys(("fail", "failed", "failure"), "failed"),
    "error": "error",
}
# A case that both failed and broke is broken; one that says it was skipped and also failed did fail.
_WEIGHT = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}
_DECLARED = {"failures": "failed", "errors": "error"}
_PLURAL = {"passed": "passed", "failed": "failed", "error": "errors", "skipped": "skipped"}


def junit_to_test_results(xml: bytes) -> dict[str, Any]:
    """Return the test results that a JUnit XML report tells of.

    The shape is `{schema, tests, passed, failed, errors, skipped, duration_ms, cases: [{id, outcome,
    duration_ms}]}`; an id is `classname::name`. A report without a case gives zero tests, which the validator
    `test_results` refuses.

    Raises:
        MalformedReportError: it is not such a report, is hostile, or contradicts itself.
    """
    reader = _Reader()
    read_xml(xml, Handlers(reader.start, reader.end), _REMEDY)
    counts = dict.fromkeys(_PLURAL.values(), 0)
    for case in reader.cases:
        counts[_PLURAL[case["outcome"]]] += 1
    duration_ms = max(reader.duration_ms, sum(case["duration_ms"] for case in reader.cases))
    return {
        "schema": SCHEMA_ID,
        "tests": len(reader.cases),
        **counts,
        "duration_ms": duration_ms,
        "cases": reader.cases,
    }


@dataclass(slots=True)
class _Suite:
    """A suite that is open: what its head counts, and what its cases show so far."""

    name: str
    declared: dict[str, int]
    seen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_WEIGHT, 0))


@dataclass(slots=True)
class _Reader:
    """Receives expat's events; `path` holds the names of the open elements."""

    path: list[str] = field(default_factory=list)
    suites: list[_Suite] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    duration_ms: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.lower()
        if not self.path and name not in {"testsuites", "testsuite"}:
            _refuse(f"the report begins with {quoted(name)}, not with `testsuites` or `testsuite`")
        if name in {"testsuites", "testsuite"}:
            self._open_suite(attributes)
        elif name == "testcase":
            self._open_case(attributes)
        elif name in _OUTCOME_OF and self.path[-1] == "testcase":
            case = self.cases[-1]
            case["outcome"] = max(case["outcome"], _OUTCOME_OF[name], key=_WEIGHT.__getitem__)
        self.path.append(name)

    def end(self, tag: str) -> None:
        self.path.pop()
        name = tag.lower()
        if name == "testcase":
            for suite in self.suites:
                suite.seen[self.cases[-1]["outcome"]] += 1
        elif name in {"testsuites", "testsuite"}:
            suite = self.suites.pop()
            for attribute, outcome in _DECLARED.items():
                if suite.declared[attribute] > suite.seen[outcome]:
                    _refuse(
                        f"the suite {quoted(suite.name)} counts {suite.declared[attribute]} {attribute}, "
                        f"but shows {suite.seen[outcome]}"
                    )

    def _open_suite(self, attributes: dict[str, str]) -> None:
        if not self.path or (self.path == ["testsuites"] and not self.duration_ms):
            self.duration_ms = _milliseconds(attributes.get("time", ""))
        declared = {attribute: _count(attributes.get(attribute, "0")) for attribute in _DECLARED}
        self.suites.append(_Suite(attributes.get("name", ""), declared))

    def _open_case(self, attributes: dict[str, str]) -> None:
        if "testcase" in self.path:
            _refuse("a test case stands inside another")
        if len(self.cases) >= LIMITS.max_report_cases:
            _refuse(f"the report has more than {LIMITS.max_report_cases} cases")
        parts = (attributes.get("classname", "").strip(), attributes.get("name", "").strip())
        identifier = "::".join(part for part in parts if part)
        if not identifier:
            _refuse("a test case has neither a name nor a class name")
        duration_ms = _milliseconds(attributes.get("time", ""))
        said = (_OUTCOME_SAID.get(attributes.get(name, "").strip().lower(), "passed") for name in _SAID_BY)
        outcome = max(said, key=_WEIGHT.__getitem__)
        self.cases.append({"id": bounded_id(identifier), "outcome": outcome, "duration_ms": duration_ms})


def _milliseconds(seconds: str) -> int:
    """Return a duration; one that cannot be read is 0, because no verdict hangs on it."""
    text = seconds.strip()
    return round(float(text.replace(",", "")) * 1000) if _SECONDS.fullmatch(text) else 0


def _count(text: str) -> int:
    stripped = text.strip()
    if not _COUNT.fullmatch(stripped):
        _refuse(f"{quoted(text)} is not a count")
    return int(stripped)


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
