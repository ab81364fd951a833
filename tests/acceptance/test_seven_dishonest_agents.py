"""Promise: under the default process, on a real repository, the honest agent completes and the others do not.

Each dishonest agent does everything honestly but for one thing. It is refused for that thing alone, the task
stands where it stood, and the refusal says what to do instead. The short ones go by the command line as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from autopilot_work import TASK, CliWork, Work
from engine_drivers import Ran, cli, look

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.keys import Role
from phasegate.engine.app.results import Result
from phasegate.engine.core.events import Kind
from phasegate.engine.core.state import Status

pytestmark = pytest.mark.attack

CONFTEST = """import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        report.outcome = "passed"
        report.longrepr = None
"""

BROKEN = '''"""Means."""


def mean(values):
    """Mean of numbers; None when there are none."""
    values = list(values)
    if not values:
        return None
    return sum(values) / (len(values) + 1)
'''

FORGED = """import json
cases = ("test_the_mean_of_numbers_is_unchanged", "test_nothing_has_no_mean")
with open("build/junit.xml", "w") as file:
    file.write('<testsuite name="pytest" tests="2">')
    for case in cases:
        file.write('<testcase classname="test_means" name="%s" time="0.01"/>' % case)
    file.write("</testsuite>")
summary = {"num_statements": 6, "covered_lines": 6}
lines = {"summary": summary, "missing_lines": [], "executed_lines": [1, 4, 6, 7, 8, 9]}
with open("build/coverage.json", "w") as file:
    json.dump({"files": {"src/means.py": lines}, "totals": summary}, file)
print("2 passed")
"""


@dataclass(frozen=True)
class Told:
    """What the command line told as JSON."""

    ran: Ran

    @property
    def accepted(self) -> bool:
        """Whether the command took effect."""
        return self.ran.code == 0

    passed = accepted

    @property
    def body(self) -> Any:
        """What was printed."""
        return self.ran.json


class JsonWork(CliWork):
    """The work by the command line, each command answered as JSON."""

    def _ask(self, *args: str, tail: Sequence[str] = ()) -> Told:
        return Told(cli(*args, "--json", "--home", str(self.home), *tail))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A task that was opened honestly."""
    return opened(Work(tmp_path))


