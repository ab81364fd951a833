"""Cobertura XML to `schemas/coverage_report.json`.

Each class's own lines count (those under `class/lines`; what stands under `method/lines` repeats them), and
lines of several classes of one file are joined. The rates in the report's head are not read: they are
rounded, and everything they say follows from the lines. Format: Cobertura's `coverage-04.dtd`, as
coverage.py, gcovr, JaCoCo converters and others write it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from phasegate.validators.coverage_report import FileCoverage, report_of
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.untrusted_xml import Handlers, read_xml

_REMEDY = "let the tool write its cobertura xml report and hand it in unchanged"
_COUNT = re.compile(r"[0-9]{1,15}")
_BRANCHES = re.compile(r"[0-9.]{1,10}% \((?P<covered>[0-9]{1,9})/(?P<all>[0-9]{1,9})\)")


def cobertura_to_report(xml: bytes) -> dict[str, Any]:
    """Return the report in the shape that `coverage_report.report_of` describes.

    Paths are those of the attribute `filename`.

    Raises:
        MalformedReportError: it is not such a report, is hostile, measures nothing, or contradicts itself.
    """
    reader = _Reader()
    read_xml(xml, Handlers(reader.start, reader.end, doctype_allowed=True), _REMEDY)
    return report_of({name: _coverage(lines) for name, lines in reader.files.items()}, _REMEDY)


@dataclass(slots=True)
class _Line:
    hits: int = 0
    covered: int = 0
    branches: int = 0


@dataclass(slots=True)
class _Reader:
    path: list[str] = field(default_factory=list)
    files: dict[str, dict[int, _Line]] = field(default_factory=dict)
    current: dict[int, _Line] = field(default_factory=dict)
    lines: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.path and tag != "coverage":
            _refuse(f"the report begins with {quoted(tag)}, not with `coverage`")
        if tag == "class":
            name = attributes.get("filename", "").strip()
            if not name:
                _refuse("a class of the report names no file")
            self.current = self.files.setdefault(name, {})
        elif tag == "line" and self.path[-2:] == ["class", "lines"]:
            self._line(attributes)
        self.path.append(tag)

    def end(self, tag: str) -> None:  # noqa: ARG002  # the handler's shape
        self.path.pop()

    def _line(self, attributes: dict[str, str]) -> None:
        self.lines += 1
        if self.lines > LIMITS.max_report_values:
            _refuse(f"the report has more than {LIMITS.max_report_values} lines")
        number, hits = _count(attributes, "number"), _count(attributes, "hits")
        if number < 1:
            _refuse("a line of the report has no number")
        line = self.current.setdefault(number, _Line())
        # One file may hold several classes, and a line of both ran if it ran in either.
        line.hits += hits
        condition = _BRANCHES.fullmatch(attributes.get("condition-coverage", "").strip())
        if condition and attributes.get("branch", "").lower() == "true":
            covered, whole = int(condition["covered"]), int(condition["all"])
            if covered > whole:
                _refuse(f"line {number} of the report covers more branches than it has")
            line.covered, line.branches = max(line.covered, covered), max(line.branches, whole)


def _coverage(lines: dict[int, _Line]) -> FileCoverage:
    executed = [number for number, line in lines.items() if line.hits]
    return FileCoverage(
        statements=len(lines),
        covered=len(executed),
        executed=executed,
        missing=[number for number, line in lines.items() if not line.hits],
        branches=sum(line.branches for line in lines.values()),
        covered_branches=sum(line.covered for line in lines.values()),
    )


def _count(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "").strip()
    if not _COUNT.fullmatch(text):
        _refuse(f"{quoted(name)} of a line is {quoted(text)}, which is no count")
    return int(text)


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
