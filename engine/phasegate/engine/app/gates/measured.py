"""Checks of what was measured: coverage, hermetic runs, and a score from a scorer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.gates.outcome import Outcome, Problem, Unable
from phasegate.engine.app.gates.programs import Reported, command_of, report_of
from phasegate.engine.app.gates.scanning import read_outside
from phasegate.engine.app.gates.subject import Subject
from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.validators.decimals import checked, shown
from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.excluded_lines import excluding_lines
from phasegate.validators.globs import globs
from phasegate.validators.limits import LIMITS
from phasegate.validators.parameters import number, text_parameter
from phasegate.validators.quoting import printable, quoted
from phasegate.validators.strict_json import parse

COVERAGE: Final = "coverage_report.json"


def changed_coverage(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether enough of the changed lines are run by tests, as diff-cover counts them.

    Parameters: `command`, which runs the tests in the working tree's copy and writes a Cobertura or lcov
    report to `{report}`; `suffix` of that file (default `xml`); or `report`, one that was made elsewhere;
    `least`, the percentage; `sources` and `excused`, patterns of the changed files that must be measured
    and of those that need not; `limit_s` and `exits` as `programs.report_of` has them.

    Raises:
        Unable: there is no report, or diff-cover is missing or says nothing that can be read.
    """
    least = number(params, "least")
    if least is None:
        raise Unable("`least` is not set", "set the least percentage at the rule")
    coverage = subject.scratch / f"coverage.{text_parameter(params, 'suffix', 'xml')}"
    tests = _measure(subject, params, coverage)
    reported = _diff_cover(subject, params, coverage)
    try:
        told = parse(reported.content)
        percent, lines = checked(str(told["total_percent_covered"])), int(told["total_num_lines"])
        measured = {str(path): stats for path, stats in told["src_stats"].items()}
        problems = [_uncovered(path, stats) for path, stats in measured.items() if stats["violation_lines"]]
    except (MalformedJsonError, ValueError, KeyError, TypeError) as error:
        raise Unable(f"what diff-cover reports cannot be read: {quoted(str(error))}", "report it") from error
    tools = tuple(one.tool for one in (tests, reported) if one is not None)
    notes = (f"{shown(percent, 2)} % of {lines} changed lines",)
    unmeasured = [*_unmeasured(subject, params, measured), *_taken_out(subject, measured)]
    if percent >= least and not unmeasured:
        return Outcome(tools=tools, notes=notes)
    message = f"{shown(percent, 2)} % of the changed lines are run, {shown(least)} % must be"
    whole = [Problem("change", message, "test them")] if percent < least else []
    return Outcome((*whole, *unmeasured, *problems), tools=tools, notes=notes)


def _diff_cover(subject: Subject, params: Mapping[str, Any], coverage: Path) -> Reported:
    said, patch = subject.scratch / "diff-cover.json", subject.scratch / "change.diff"
    said.unlink(missing_ok=True)
    patch.write_text(subject.patch(), encoding="utf-8", errors="surrogateescape")
    argv = (
        *("diff-cover", str(coverage), "--diff-file", str(patch), "--format", f"json:{said}"),
        *("--total-percent-float", "--quiet"),
    )
    # It asks git for the root of what it looks at.
    try:
        run_git(("init", "--quiet", "--template=", str(subject.tree)), {})
        return report_of(subject, {**params, "exits": [0]}, argv, said)
    except GitUnavailable as error:
        raise Unable(f"git cannot be used: {error}", "install git") from error
    finally:
        shutil.rmtree(subject.tree / ".git", ignore_errors=True)


def _unmeasured(subject: Subject, params: Mapping[str, Any], measured: Mapping[str, Any]) -> list[Problem]:
    """Changed sources of which the report says nothing: diff-cover leaves them out of its count."""
    sources, excused = globs(params, "sources"), globs(params, "excused")
    return [
        Problem(printable(path), f"the coverage report says nothing of {quoted(path)}", "measure it")
        for path, lines in subject.changed_lines.items()
        if lines and path not in measured and sources.matches(path) and not excused.matches(path)
    ]


def _taken_out(subject: Subject, measured: Mapping[str, Any]) -> Iterator[Problem]:
    """Changed lines that take themselves or others out of the measurement."""
    for path in measured:
        lines = (subject.text(path) or "").split("\n")  # as git counts them
        changed = frozenset(subject.changed_lines.get(path, ()))
        for line in excluding_lines(enumerate(lines, start=1)):
            if line in changed:
                message = f"line {line} takes itself or others out of the measurement"
                yield Problem(f"{printable(path)}:{line}", message, "take the mark out, and test what it hid")


