"""Promise: what an artifact is compared with comes from the engine: earlier attempts, implementers, the commit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_drivers import validate_checkpoint
from small_repository import SmallRepository

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput
from phasegate.policies.loader import parse_process

pytestmark = pytest.mark.attack

TASK = "T-1"
PROCESS = b"""
process: compared
version: 1
title: Evidence is compared with what the engine knows
repository:
  any: {allow: ["**"]}
phases:
  - name: BUILD
    purpose: Make it.
    implements: true
    evidence:
      - name: notes.md
  - name: VERIFY
    purpose: Test it.
    evidence:
      - name: test_results.json
        origin: witnessed
        witness: junit
        checks:
          - use: test_results
          - use: test_history
      - name: coverage_report.json
        origin: witnessed
        witness: coverage
        checks:
          - use: coverage
            params: {max_drop: "1"}
  - name: REVIEW
    purpose: Judge it.
    evidence:
      - name: review_rubric.json
        checks:
          - use: reviewer
  - name: PR
    purpose: Show it.
    git: any
    evidence:
      - name: ci_results.json
        reusable: true
        checks:
          - use: ci_commit
forward: {BUILD: [VERIFY], VERIFY: [REVIEW], REVIEW: [PR]}
backtrack: {VERIFY: [BUILD], REVIEW: [BUILD], PR: [BUILD]}
"""
MEASURE = """
import json, sys
covered, *names = sys.argv[1:]
cases = "".join(f'<testcase classname="t" name="{name}" time="0.01"/>' for name in names)
open("junit.xml", "w").write(f'<testsuite name="s" tests="{len(names)}">{cases}</testsuite>')
summary = {"num_statements": 100, "covered_lines": int(covered)}
entry = {"summary": summary, "missing_lines": []}
json.dump({"files": {"a.py": entry}, "totals": summary}, open("coverage.json", "w"))
"""


class Task:
    """One task under `PROCESS`."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.repository = SmallRepository(folder / "repository")
        self.engine = engine
        self._folder = folder
        self._documents = 0
        process = parse_process(PROCESS, "compared.yaml")
        assert engine.open_task(TASK, process, repository=self.repository.root).accepted

    def add(self, name: str, text: str) -> None:
        """Hand in a document."""
        self._documents += 1
        place = self._folder / str(self._documents)
        place.mkdir()
        (place / name).write_text(text)
        assert self.engine.add_evidence(TASK, [place / name]).accepted

    def build(self) -> None:
        """Do the first phase."""
        self.add("notes.md", f"notes {self._documents}")
        assert self.engine.advance(TASK).accepted

    def verify(self, tests: str, covered: int = 90) -> list[str]:
        """Witness these tests with this coverage; returns why the gate refuses."""
        place = self._folder / "run"
        place.mkdir(exist_ok=True)
        for report in place.iterdir():
            report.unlink()
        command = [sys.executable, "-I", "-S", "-c", MEASURE, str(covered), *tests.split()]
        reports = {"junit": Path("junit.xml"), "coverage": Path("coverage.json")}
        assert self.engine.witness(TASK, "VERIFY", command, cwd=place, **reports).passed
        return self.advance()

    def advance(self) -> list[str]:
        """Ask to leave the phase; returns the codes it is refused with."""
        result = self.engine.advance(TASK)
        assert result.accepted == (result.violation is None)
        return sorted({finding.code for finding in result.findings if finding.blocks})

    def again(self) -> None:
        """Go back and do the first phase anew."""
        assert self.engine.backtrack(TASK, "BUILD", "once more").accepted
        self.build()

    def review(self, reviewer: str) -> list[str]:
        """Hand in a rubric."""
        scores = dict.fromkeys(("readability", "maintainability", "performance", "security", "governance"), 8)
        text = json.dumps({"reviewer": reviewer, "dimensions": scores, "mark": self._documents})
        self.add("review_rubric.json", text)
        return self.advance()

    def ci(self, commit: str) -> list[str]:
        """Hand in results of continuous integration on a commit."""
        self.add("ci_results.json", json.dumps({"status": "success", "commit": commit}))
        return self.advance()


