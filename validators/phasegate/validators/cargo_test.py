"""The text of `cargo test` to `schemas/test_results.json`.

libtest prints `test path::name ... ok` for each test and `test result: ok. 3 passed; 0 failed; ...` for each
binary, which must agree. Its JSON form is unstable (`-Z unstable-options`), so the text is read. A binary's
name (`Running unittests src/lib.rs (target/...)`) stands before its tests and becomes part of the id, because
two binaries may hold tests of one name.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NoReturn

from phasegate.validators.case_report import Cases, report_lines
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.quoting import quoted

_REMEDY = "run `cargo test --no-fail-fast` and hand in all of what it prints"
_BINARY = re.compile(
    r"^\s*(?:Running (?P<path>\S.{0,400}?)(?: \([^()]{1,400}\))?|Doc-tests (?P<doc>\S{1,200}))$"
)
_CASE = re.compile(
    r"^test (?P<name>\S.{0,400}?) \.\.\. (?:.{0,2000}?)?"
    r"(?P<verdict>ok|FAILED|ignored)(?:, .{0,400}| <[0-9.]{1,20}s>)?$"
)
_OPEN = re.compile(r"^test (?P<name>\S.{0,400}?) \.\.\. ")
_LATE = re.compile(r"^(?P<verdict>ok|FAILED)$")
_RUNNING = re.compile(r"^running (?P<tests>[0-9]{1,9}) tests?$")
_RESULT = re.compile(
    r"^test result: (?P<state>ok|FAILED)\. (?P<passed>[0-9]{1,9}) passed; (?P<failed>[0-9]{1,9}) failed; "
    r"(?P<ignored>[0-9]{1,9}) ignored;.*?(?:finished in (?P<seconds>[0-9]{1,9}(?:\.[0-9]{1,9})?)s)?$"
)
_OUTCOME = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}


def cargo_test_to_results(report: bytes) -> dict[str, Any]:
    """Return the test results that `cargo test` printed; an id is `binary::path::name`.

    Raises:
        MalformedReportError: it is not such output, is cut short, or contradicts itself.
    """
    cases = Cases(_REMEDY)
    seen: Counter[str] = Counter()
    binary, waiting, is_open, is_listing, blocks, milliseconds = "", "", False, False, 0, 0
    for line in report_lines(report, _REMEDY):
        if named := _BINARY.match(line):
            binary = named["path"] or f"doc-tests {named['doc']}"
        elif _RUNNING.match(line):
            if is_open:
                _refuse("a test binary has no `test result` line: it ended before its tests did")
            is_open, seen, waiting, is_listing = True, Counter(), "", True
        elif (result := _RESULT.match(line)) and is_open:
            _check(result, seen)
            is_open, blocks = False, blocks + 1
            milliseconds += round(float(result["seconds"] or 0) * 1000)
        elif line == "failures:":
            # What failed tests printed follows, and may look like anything.
            is_listing = False
        elif is_open and is_listing:
            waiting = _case(line, binary, waiting, cases, seen)
    if is_open or not blocks:
        _refuse("the output has no `test result` line, or its last one is missing")
    return cases.results(milliseconds)


def _case(line: str, binary: str, waiting: str, cases: Cases, seen: Counter[str]) -> str:
    """Take a line inside a block; returns the test whose verdict is still to come."""
    match = _CASE.match(line)
    late = _LATE.match(line) if waiting else None
    if match is None and late is None:
        opened = _OPEN.match(line)
        return opened["name"] if opened else waiting
    name = match["name"] if match else waiting
    verdict = match["verdict"] if match else late["verdict"] if late else ""
    cases.add(f"{binary}::{name}" if binary else name, _OUTCOME[verdict])
    seen[_OUTCOME[verdict]] += 1
    return ""


def _check(result: re.Match[str], seen: Counter[str]) -> None:
    declared = {"passed": result["passed"], "failed": result["failed"], "skipped": result["ignored"]}
    for outcome, count in declared.items():
        if int(count) != seen[outcome]:
            _refuse(f"{quoted(result[0])} does not agree with the tests listed: {seen[outcome]} {outcome}")
    if (result["state"] == "FAILED") != bool(seen["failed"]):
        _refuse(f"{quoted(result[0])} contradicts itself")


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
