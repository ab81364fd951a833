"""Promise: the composite action is what `docs/ci.md` says: an isolated install, then the one command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkpoint_work import CheckpointWork

ROOT = Path(__file__).parents[2]
PLACE = ".github/actions/validate-checkpoint"
ACTION = yaml.safe_load((ROOT / PLACE / "action.yml").read_text())
INSTALL, VALIDATE = ACTION["runs"]["steps"]


def run_step(step: dict[str, Any], cwd: Path, temp: Path, inputs: dict[str, str], **environ: str):
    """Run a step as a runner does: inputs put into its variables, its script given to bash."""
    values = {name: str(item.get("default", "")) for name, item in ACTION["inputs"].items()} | inputs
    variables = {
        name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: values[found[1]], text)
        for name, text in step["env"].items()
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PHASEGATE_"))}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", step["run"]], cwd=cwd, capture_output=True, text=True,
        timeout=300, env={**kept, **variables, "RUNNER_TEMP": str(temp), **environ},
    )  # fmt: skip


@pytest.fixture
def temp(tmp_path: Path) -> Path:
    """A runner's folder in which phasegate is installed."""
    place = tmp_path / "runner temp" / "phasegate" / "bin"
    place.mkdir(parents=True)
    command = Path(sys.executable).with_name("validate_checkpoint")
    (place / "validate_checkpoint").symlink_to(command)
    return tmp_path / "runner temp"


def inputs(work: CheckpointWork, **more: str) -> dict[str, str]:
    given = {"bundle": str(work.bundle), "key": "engine.vkey", "policy": "policy.yaml", "base": "base"}
    return given | more


def test_it_is_a_composite_action_whose_inputs_are_no_script() -> None:
    assert ACTION["runs"]["using"] == "composite"
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input in the text of a script would be run"
        used = {name for text in step["env"].values() for name in re.findall(r"inputs\.([a-z-]+)", text)}
        assert used <= set(ACTION["inputs"])
    assert {name for name, item in ACTION["inputs"].items() if item.get("required")} == {
        "bundle",
        "key",
        "base",
    }


def test_only_phasegate_is_installed_and_nothing_of_the_checkout_is_imported(tmp_path) -> None:
    log, bin_ = tmp_path / "log", tmp_path / "bin"
    bin_.mkdir()
    recording = f'#!/bin/sh\necho "$@" >> {log}\n'
    inner = f'mkdir -p "$4/bin" && cp {bin_}/inner "$4/bin/python"\n'
    for name, text in (("python", recording + inner), ("inner", recording)):
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)

    for version in ("", "1.2.3"):
        ran = run_step(
            INSTALL, tmp_path, tmp_path / "temp", {"version": version},
            PATH=f"{bin_}:{os.environ['PATH']}", GITHUB_ACTION_PATH=str(ROOT / PLACE),
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
    lines = log.read_text().splitlines()

    assert lines[0] == f"-I -m venv {tmp_path}/temp/phasegate"
    assert lines[1].startswith("-I -m pip install ")
    assert Path(lines[1].split()[-1]).resolve() == ROOT
    assert (ROOT / "pyproject.toml").is_file()
    assert lines[3].split()[-1] == "phasegate==1.2.3"


def test_finished_work_passes(finished, temp, tmp_path) -> None:
    summary = tmp_path / "summary.md"

    ran = run_step(
        VALIDATE, finished.root, temp, inputs(finished, rerun="true"), GITHUB_STEP_SUMMARY=str(summary)
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "::notice title=validate_checkpoint::pass" in ran.stdout
    assert "run again" in summary.read_text()


def test_a_bundle_in_the_working_folder_needs_no_slash(finished, temp) -> None:
    shutil.copy(finished.bundle, finished.folder / "bundle")

    ran = run_step(VALIDATE, finished.folder, temp, inputs(finished, bundle="bundle", repo="repo"))

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"bundle": "none.bundle"}, 3),
        ({"base": "nowhere"}, 3),
        ({"base": "$(touch pwned)"}, 3),
        ({"key": "`touch pwned`"}, 3),
        ({"max-age-hours": "x"}, 2),
    ],
)
def test_what_is_not_there_is_no_pass_and_nothing_given_is_run(finished, temp, more, code) -> None:
    ran = run_step(VALIDATE, finished.root, temp, inputs(finished, **more))

    assert ran.returncode == code, ran.stdout + ran.stderr
    assert not (finished.root / "pwned").exists()


def test_another_commit_fails_with_annotations(temp, tmp_path) -> None:
    work = CheckpointWork(tmp_path / "work")
    work.repository.write("src/means.py", "def mean(values):\n    ...\n")
    work.repository.commit("later")

    ran = run_step(VALIDATE, work.root, temp, inputs(work))
    quiet = run_step(VALIDATE, work.root, temp, inputs(work, markers="false"))

    assert (ran.returncode, quiet.returncode) == (1, 1)
    assert "::error file=src/means.py,line=1,title=markers.stub::" in ran.stdout
    assert "::error title=commit.other::" in quiet.stdout
    assert "markers" not in quiet.stdout


def test_the_daily_job_checks_freshness_alone(finished, temp) -> None:
    ran = run_step(
        VALIDATE, finished.root, temp, inputs(finished, freshness="true", **{"max-age-hours": "24"})
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_documented_workflow_uses_inputs_that_exist() -> None:
    text = (ROOT / "docs/ci.md").read_text()
    block = text.partition("validate-checkpoint@main")[2].partition("\n\n")[0]
    used = set(re.findall(r"^ {14}([a-z-]+):", block, re.MULTILINE))

    assert used
    assert used <= set(ACTION["inputs"])
    assert {name for name, item in ACTION["inputs"].items() if item.get("required")} <= used
