"""JUnit XML to `schemas/test_results.json`: what the witness writes from a test runner's report.

The report is untrusted. It is read with expat directly, without a tree: a document type declaration is
refused when the parser meets it, which is before any entity could be declared, so neither entity expansion
nor external entities exist (this is what defusedxml does too); size, depth and number of cases are bounded.
The outcome of each case counts, not the totals in the report's head; a head that counts more failures than
its cases show is refused.

Format: the "JUnit XML" of Ant's junitreport task as pytest, Gradle, Surefire and others write it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers import expat

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted

SCHEMA_ID = "phasegate/test-results/v1"

_SECONDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,9})?|[0-9]{1,12}(?:\.[0-9]{1,18})?")
_COUNT = re.compile(r"[0-9]{1,9}")
_OUTCOME_OF = {"failure": "failed", "error": "error", "skipped": "skipped"}
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
    if len(xml) > LIMITS.max_report_bytes:
        _refuse(f"the report has {len(xml)} bytes, more than the {LIMITS.max_report_bytes} allowed")
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(xml, True)  # noqa: FBT003  # expat takes it by position only
    except expat.ExpatError as error:
        _refuse(f"the report is not xml: {expat.ErrorString(error.code)} at line {error.lineno}")
    except (ValueError, LookupError):
        # An encoding that Python does not know, or that is not a text encoding.
        _refuse("the report's encoding is unknown")
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

    def doctype(self, *_: object) -> None:
        _refuse("the report has a document type declaration, which no test runner writes")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if len(self.path) >= LIMITS.max_xml_depth:
            _refuse(f"elements nest more than {LIMITS.max_xml_depth} deep")
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
        name = _local(tag)
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
        self.cases.append({"id": _bounded(identifier), "outcome": "passed", "duration_ms": duration_ms})


def _local(tag: str) -> str:
    return tag.rpartition(":")[2].lower()


def _bounded(identifier: str) -> str:
    """Cut a long id, with a digest of all of it so that two long ones stay apart."""
    if len(identifier) <= LIMITS.max_case_id_chars:
        return identifier
    digest = hashlib.sha256(identifier.encode("utf-8")).hexdigest()[:16]
    return f"{identifier[: LIMITS.max_case_id_chars - len(digest) - 1]}~{digest}"


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
    raise MalformedReportError(
        message, "let the test runner write its junit xml report and hand it in unchanged"
    )
