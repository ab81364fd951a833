"""Promise: no conftest, plugin, setting, variable or link makes wrong work pass VERIFY."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from protected_work import CONFTEST, FORGED, HOOK, TASK, Work, broken_with, process, refused
from small_repository import SOURCE

from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """Given a task on a repository."""
    made = Work(tmp_path)
    yield made
    made.engine.close()


def test_a_conftest_that_turns_failures_into_passes_does_not_get_through(work: Work) -> None:
    broken_with(work, conftest=CONFTEST)

    seen = work.verify()

    assert seen.passed, "the trick works on the report alone"
    assert refused(work) >= {
        "protected.configuration_added",
        "protected.regressed",
        "protected.outcome_changed_by_configuration",
    }


RUNNERS_OWN = [
    "tox.toml", "hatch.toml", "pdm.toml", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", "rust-toolchain",
    "rust-toolchain.toml", ".mvn/maven.config", "phpunit.dist.xml", "junit-platform.properties", ".taprc",
    "xunit.runner.json", "own.runsettings", "playwright.config.ts", "unittest.cfg",
    "META-INF/services/org.junit.jupiter.api.extension.Extension",
]  # fmt: skip


def test_settings_by_which_a_runner_starts_other_programs_are_each_named(work: Work) -> None:
    work.repository.change()
    for name in RUNNERS_OWN:
        (work.repository.root / name).parent.mkdir(parents=True, exist_ok=True)
        work.repository.write(name, "x")

    assert work.verify().passed

    assert "protected.configuration_added" in refused(work)
    assert {item["path"] for item in work.document()["configuration"]} == set(RUNNERS_OWN)


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


@pytest.mark.parametrize(
    ("decoy", "settings", "conftest"),
    [
        ("checks/means.py", "", ""),
        ("first/means.py", "pythonpath = first src", ""),
        ("first/means.py", "", "import sys\n\nsys.path.insert(0, 'first')\n"),
    ],
    ids=["beside the tests", "where the settings look first", "where conftest.py looks first"],
)
def test_a_module_that_pytest_imports_instead_of_the_source_does_not_get_through(
    work: Work, decoy: str, settings: str, conftest: str, tmp_path: Path
) -> None:
    work.engine.close()
    repository = work.repository
    for name in ("checks", "first"):
        (repository.root / name).mkdir()
    repository.write("pytest.ini", f"[pytest]\n{settings}\n")
    repository.write("conftest.py", conftest)
    repository.write(
        "checks/test_all.py", "import means\n\n\ndef test_it():\n    assert means.mean([1, 3]) == 2\n"
    )
    repository.git("rm", "-q", "test_means.py")
    repository.commit("tests in a folder of their own")
    with Engine.init(tmp_path / "other") as engine:
        work.engine = engine
        assert engine.open_task(TASK, process(), repository=repository.root).accepted
        broken_with(work)
        repository.write(decoy, SOURCE)

        assert work.verify(command=["env", "PYTHONPATH=src", *work.command()]).passed, "the decoy is tested"

        assert refused(work) >= {"protected.configuration_added", "protected.regressed"}