@pytest.fixture
def task(tmp_path: Path) -> Iterator[Task]:
    """A task in VERIFY."""
    with Engine.init(tmp_path / "state") as engine:
        made = Task(tmp_path, engine)
        made.build()
        yield made


def audited(task: Task) -> set[str]:
    """Codes the audit finds."""
    found = audit(task.engine)
    assert found.ledger.ok
    assert [fault for one in found.tasks for fault in one.faults] == []
    return {finding.code for one in found.tasks for finding in one.findings} - {"process.not_accepted"}


VANISHED = ["test_history.shrank", "test_history.vanished"]


def test_a_test_of_the_last_attempt_may_not_vanish(task: Task) -> None:
    assert task.verify("one two") == []
    task.again()

    assert task.verify("one", covered=90) == VANISHED
    assert task.verify("one two") == []


def test_a_test_that_failed_its_gate_may_not_vanish_in_two_steps(task: Task) -> None:
    assert task.verify("one two three") == []
    task.again()
    assert task.verify("one two") == VANISHED
    task.again()

    assert task.verify("one two") == VANISHED
    assert task.verify("one two three") == []


def test_coverage_may_not_fall_in_two_steps(task: Task) -> None:
    assert task.verify("one", covered=95) == []
    task.again()
    assert task.verify("one", covered=90) == ["coverage.dropped"]
    task.again()

    assert task.verify("one", covered=90) == ["coverage.dropped"]
    assert task.verify("one", covered=94) == []


def test_an_earlier_attempt_that_was_destroyed_is_not_taken_for_a_first(task: Task) -> None:
    assert task.verify("one two") == []
    digest = task.engine.state(TASK).evidence["test_results.json"].digest
    task.again()
    for path in (task.engine.home.root / "objects").rglob(f"*{digest[4:]}*"):
        path.unlink()

    assert task.verify("one two three") == ["companion.malformed"]


def test_whoever_implemented_is_not_the_reviewer_however_the_name_is_written(task: Task) -> None:
    assert task.verify("one") == []
    (who,) = task.engine.state(TASK).workers["BUILD"]
    name = who.partition(":")[2]

    assert task.review(name.upper()) == ["rubric.self_review"]
    assert task.review(f" {name[:1]}-{name[1:]} ") == ["rubric.self_review"]
    assert task.review("somebody else") == []


def test_continuous_integration_ran_on_the_very_commit(task: Task) -> None:
    assert task.verify("one") == []
    assert task.review("somebody else") == []
    old = task.repository.git("rev-parse", "HEAD").strip()
    task.repository.change()
    new = task.repository.commit("A mean of nothing")

    assert task.ci(old) == ["ci.other_commit"]
    assert task.ci(new) == []


def test_the_audit_compares_again_with_what_stood_at_the_gate(task: Task) -> None:
    assert task.verify("one two") == []
    task.again()
    assert task.verify("one two three") == []
    assert task.review("somebody else") == []
    assert task.ci(task.repository.git("rev-parse", "HEAD").strip()) == []
    assert audited(task) == set()

    task.repository.change()
    task.repository.commit("Later work")
    assert audited(task) == set(), "the commit of the gate counts, not a later one"


def test_the_audit_sees_that_an_earlier_attempt_was_destroyed(task: Task) -> None:
    assert task.verify("one two") == []
    digest = task.engine.state(TASK).evidence["test_results.json"].digest
    task.again()
    assert task.verify("one two three") == []
    for path in (task.engine.home.root / "objects").rglob(f"*{digest[4:]}*"):
        path.unlink()

    assert audited(task) == {"companion.malformed"}
    ran = validate_checkpoint("--json", "--home", str(task.engine.home.root))
    assert ran.code in {1, 3}


def test_nobody_hands_in_what_the_engine_knows(task: Task, tmp_path: Path) -> None:
    (tmp_path / "actors.json").write_text("{}")

    for name in ("facts:actors.json", "previous:test_results.json"):
        with pytest.raises(BadInput, match="is not an artifact name"):
            task.engine.add_evidence(TASK, [tmp_path / "actors.json"], name)
