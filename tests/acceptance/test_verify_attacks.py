"""Promise: what VERIFY has shown is of one command, of the very tree, and of programs that nobody slipped in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from autopilot_work import TASK, Work
from lean_python import lean_python

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Witnessed
from phasegate.engine.app.witnessing.surroundings import place_for_trials

pytestmark = pytest.mark.attack

FORGED_COVERAGE = """import json
json.dump({"files": {"src/means.py": {"summary": {"num_statements": 1, "covered_lines": 1},
 "missing_lines": [], "executed_lines": [9]}}, "totals": {"num_statements": 1, "covered_lines": 1}},
 open("build/coverage.json", "w"))
"""
POISON = """import glob
from pathlib import Path


def test_poison():
    for found in glob.glob(f"PLACE/phasegate-protected-*/stands/test_poison.py"):
        Path(found).with_name("conftest.py").write_text("")
""".replace("PLACE", place_for_trials())


def junit_command() -> list[str]:
    """The command that runs the tests."""
    return [lean_python(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "build/junit.xml"]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """Given a task in VERIFY, the change made."""
    made = Work(tmp_path)
    assert made.open().accepted
    made.until("VERIFY")
    made.attest()
    return made


def codes(work: Work) -> set[str]:
    """The gate stays shut; codes of what keeps it so, each with a remedy."""
    result = work.advance()
    assert not result.accepted
    assert all(finding.remedy for finding in result.findings)
    return {finding.code for finding in result.findings if finding.blocks}


@pytest.mark.parametrize("kind", ["coverage", "junit"])
def test_no_second_command_replaces_one_report_of_the_first(work: Work, kind: str) -> None:
    assert work.witness().passed
    command = [lean_python(), "-c", FORGED_COVERAGE] if kind == "coverage" else junit_command()

    seen = witnessed(work, command, kind)

    assert not seen.passed
    assert seen.result.violation is not None
    assert seen.result.violation.violation == "not_witnessed"
    assert "one command" in seen.result.violation.remedy
    assert work.advance().accepted, "what the first command has shown stands"


def witnessed(work: Work, command: list[str], kind: str) -> Witnessed:
    """Witness a command with one report."""
    coverage, junit = Path("build/coverage.json"), Path("build/junit.xml")
    for report in (coverage, junit):
        (work.repository.root / report).unlink(missing_ok=True)
    chosen = {"junit": junit, "coverage": None} if kind == "junit" else {"junit": None, "coverage": coverage}
    with Engine.open(work.home) as engine:
        return engine.witness(
            TASK, "VERIFY", command, cwd=work.repository.root,
            junit=chosen["junit"], coverage=chosen["coverage"],
        )  # fmt: skip


@pytest.mark.parametrize("phase", ["REVIEW", "PR", "MONITOR"])
def test_source_changed_after_verify_shuts_each_later_gate(tmp_path: Path, phase: str) -> None:
    work = Work(tmp_path)
    assert work.open().accepted
    work.until(phase)
    work.do(phase)
    work.repository.write("src/means.py", "def mean(values):\n    return 0\n")

    assert "git.patch_content_differs" in codes(work)


def test_code_among_the_documents_is_part_of_the_change(work: Work) -> None:
    folder = work.repository.root / ".phasegate"
    folder.mkdir(exist_ok=True)
    (folder / "helper.py").write_text("VALUE = 1\n")
    (folder / "notes.md").write_text("# Notes\n")
    assert work.witness().passed

    result = work.advance()

    told = {finding.place for finding in result.findings if finding.code == "git.patch_differs"}
    assert any("helper.py" in place for place in told)
    assert not any("notes.md" in place for place in told)


def test_no_trial_is_known_by_where_it_runs(work: Work, tmp_path: Path) -> None:
    log = tmp_path / "places"
    work.repository.write("test_place.py", (
        f"import os\n\n\ndef test_place():\n    with open({str(log)!r}, 'a') as file:\n"
        "        print(os.getcwd(), file=file)\n    assert True\n"
    ))  # fmt: skip

    assert witnessed(work, junit_command(), "junit").passed

    seen = [Path(line) for line in log.read_text().split()]
    trials = [place for place in seen if place != work.repository.root]
    assert len(trials) == len({place.parent for place in trials}) == 2
    assert {place.name for place in trials} == {"tree"}
    assert len({place.parent.parent for place in trials}) == 1
    assert not any(word in str(place) for place in trials for word in ("canary", "plain"))


def test_tests_that_write_into_the_checkouts_are_not_evaluated(work: Work) -> None:
    work.repository.write("test_poison.py", POISON)

    assert witnessed(work, junit_command(), "junit").passed

    with Engine.open(work.home) as engine:
        digest = engine.state(TASK).evidence["protected_checks.json"].digest
        document = json.loads(engine.content(digest))
    assert "wrote into" in document["problem"]
    assert "protected.not_evaluated" in codes(work)
