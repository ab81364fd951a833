"""The output of `go test -json` (test2json) to `schemas/test_results.json`.

One JSON object per line with `Action`, `Package` and `Test`. A test's last word counts; a package that failed
without a test that did (it did not build, it panicked, its `TestMain` exited) is a case of its own that
broke. Format: `go doc test2json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from phasegate.validators.case_report import Cases
from phasegate.validators.errors import MalformedJsonError, MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse

_REMEDY = "run `go test -json ./...` and hand in all of what it prints"
_FINAL = {"pass": "passed", "fail": "failed", "skip": "skipped"}
_STARTED = "started"


def go_test_to_results(report: bytes) -> dict[str, Any]:
    """Return the test results that test2json events tell of; an id is `package::test`.

    A parent of subtests is a case too, as `go test` counts it. Lines that are no JSON object are passed over:
    build errors stand between the events.

    Raises:
        MalformedReportError: it holds no such event, or a package has not ended.
    """
    tests: dict[tuple[str, str], tuple[str, int]] = {}
    packages: dict[str, tuple[str, int]] = {}
    events = 0
    for event in _events(report):
        events += 1
        _take(event, tests, packages)
    if not events:
        _refuse("the output has no event of `go test -json`")
    return _gathered(tests, packages).results(sum(ms for _, ms in packages.values()))


def _events(report: bytes) -> Iterator[dict[str, Any]]:
    if len(report) > LIMITS.max_report_bytes:
        _refuse(f"the report has {len(report)} bytes, more than the {LIMITS.max_report_bytes} allowed")
    for raw in report.split(b"\n"):
        if not raw.lstrip().startswith(b"{"):
            continue
        try:
            value = parse(raw)
        except MalformedJsonError as error:
            _refuse(f"an event cannot be read: {error}")
        if isinstance(value, dict) and isinstance(value.get("Action"), str):
            yield value


def _take(
    event: dict[str, Any],
    tests: dict[tuple[str, str], tuple[str, int]],
    packages: dict[str, tuple[str, int]],
) -> None:
    action, package, test = event["Action"], event.get("Package", ""), event.get("Test", "")
    if not isinstance(package, str) or not isinstance(test, str):
        _refuse("the package or test of an event is no text")
    outcome = _FINAL.get(action) or (_STARTED if action in {"run", "start"} else "")
    if not outcome:
        return
    elapsed = event.get("Elapsed", 0)
    is_number = isinstance(elapsed, (int, float)) and not isinstance(elapsed, bool)
    milliseconds = round(elapsed * 1000) if is_number and 0 <= elapsed < 10**9 else 0
    if test:
        tests[package, test] = _later(tests.get((package, test)), outcome, milliseconds)
        packages.setdefault(package, (_STARTED, 0))
    elif package:
        packages[package] = _later(packages.get(package), outcome, milliseconds)


def _later(before: tuple[str, int] | None, outcome: str, milliseconds: int) -> tuple[str, int]:
    """With `-count=2` a test ends twice: one failure is enough."""
    if before is None or before[0] == _STARTED:
        return outcome, milliseconds
    if outcome == _STARTED or before[0] == "failed":
        return before
    return outcome, before[1] + milliseconds


def _gathered(tests: dict[tuple[str, str], tuple[str, int]], packages: dict[str, tuple[str, int]]) -> Cases:
    cases = Cases(_REMEDY)
    failed_in: set[str] = set()
    for (package, test), (outcome, milliseconds) in tests.items():
        # A test that began and has no end was cut off by a panic or a time limit.
        final = "error" if outcome == _STARTED else outcome
        if final in {"failed", "error"}:
            failed_in.add(package)
        cases.add(f"{package}::{test}", final, milliseconds)
    for package, (outcome, _) in packages.items():
        if outcome == _STARTED:
            _refuse(f"the package {quoted(package)} has not ended")
        if outcome == "failed" and package not in failed_in:
            cases.add(f"{package}::(package)", "error")
    return cases


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