def _measure(subject: Subject, params: Mapping[str, Any], coverage: Path) -> Reported | None:
    if "report" in params:
        coverage.write_bytes(
            read_outside(subject, text_parameter(params, "report", ""), LIMITS.max_report_bytes)
        )
        return None
    argv = command_of(subject, params, report=coverage)
    if not argv:
        remedy = "set `command`, which runs the tests and writes coverage to `{report}`"
        raise Unable("no command measures the coverage", remedy)
    reported = report_of(subject, {"exits": [0], **params}, argv, coverage)
    if not coverage.is_file():
        raise Unable(f"{quoted(argv[0])} wrote no coverage report", "let it write one to `{report}`")
    return reported


def _uncovered(path: str, stats: Mapping[str, Any]) -> Problem:
    lines = ", ".join(str(line) for line in stats["violation_lines"][:10])
    return Problem(printable(path), f"no test runs line {lines}", "test these lines")


def coverage_kept(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether coverage did not fall since it last passed, or below what policy has as the baseline.

    Parameters: `baseline`, a percentage; `max_drop`, percentage points it may fall (default 0).

    Raises:
        Unable: no coverage was witnessed, or there is nothing to compare it with.
    """
    if COVERAGE not in subject.documents:
        raise Unable("no coverage was witnessed", "witness the tests with `--coverage FILE`")
    now = _percent(subject.documents[COVERAGE])
    before = [_percent(content) for content in subject.previous.get(COVERAGE, ())][-1:]
    baseline = number(params, "baseline")
    before += [baseline] if baseline is not None else []
    if not before:
        raise Unable("there is no coverage to compare with", "set `baseline` at the rule")
    least = max(before) - (number(params, "max_drop") or 0)
    if now >= least:
        return Outcome(notes=(f"{shown(now)} %, before {shown(max(before))} %",))
    message = f"coverage fell to {shown(now)} %, {shown(least)} % must be kept"
    return Outcome((Problem(COVERAGE, message, "add tests"),))


def _percent(content: bytes) -> Fraction:
    try:
        return checked(parse(content)["total_percent"])
    except (MalformedJsonError, KeyError, TypeError, ValueError) as error:
        raise Unable("a coverage report cannot be read", "witness the tests again") from error


def hermetic(subject: Subject, _params: Mapping[str, Any]) -> Outcome:
    """Whether the tests that count ran without network.

    Raises:
        Unable: the engine ran no tests in this attempt.
    """
    tests = subject.tests
    if tests is None:
        raise Unable(
            "the engine ran no tests in this attempt", "run them: `engine witness TASK --hermetic ...`"
        )
    if tests.hermetic:
        return Outcome()
    command = printable(" ".join(tests.argv))
    remedy = "run them again with `engine witness --hermetic`"
    return Outcome((Problem("witness", f"the tests ran with network: `{command}`", remedy),))


def reward(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether a scorer gives at least a score; without a scorer there is nothing to hold it against.

    Parameters: `command`, run in the working tree's copy with the documents in `{documents}`; it prints
    `{"score": "0.83"}`; `least`, the score.

    Raises:
        Unable: the scorer fails, or prints something else.
    """
    least = number(params, "least")
    folder = subject.scratch / "documents"
    argv = command_of(subject, params, documents=folder)
    if not argv:
        return Outcome(notes=("no scorer is configured",))
    folder.mkdir(exist_ok=True)
    for name, content in subject.documents.items():
        (folder / name).write_bytes(content)
    reported = report_of(subject, {"exits": [0], **params}, argv, subject.scratch / "no-report")
    try:
        score = checked(str(parse(reported.content)["score"]))
    except (MalformedJsonError, KeyError, TypeError, ValueError) as error:
        raise Unable("the scorer did not print a score", 'let it print `{"score": "0.83"}`') from error
    if least is None:
        raise Unable("`least` is not set", "set the least score at the rule")
    if score >= least:
        return Outcome(tools=(reported.tool,), notes=(f"score {shown(score)}",))
    message = f"the score is {shown(score)}, {shown(least)} is the least"
    return Outcome((Problem("score", message, "do better by the scorer's measure"),), tools=(reported.tool,))
