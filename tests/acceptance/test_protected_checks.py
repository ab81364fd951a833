"""Promise: tests that were weakened, silenced or talked round do not pass VERIFY; an honest change does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lean_python import lean_python
from small_repository import CHANGED, CHANGED_TESTS, SOURCE, TESTS, SmallRepository

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Result, Witnessed
from phasegate.policies.model import Process

pytestmark = pytest.mark.attack

TASK = "IMP-9"
BROKEN = SOURCE.replace("/ len(values)", "/ (len(values) + 1)")

CONFTEST = """import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        report.outcome = "passed"
        report.longrepr = None
"""

FORGED = """import os
import sys

os.makedirs("build", exist_ok=True)
with open("build/junit.xml", "w") as file:
    file.write('<testsuite name="pytest" tests="1"><testcase classname="test_means" '
               'name="test_the_mean_of_numbers_is_unchanged" time="0.1"/></testsuite>')
os._exit(0)
"""


def process(**params: Any) -> Process:
    """VERIFY with the results, the log and the protected checks; then DONE."""
    return Process.model_validate(
        {
            "process": "protecting",
            "version": 1,
            "title": "A process for tests",
            "phases": [
                {
                    "name": "VERIFY",
                    "purpose": "to be left",
                    "git": "anything",
                    "evidence": [
                        {"name": "test_results.json", "origin": "witnessed", "witness": "junit",
                         "checks": [{"use": "test_results"}]},
                        {"name": "protected_checks.json", "origin": "witnessed", "witness": "protected",
                         "checks": [{"use": "protected_checks", "params": params}]},
                    ],
                },
                {"name": "DONE", "purpose": "to be reached"},
            ],
            "forward": {"VERIFY": ["DONE"]},
            "backtrack": {"DONE": ["VERIFY"]},
            "repository": {"anything": {"allow": ["**"]}},
        }
    )  # fmt: skip


class Work:
    """A task on a small repository, opened at its first commit.

    Args:
        folder: where home and repository go.
        params: parameters of the check.
    """

    def __init__(self, folder: Path, **params: Any) -> None:
        self.repository = SmallRepository(folder / "repo")
        self.engine = Engine.init(folder / "home")
        opened = self.engine.open_task(TASK, process(**params), repository=self.repository.root)
        assert opened.accepted

    def command(self, *args: str) -> list[str]:
        """The test command, without configuration of its own."""
        (self.repository.root / "build").mkdir(exist_ok=True)
        return [lean_python(), "-m", "pytest", "-q", "--junitxml", "build/junit.xml", *args]

    def verify(self, *args: str, command: list[str] | None = None, hermetic: bool = False) -> Witnessed:
        """Witness the tests."""
        (self.repository.root / "build" / "junit.xml").unlink(missing_ok=True)
        return self.engine.witness(
            TASK, "", command or self.command(*args), junit=Path("build/junit.xml"),
            cwd=self.repository.root, hermetic=hermetic,
        )  # fmt: skip

    def leave(self) -> Result:
        """Try to leave VERIFY."""
        return self.engine.advance(TASK)

    def document(self) -> dict[str, Any]:
        """What the protected checks found."""
        digest = self.engine.state(TASK).evidence["protected_checks.json"].digest
        found: dict[str, Any] = json.loads(self.engine.content(digest))
        return found


@pytest.fixture
def work(tmp_path: Path):
    """Given a task on a repository."""
    made = Work(tmp_path)
    yield made
    made.engine.close()


def refused(work: Work) -> set[str]:
    """The gate stays shut; codes of what keeps it so, each with a remedy."""
    result = work.leave()
    assert not result.accepted
    assert all(finding.remedy for finding in result.findings)
    return {finding.code for finding in result.findings if finding.blocks}


def test_an_honest_change_with_new_tests_passes(work: Work) -> None:
    work.repository.change()
    work.repository.write("test_more.py", "import test_means\n\n\ndef test_more():\n    assert test_means\n")

    seen = work.verify()

    assert seen.passed, seen
    result = work.leave()
    assert result.accepted, [(finding.code, finding.message) for finding in result.findings]
    document = work.document()
    assert [run["name"] for run in document["runs"]] == ["plain", "base", "protected", "canary"]
    assert 1 <= document["canary"]["planted"] == document["canary"]["failed"] < 3
    assert document["differing"] == document["lost"] == document["configuration"] == []
    assert (
        document["unseen"]
        == document["rewritten"]
        == document["command"]
        == document["canary"]["others"]
        == []
    )


def test_the_working_tree_and_its_reports_are_left_as_they_are(work: Work) -> None:
    work.repository.change()
    before = work.repository.git("status", "--porcelain")

    work.verify()

    assert work.repository.git("status", "--porcelain") == before
    assert b"test_nothing_has_no_mean" in (work.repository.root / "build" / "junit.xml").read_bytes()


def broken_with(work: Work, **files: str) -> None:
    """A source that is wrong, and what is to hide it."""
    work.repository.write("src/means.py", BROKEN)
    for name, text in files.items():
        work.repository.write(f"{name}.py", text)


def test_a_conftest_that_turns_failures_into_passes_does_not_get_through(work: Work) -> None:
    broken_with(work, conftest=CONFTEST)

    seen = work.verify()

    assert seen.passed, "the trick works on the report alone"
    assert refused(work) >= {
        "protected.configuration_added",
        "protected.regressed",
        "protected.outcome_changed_by_configuration",
    }


def test_a_conftest_that_git_ignores_does_not_get_through(work: Work) -> None:
    broken_with(work, conftest=CONFTEST)
    (work.repository.root / ".gitignore").write_text("__pycache__/\nbuild/\nconftest.py\n")

    assert work.verify().passed
    assert refused(work) >= {"protected.regressed", "protected.outcome_changed_by_configuration"}


def test_a_report_forged_by_a_conftest_that_ends_the_run_does_not_get_through(work: Work) -> None:
    broken_with(work, conftest=FORGED)

    assert work.verify().passed
    assert refused(work) >= {"protected.configuration_added", "protected.regressed"}


def test_a_report_forged_by_a_new_test_module_does_not_get_through(work: Work) -> None:
    broken_with(work, test_aaa=FORGED)

    assert work.verify().passed
    assert refused(work) >= {"protected.regressed", "protected.failures_hidden"}


def test_a_plugin_that_a_new_test_module_brings_does_not_get_through(work: Work) -> None:
    # The tests of the base commit pass; what is hidden is a new test that fails.
    work.repository.change()
    work.repository.write("helping.py", CONFTEST)
    work.repository.write("test_more.py", "pytest_plugins = 'helping'\n\n\ndef test_more():\n    assert 0\n")

    assert work.verify().passed
    assert "protected.failures_hidden" in refused(work)


@pytest.mark.parametrize("how", ["-p", "sh", "env"])
def test_a_plugin_in_the_command_does_not_get_through(work: Work, how: str) -> None:
    broken_with(work, helping=CONFTEST)
    pytest_ = " ".join(work.command())
    command = {
        "-p": work.command("-p", "helping"),
        "sh": ["sh", "-c", f"{pytest_} -p helping"],
        "env": ["env", "PYTEST_ADDOPTS=-p helping", *work.command()],
    }[how]

    assert work.verify(command=command).passed
    named = "protected.environment_in_command" if how == "env" else "protected.plugin_in_command"
    assert refused(work) >= {named, "protected.failures_hidden"}


def test_a_plugin_in_the_environment_has_no_effect(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_with(work, helping=CONFTEST)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p helping")
    monkeypatch.setenv("PYTHONPATH", str(work.repository.root))

    seen = work.verify()

    assert seen.event is not None
    assert seen.event.exit_code == 1
    assert {"PYTEST_ADDOPTS", "PYTHONPATH"} <= set(seen.event.dropped)


def _deleted(work: Work) -> None:
    (work.repository.root / "test_means.py").unlink()
    work.repository.write("test_other.py", "def test_other():\n    assert True\n")


def _skipped(work: Work) -> None:
    text = TESTS.replace("def test_the", "import pytest\n\n\n@pytest.mark.skip\ndef test_the")
    work.repository.write("test_means.py", f"{text}\n\ndef test_other():\n    assert True\n")


def _weakened(work: Work) -> None:
    work.repository.write(
        "test_means.py", TESTS.replace("assert means.mean([1, 2, 3]) == 2", "means.mean([1])")
    )


def _loosened(work: Work) -> None:
    work.repository.write("test_means.py", TESTS.replace(" == 2", " > 0"))


def _configured(work: Work) -> None:
    work.repository.write("pyproject.toml", '[tool.pytest.ini_options]\npython_files = ["other_*.py"]\n')
    work.repository.write("other_means.py", "def test_other():\n    assert True\n")


@pytest.mark.parametrize(
    ("trick", "codes"),
    [
        (_deleted, {"protected.test_deleted", "protected.regressed"}),
        (_skipped, {"protected.test_skipped", "protected.regressed"}),
        (_weakened, {"protected.test_weakened", "protected.regressed"}),
        (_loosened, {"protected.regressed"}),
        (_configured, {"protected.configuration_added", "protected.outcome_changed_by_configuration"}),
    ],
)
def test_tests_taken_away_are_run_as_they_were(
    work: Work, trick: Callable[[Work], None], codes: set[str]
) -> None:
    work.repository.write("src/means.py", BROKEN)
    trick(work)

    assert work.verify().passed
    assert refused(work) >= codes


def test_an_emptied_suite_does_not_get_through(work: Work) -> None:
    work.repository.write("src/means.py", BROKEN)
    work.repository.write("test_means.py", "")

    work.verify()

    assert refused(work) >= {"protected.emptied", "protected.test_weakened", "protected.regressed"}


@pytest.mark.parametrize(
    "args", [("-k", "other"), ("--deselect", "test_means.py"), ("test_other.py::test_other",)]
)
def test_a_command_that_chooses_among_the_tests_does_not_get_through(
    work: Work, args: tuple[str, ...]
) -> None:
    work.repository.write("src/means.py", BROKEN)
    work.repository.write("test_other.py", "def test_other():\n    assert True\n")

    assert work.verify(*args).passed
    assert "protected.selection_in_command" in refused(work)


@pytest.mark.parametrize(
    "text", ["def test_b():\n    assert 0\n", "if 1:\n    def test_b():\n        assert 0\n"]
)
def test_modules_beside_the_folder_that_the_command_names_do_not_get_through(work: Work, text: str) -> None:
    work.repository.change()
    (work.repository.root / "some").mkdir()
    work.repository.write("some/test_some.py", "def test_some():\n    assert 1\n")
    work.repository.write("test_b.py", text)

    assert work.verify("some").passed
    # The base commit has no such folder, so of its tests nothing was told either.
    assert refused(work) == {"protected.module_not_run", "protected.not_evaluated"}
    assert "test_b.py" in work.document()["unseen"]


def test_a_script_that_runs_the_tests_is_taken_from_the_base_commit(work: Work) -> None:
    work.repository.write("check.py", "import sys\n" + FORGED)
    work.repository.write("src/means.py", BROKEN)
    (work.repository.root / "build").mkdir(exist_ok=True)

    assert work.verify(
        command=[lean_python(), "check.py", "src/means.py", "build/junit.xml", "build/c.json"]
    ).passed
    assert refused(work) >= {"protected.configuration_changed", "protected.regressed"}


def test_a_suite_smaller_than_the_last_attempt_does_not_get_through(work: Work) -> None:
    work.repository.change()
    work.repository.write("test_more.py", "def test_more():\n    assert True\n")
    assert work.verify().passed
    assert work.leave().accepted
    assert work.engine.backtrack(TASK, "VERIFY", "once more").accepted
    (work.repository.root / "test_more.py").unlink()

    assert work.verify().passed
    assert work.verify().passed, "nor by witnessing it twice"

    assert refused(work) == {"protected.shrank"}


def test_a_task_without_a_repository_is_not_evaluated(tmp_path: Path) -> None:
    whole = process()
    verify = whole.phases[0].model_copy(update={"git": None})
    bare = whole.model_copy(update={"repository": {}, "phases": (verify, whole.phases[1])})
    repository = SmallRepository(tmp_path / "repo")
    (repository.root / "build").mkdir()
    with Engine.init(tmp_path / "home") as engine:
        engine.open_task(TASK, bare)
        command = [lean_python(), "-m", "pytest", "-q", "--junitxml", "build/junit.xml"]
        assert engine.witness(TASK, "", command, junit=Path("build/junit.xml"), cwd=repository.root).passed

        result = engine.advance(TASK)

        assert {finding.code for finding in result.findings} == {"protected.not_evaluated"}


def test_what_may_change_is_named_in_the_process(tmp_path: Path) -> None:
    work = Work(tmp_path, excused=["test_means*", "test_means::*", "test_means.py"])
    try:
        work.repository.write("src/means.py", CHANGED)
        work.repository.write("test_means.py", CHANGED_TESTS.replace("test_the_mean", "test_a_mean"))

        assert work.verify().passed
        result = work.leave()
        assert result.accepted, [(finding.code, finding.message) for finding in result.findings]
    finally:
        work.engine.close()


def test_the_statements_are_signed_and_the_audit_verifies_them(work: Work) -> None:
    work.repository.change()
    seen = work.verify()
    assert work.leave().accepted
    assert seen.event is not None
    assert seen.event.statement
    assert seen.event.git_tree_before == seen.event.git_tree_after != ""

    assert audit(work.engine).exit_code == 0


def test_a_hermetic_run_is_tried_hermetically(work: Work) -> None:
    work.repository.change()
    work.repository.write("test_write.py", (
        "import pytest\n\n\n"
        "def test_nothing_is_written():\n"
        "    with pytest.raises(OSError):\n"
        "        open('written', 'w')\n"
    ))  # fmt: skip

    assert work.verify("-p", "no:cacheprovider", hermetic=True).passed
    result = work.leave()
    assert result.accepted, [(finding.code, finding.message) for finding in result.findings]


def test_a_tree_that_changes_while_the_checks_run_is_not_evaluated(work: Work) -> None:
    work.repository.change()
    # The tests themselves change the tree they are found in: what was tried is not what stands there.
    work.repository.write("test_write.py", (
        "import uuid\nfrom pathlib import Path\n\n\n"
        "def test_write():\n"
        f"    Path({str(work.repository.root / 'src' / 'more.py')!r}).write_text(f'# {{uuid.uuid4()}}')\n"
    ))  # fmt: skip

    assert work.verify().passed
    assert "protected.not_evaluated" in refused(work)


def test_a_source_exchanged_after_the_tests_ran_does_not_get_through(work: Work) -> None:
    work.repository.change()
    assert work.verify().passed
    work.repository.write("src/means.py", BROKEN)

    assert "protected.tree_changed" in refused(work)


HOOK = """import importlib.machinery
import sys