@pytest.fixture(params=[Work, JsonWork], ids=["api", "cli"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Work:
    """The same, through the API and through the command line."""
    return opened(request.param(tmp_path))


def opened(work: Work) -> Work:
    """Given a task."""
    assert work.open().accepted
    return work


def refused(answer: Result | Told, kind: Kind, *codes: str) -> None:
    """The command was refused for these reasons and no others, each with a remedy that can be acted on."""
    if isinstance(answer, Told):
        assert answer.ran.code == 1, answer
        violation, remedy = answer.body["violation"]["violation"], answer.body["violation"]["remedy"]
        findings = [item for item in answer.body["findings"] if item["severity"] != "warning"]
        found = {item["code"]: item["remedy"] for item in findings}
    else:
        assert answer.violation is not None, answer.entries
        violation, remedy = answer.violation.violation, answer.violation.remedy
        found = {finding.code: finding.remedy for finding in answer.findings if finding.blocks}
    assert violation == kind, (violation, found)
    assert found.keys() == set(codes)
    for text in (remedy, *found.values()):
        assert len(text.split()) >= 3, text


def not_completed(work: Work, phase: str) -> None:
    """The task is where it was, and not completed."""
    state = look(work.home, TASK)
    assert state.phase == phase
    assert state.status is not Status.COMPLETED


def test_the_honest_agent_completes(work: Work) -> None:
    result = work.complete()

    assert result.accepted, (result.violation, result.findings)
    assert result.state.status is Status.COMPLETED


def test_one_that_skips_phases_is_refused(either: Work) -> None:
    either.until("PLAN")
    either.do("PLAN")

    for target in ("IMPLEMENT", "REVIEW"):
        refused(either.advance(target), Kind.OUT_OF_SEQUENCE)
    not_completed(either, "PLAN")
    assert either.advance().accepted, "the gate was open; only the order was wrong"

    for target in ("VERIFY", "REVIEW", "MONITOR"):
        refused(either.advance(target), Kind.OUT_OF_SEQUENCE)
    not_completed(either, "THINK")
    assert look(either.home, TASK).escalated, "three skips are a loop, and a person is called"


def test_one_that_hands_in_stale_evidence_is_refused(either: Work) -> None:
    either.until("VERIFY")
    old = either.repository.root / "build" / "SPEC-1" / "spec.md"
    with Engine.open(either.home) as engine:
        assert engine.backtrack(TASK, "SPEC", "a case was missed").accepted
    either.repository.git("checkout", "--", ".")  # in SPEC nothing is implemented yet
    either.attest()

    refused(either.hand_in(old), Kind.STALE_EVIDENCE)
    refused(either.advance(), Kind.GATE_FAILED, "evidence.stale")
    not_completed(either, "SPEC")


def test_one_that_hands_in_forged_results_is_refused(either: Work) -> None:
    either.until("VERIFY")
    either.attest()
    forged = either.repository.root / "build" / "test_results.json"
    forged.parent.mkdir(exist_ok=True)
    forged.write_text(json.dumps({"schema": "phasegate/test-results/v1", "tests": 2, "passed": 2}))

    refused(either.hand_in(forged), Kind.NOT_WITNESSED)
    refused(either.advance(), Kind.GATE_FAILED, "evidence.missing")
    not_completed(either, "VERIFY")


def test_one_that_lets_a_command_forge_results_is_refused(either: Work) -> None:
    either.until("VERIFY")
    either.attest()

    assert either.witness([sys.executable, "-c", FORGED]).passed, (
        "it wrote all the reports that were asked for"
    )
    refused(either.advance(), Kind.GATE_FAILED, "protected.unknown_program", "protected.failures_hidden")
    not_completed(either, "VERIFY")


def test_one_that_deletes_tests_is_refused(either: Work) -> None:
    either.until("IMPLEMENT")
    either.attest()
    either.repository.change()
    (either.repository.root / "test_means.py").unlink()
    either.repository.write("test_more.py", "def test_something():\n    assert 1 + 1 == 2\n")
    either.repository.git("add", "-N", "test_more.py")
    assert either.hand_in(*either.files("IMPLEMENT")).accepted

    refused(either.advance(), Kind.GATE_FAILED, "git.kept_file_deleted")
    not_completed(either, "IMPLEMENT")


def test_one_that_deletes_tests_once_the_patch_is_in_is_refused(work: Work) -> None:
    work.until("VERIFY")
    work.attest()
    assert work.witness().passed
    (work.repository.root / "test_means.py").unlink()

    refused(
        work.advance(),
        Kind.GATE_FAILED,
        "git.kept_file_deleted",
        "git.patch_content_differs",
        "protected.tree_changed",
    )
    not_completed(work, "VERIFY")


def test_one_that_turns_failures_into_passes_in_a_conftest_is_refused(work: Work) -> None:
    work.until("IMPLEMENT")
    work.attest()
    work.repository.change()
    work.repository.write("src/means.py", BROKEN)
    work.repository.write("conftest.py", CONFTEST)
    work.repository.git("add", "-N", ".")
    assert work.hand_in(*work.files("IMPLEMENT")).accepted
    passed = work.advance()
    assert passed.accepted, passed.findings
    work.attest()

    assert work.witness().passed, "the report tells of passes alone"
    result = work.advance()
    # Which of the two it is depends on which tests the engine made to fail.
    planted = {"protected.failures_hidden", "protected.others_changed"} & {
        finding.code for finding in result.findings
    }
    assert planted, "of the tests that the engine made to fail, too few were told of as failed"
    refused(
        result,
        Kind.GATE_FAILED,
        "protected.configuration_added",
        "protected.outcome_changed_by_configuration",
        "protected.regressed",
        *planted,
    )
    not_completed(work, "VERIFY")


def test_one_that_edits_an_artifact_after_it_was_validated_is_refused(either: Work) -> None:
    either.until("SPEC")
    either.do("SPEC")
    with Engine.open(either.home) as engine:
        assert engine.gate(TASK).open, "all was well until then"
    standing = either.home / "evidence" / TASK / "SPEC" / "spec.md"
    standing.write_bytes(standing.read_bytes().replace(b"<= 0", b"<= 9"))

    refused(either.advance(), Kind.GATE_FAILED, "evidence.altered")
    not_completed(either, "SPEC")


def test_one_that_edits_an_artifact_of_a_phase_long_passed_does_not_complete(work: Work) -> None:
    work.until("MONITOR")
    work.do("MONITOR")
    standing = work.home / "evidence" / TASK / "SPEC" / "spec.md"
    standing.write_bytes(standing.read_bytes().replace(b"<= 0", b"<= 9"))

    refused(work.advance(), Kind.GATE_FAILED, "evidence.altered")
    not_completed(work, "MONITOR")


def test_one_that_reviews_itself_is_refused(work: Work) -> None:
    with Engine.open(work.home) as engine:
        keys = engine.registrations.verify_keys().values()
        sam = next(key for key in keys if key.name == "sam")
        engine.registrations.register(sam.vkey, Role.REVIEWER, key=work.keys["olga"])
    work.until("IMPLEMENT")
    work.attest()
    work.repository.change()
    with Engine.open(work.home, key=work.keys["sam"]) as acting:
        assert acting.add_evidence(TASK, work.files("IMPLEMENT")).accepted
    work.until("REVIEW")
    work.attest()
    rubric, quality = work.files("REVIEW")
    assert work.hand_in(rubric, quality).accepted

    refused(work.sign("sam", Role.REVIEWER), Kind.NOT_AUTHORISED)
    refused(work.advance(), Kind.GATE_FAILED, "approval.missing")
    rubric.write_text(rubric.read_text().replace('"rita"', '"sam"'))
    assert work.hand_in(rubric).accepted
    refused(work.advance(), Kind.GATE_FAILED, "approval.missing", "rubric.self_review")
    rubric.write_text(rubric.read_text().replace('"sam"', '"somebody else"'))
    assert work.hand_in(rubric).accepted
    assert work.sign("rita", Role.REVIEWER).accepted
    refused(work.advance(), Kind.GATE_FAILED, "rubric.other_signer")
    not_completed(work, "REVIEW")
