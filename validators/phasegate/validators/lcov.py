"""lcov tracefiles to `schemas/coverage_report.json`.

Records run from `SF:` to `end_of_record`; `DA:line,hits` and `BRDA:line,block,branch,taken` are counted, and
the summaries `LF` and `LH` must not claim more than the lines show. Several records of one file (one per
test) are joined. Format: geninfo(1), "TRACEFILE FORMAT".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from phasegate.validators.case_report import report_lines
from phasegate.validators.coverage_report import FileCoverage, report_of
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.quoting import quoted

_REMEDY = "let the tool write its lcov tracefile and hand it in unchanged"
_LINE = re.compile(r"DA:(?P<line>[0-9]{1,9}),(?P<hits>-?[0-9]{1,18})(?:,\S{1,200})?")
_BRANCH = re.compile(r"BRDA:(?P<key>[0-9]{1,9},e?[0-9]{1,18},.{1,400}),(?P<taken>-|[0-9]{1,18})")
_SUMMARY = re.compile(r"(?P<name>LF|LH):(?P<count>[0-9]{1,9})")


@dataclass(slots=True)
class _File:
    hits: dict[int, int] = field(default_factory=dict)
    branches: dict[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class _Record:
    """One record that is open: its own lines, apart from those of other records of the file."""

    path: str
    hits: dict[int, int] = field(default_factory=dict)
    declared: dict[str, int] = field(default_factory=dict)


def lcov_to_report(trace: bytes) -> dict[str, Any]:
    """Return the report in the shape that `coverage_report.report_of` describes; paths are those of `SF`.

    Raises:
        MalformedReportError: it is not such a file, measures nothing, is cut short, or contradicts itself.
    """
    files: dict[str, _File] = {}
    record: _Record | None = None
    for line in report_lines(trace, _REMEDY):
        text = line.strip()
        if text.startswith("SF:"):
            if record is not None:
                _refuse(f"the record of {quoted(record.path)} has no end")
            record = _Record(text[3:].strip())
            files.setdefault(record.path, _File())
        elif record is not None and text == "end_of_record":
            _close(record, files[record.path])
            record = None
        elif record is not None:
            _take(text, record, files[record.path])
    if record is not None:
        _refuse(f"the record of {quoted(record.path)} has no end")
    if "" in files:
        _refuse("a record names no file")
    return report_of({path: _coverage(file) for path, file in files.items()}, _REMEDY)


def _take(text: str, record: _Record, file: _File) -> None:
    if text.startswith("DA:"):
        match = _LINE.fullmatch(text)
        if match is None or int(match["line"]) < 1:
            _refuse(f"{quoted(text)} is no line record")
        number, hits = int(match["line"]), max(int(match["hits"]), 0)
        record.hits[number] = record.hits.get(number, 0) + hits
    elif text.startswith("BRDA:"):
        branch = _BRANCH.fullmatch(text)
        if branch is None:
            _refuse(f"{quoted(text)} is no branch record")
        taken = branch["taken"] not in {"-", "0"}
        file.branches[branch["key"]] = file.branches.get(branch["key"], False) or taken
    elif summary := _SUMMARY.fullmatch(text):
        record.declared[summary["name"]] = int(summary["count"])


def _close(record: _Record, file: _File) -> None:
    found, hit = len(record.hits), sum(count > 0 for count in record.hits.values())
    for name, shown in (("LF", found), ("LH", hit)):
        if record.declared.get(name, shown) != shown:
            _refuse(f"{name} of {quoted(record.path)} is {record.declared[name]}, but its lines show {shown}")
    for number, count in record.hits.items():
        file.hits[number] = file.hits.get(number, 0) + count


def _coverage(file: _File) -> FileCoverage:
    executed = [number for number, hits in file.hits.items() if hits]
    return FileCoverage(
        statements=len(file.hits),
        covered=len(executed),
        executed=executed,
        missing=[number for number, hits in file.hits.items() if not hits],
        branches=len(file.branches),
        covered_branches=sum(file.branches.values()),
    )


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
