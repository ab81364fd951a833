"""Promise: tests that were weakened, silenced or talked round do not pass VERIFY; an honest change does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lean_python import lean_python
from protected_work import BROKEN, FORGED, TASK, Work, broken_with, process, refused
from small_repository import CHANGED, CHANGED_TESTS, SOURCE, TESTS, SmallRepository

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """Given a task on a repository."""
    made = Work(tmp_path)
    yield made
    made.engine.close()


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