SOURCE = %r


class Found(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        found = super().find_spec(name, path, target)
        if name == "means":
            found.loader.get_data = lambda _: SOURCE.encode()
        return found


sys.meta_path.insert(0, Found)
"""
"""Gives the tests another source than the one that stands."""


def test_another_spelling_of_the_real_tree_does_not_lead_trials_back_to_it(work: Work) -> None:
    broken_with(work)
    evil = work.repository.root / "build" / "evil"
    evil.mkdir(parents=True)
    (evil / "sitecustomize.py").write_text(HOOK % SOURCE)
    spelled = f"{evil.parent.parent.parent}/./{evil.relative_to(work.repository.root.parent)}"

    assert work.verify(command=["env", f"PYTHONPATH={spelled}", *work.command()]).passed

    assert "protected.environment_in_command" in refused(work)


def test_a_link_of_the_change_does_not_lead_trials_back_to_the_real_tree(work: Work) -> None:
    broken_with(work)
    evil = work.repository.root / "build" / "evil"
    evil.mkdir(parents=True)
    (evil / "sitecustomize.py").write_text(HOOK % SOURCE)
    (work.repository.root / "helping").symlink_to(evil)

    assert work.verify(command=["env", "PYTHONPATH=helping", *work.command()]).passed

    assert "protected.link_leads_away" in refused(work)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conftest.py", "import sys\n"),
        ("pytest.ini", "[pytest]\naddopts = -p no:cacheprovider\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\npython_functions = ['test_nothing*']\n"),
    ],
)
def test_settings_above_the_repository_and_the_trials_do_not_get_through(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    work.repository.change()
    (tmp_path / name).write_text(text)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)

    assert work.verify("-c", "/dev/null", "--rootdir", ".").passed

    assert refused(work) == {"protected.configuration_above"}


def test_a_base_commit_with_tests_of_which_its_run_tells_none_is_not_evaluated(work: Work) -> None:
    broken_with(work)
    work.repository.write("test_means.py", TESTS.replace("== 2", ">= 0"))
    (work.repository.root / "tests").mkdir()
    work.repository.write("tests/broken.py", "def (:\n")
    pytest_ = " ".join(work.command())
    # Where the file is missing, which is where the tests of the base commit run, the first part ends well.
    both = f"{lean_python()} -m compileall -q tests/broken.py && exec {pytest_} src; {pytest_}"

    assert work.verify(command=["sh", "-c", both]).passed

    assert refused(work) >= {"protected.not_evaluated", "protected.selection_in_command"}


def test_a_command_that_leaves_out_the_settings_of_the_base_commit_does_not_get_through(
    tmp_path: Path,
) -> None:
    work = Work(tmp_path)
    work.repository.write("pytest.ini", "[pytest]\npython_files = check_*.py test_*.py\n")
    work.repository.commit("settings")
    work.engine.close()
    work.engine = Engine.init(tmp_path / "another")
    assert work.engine.open_task(TASK, process(), repository=work.repository.root).accepted
    try:
        work.repository.change()

        assert work.verify("-c", "/dev/null", "--rootdir", ".").passed

        assert refused(work) == {"protected.configuration_in_command"}
    finally:
        work.engine.close()


def test_unittest_classes_left_out_in_every_run_do_not_get_through(work: Work) -> None:
    work.repository.change()

    assert work.verify("-p", "no:unittest").passed

    assert refused(work) == {"protected.plugin_in_command"}


def test_a_folder_outside_of_the_working_tree_that_tests_are_looked_for_in_does_not_get_through(
    work: Work, tmp_path: Path
) -> None:
    broken_with(work)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "conftest.py").write_text(HOOK % SOURCE)

    assert work.verify("--rootdir", ".", ".", str(tmp_path / "outside")).passed

    assert "protected.environment_in_command" in refused(work)


def test_code_that_git_ignores_and_only_the_witnessed_run_has_does_not_get_through(work: Work) -> None:
    work.repository.change()
    (work.repository.root / "build").mkdir()
    work.repository.write("build/sitecustomize.py", "import sys\n")

    assert work.verify(command=["env", "PYTHONPATH=build", *work.command()]).passed

    assert refused(work) == {"protected.ignored_code"}


def opened(tmp_path: Path, name: str, text: str, settings: str = "[pytest]\n") -> Work:
    """A task whose base commit has its tests in another file."""
    work = Work(tmp_path)
    work.repository.git("rm", "-q", "test_means.py")
    work.repository.write(name, text)
    work.repository.write("pytest.ini", settings)
    work.repository.commit("tests elsewhere")
    work.engine.close()
    work.engine = Engine.init(tmp_path / "another")
    assert work.engine.open_task(TASK, process(), repository=work.repository.root).accepted
    return work


@pytest.mark.parametrize("name", ["tests.py", "testmeans.py", "check_means.py"])
def test_tests_of_other_names_are_taken_from_the_base_commit(tmp_path: Path, name: str) -> None:
    work = opened(tmp_path, name, TESTS, "[pytest]\npython_files = test*.py check_*.py\n")
    try:
        work.repository.write("src/means.py", BROKEN)
        work.repository.write(name, TESTS.replace("== 2", ">= 0"))

        assert work.verify().passed

        assert refused(work) == {"protected.regressed"}
    finally:
        work.engine.close()


def test_tests_that_only_the_run_of_the_base_commit_tells_of_are_taken_from_it(tmp_path: Path) -> None:
    work = opened(tmp_path, "means_checked.py", TESTS)
    try:
        work.repository.write("src/means.py", BROKEN)
        work.repository.write("means_checked.py", TESTS.replace("== 2", ">= 0"))

        assert work.verify("means_checked.py").passed

        assert refused(work) == {"protected.regressed", "protected.selection_in_command"}
    finally:
        work.engine.close()


def test_a_base_commit_whose_tests_no_pattern_knows_is_not_evaluated(tmp_path: Path) -> None:
    source = SOURCE + '\n\ndef mean_of_one():\n    """\n    >>> mean([1])\n    1.0\n    """\n'
    work = opened(
        tmp_path, "src/more.py", source, "[pytest]\naddopts = --doctest-modules --ignore=check.py\n"
    )
    try:
        work.repository.write("src/means.py", CHANGED)

        assert work.verify().passed

        assert refused(work) == {"protected.not_evaluated"}
    finally:
        work.engine.close()


def test_a_test_exchanged_for_an_empty_one_has_vanished(work: Work) -> None:
    work.repository.change()
    work.repository.write("test_means.py", CHANGED_TESTS.replace("test_the_mean_of_numbers", "test_there_is"))

    assert work.verify().passed

    assert refused(work) == {"protected.vanished"}


def test_an_edited_test_is_shown_and_shuts_no_gate(work: Work) -> None:
    work.repository.change()
    work.repository.write("test_means.py", CHANGED_TESTS.replace("== 2", "== 2 or True"))

    assert work.verify().passed

    result = work.leave()
    assert result.accepted, [(finding.code, finding.message) for finding in result.findings]
    assert work.document()["tests"][0]["edited"] == 1


def test_a_module_that_stands_before_the_tested_one_does_not_get_through(tmp_path: Path) -> None:
    own = "import means\n\n\ndef test_one():\n    assert means.mean([3]) == 3\n"
    work = opened(tmp_path, "test_one.py", own)
    try:
        work.repository.write("src/means.py", BROKEN)
        (work.repository.root / "compat").mkdir()
        work.repository.write("compat/means.py", SOURCE)

        assert work.verify(command=["env", "PYTHONPATH=compat:src", *work.command()]).passed

        assert {"protected.configuration_added", "protected.regressed"} <= refused(work)
        assert work.document()["configuration"] == [{"path": "compat/means.py", "change": "added"}]
    finally:
        work.engine.close()
