"""The text of `python -m unittest -v` to `schemas/test_results.json`.

Only the verbose form names every test (`name (module.Class.name) ... ok`); without `-v` there is a row of
dots, which is refused. The report's own summary (`Ran 3 tests in 0.004s`, `OK` or `FAILED (...)`) must agree
with the lines. What a test prints stands in the same stream: a verdict counts only on the line of its test or
on the next ones up to the next test, and a summary that does not add up is refused rather than guessed at.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from phasegate.validators.case_report import Cases, report_lines
from phasegate.validators.errors import MalformedReportError

_REMEDY = "run `python -m unittest -v` and hand in all of what it prints, or let it write junit xml"
_CASE = re.compile(r"^(?P<method>[^\s(][^(]{0,400}?) \((?P<home>[^()\s]{1,400})\)(?P<rest>.*)$")
_SUBTEST = re.compile(
    r"^\s+\S[^(]{0,400} \([^()\s]{1,400}\) .{0,1000} \.\.\. (?P<verdict>FAIL|ERROR|skipped .{0,1000})$"
)
_VERDICT = re.compile(
    r"(?:^|\.\.\. (?:.{0,2000}?)?)"
    r"(?P<verdict>ok|FAIL|ERROR|expected failure|unexpected success|skipped (?:'.*'|\".*\"))$"
)
_BROKEN_FIXTURE = re.compile(
    r"^ERROR: (?P<fixture>setUpClass|tearDownClass|setUpModule|tearDownModule) \((?P<home>[^()\s]{1,400})\)$"
)
_RAN = re.compile(r"^Ran (?P<tests>[0-9]{1,9}) tests? in (?P<seconds>[0-9]{1,9}(?:\.[0-9]{1,9})?)s$")
_END = re.compile(r"^(?P<state>OK|FAILED|NO TESTS RAN)(?: \((?P<counts>[^()]{1,200})\))?$")
_OUTCOME = {
    "ok": "passed",
    "FAIL": "failed",
    "ERROR": "error",
    "expected failure": "passed",
    "unexpected success": "failed",
}
_FIXTURES = (".setUpClass", ".tearDownClass", ".setUpModule", ".tearDownModule")
_DECLARED = {"failures": "failed", "errors": "error", "unexpected successes": "failed"}


def unittest_text_to_results(report: bytes) -> dict[str, Any]:
    """Return the test results that unittest's verbose output tells of; an id is `module.Class.method`.

    A test that was expected to fail and did counts as passed; one that unexpectedly succeeded as failed, as
    unittest itself has it.

    Raises:
        MalformedReportError: it is not such output, is cut short, or contradicts itself.
    """
    lines = report_lines(report, _REMEDY)
    ends = [index for index, line in enumerate(lines) if _RAN.match(line)]
    if not ends:
        _refuse("the output has no line `Ran ... tests`")
    summary = _RAN.match(lines[ends[-1]])
    verdicts = _verdicts(lines[: ends[-1]])
    cases = Cases(_REMEDY)
    for identifier, outcome in (*verdicts, *_broken_fixtures(lines[: ends[-1]])):
        cases.add(identifier, outcome)
    _check_summary(lines[ends[-1] + 1 :], cases, int(summary["tests"]) if summary else 0)
    return cases.results(round(float(summary["seconds"]) * 1000) if summary else 0)


def _verdicts(lines: list[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    waiting = ""
    worst = ""
    for line in lines:
        if line.startswith("======"):
            # The details of failures follow, with the same names in another form.
            break
        case = _CASE.match(line)
        sub = _SUBTEST.match(line)
        if sub and waiting:
            worst = _worse(worst, _outcome(sub["verdict"]))
            continue
        if case:
            if waiting and worst:
                found.append((waiting, worst))
            waiting, worst = _identifier(case["method"], case["home"]), ""
        verdict = _VERDICT.search(case["rest"] if case else line)
        if waiting and verdict:
            found.append((waiting, _worse(worst, _outcome(verdict["verdict"]))))
            waiting, worst = "", ""
    if waiting and worst:
        found.append((waiting, worst))
    return found


def _broken_fixtures(lines: list[str]) -> list[tuple[str, str]]:
    """What prepares a class or module has no line of its own, only a heading among the details."""
    headings = (lines[index] for index in range(1, len(lines)) if lines[index - 1].startswith("======"))
    matches = (_BROKEN_FIXTURE.match(line) for line in headings)
    return [(f"{match['home']}.{match['fixture']}", "error") for match in matches if match]


def _identifier(method: str, home: str) -> str:
    """Python 3.11 and later write the method's name behind its class, earlier ones only the class."""
    return home if home.endswith(f".{method}") else f"{home}.{method}"


def _outcome(verdict: str) -> str:
    return "skipped" if verdict.startswith("skipped") else _OUTCOME[verdict]


def _worse(one: str, other: str) -> str:
    order = ("", "passed", "skipped", "failed", "error")
    return max(one, other, key=order.index)


def _check_summary(lines: list[str], cases: Cases, ran: int) -> None:
    end = next((match for line in lines if (match := _END.match(line.strip()))), None)
    if end is None:
        _refuse("the output does not end in `OK` or `FAILED`")
    # What prepares a class or module is listed when it breaks, and is no test.
    tests = sum(not case["id"].endswith(_FIXTURES) for case in cases.cases)
    # Python 3.12.1 and later do not count a skipped test as run, unless it began and skipped itself.
    if not tests - cases.count("skipped") <= ran <= tests:
        _refuse(f"the summary counts {ran} tests, but {tests} are listed")
    bad = cases.count("failed") + cases.count("error")
    if (end["state"] == "FAILED") != bool(bad):
        _refuse(f"the summary says `{end['state']}`, but {bad} listed tests failed")
    declared = dict(re.findall(r"([a-z ]+)=([0-9]{1,9})", (end["counts"] or "").replace(", ", ",")))
    failed = sum(int(count) for name, count in declared.items() if name.strip() in _DECLARED)
    # A subtest that fails counts once more in the summary than its test does in the list.
    if bad > failed:
        _refuse(f"the summary counts {failed} failures, but {bad} listed tests failed")


def _refuse(message: str) -> NoReturn:
    raise MalformedReportError(message, _REMEDY)
