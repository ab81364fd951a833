"""Promise: `engine onboard` makes a process that fits the repository, says why, and writes only when told to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from engine_drivers import cli
from onboarded_repositories import PYTHON, UNITTEST, written

from phasegate.engine.app.onboarding.onboarding import onboard
from phasegate.policies.loader import load_process
from phasegate.validators.report_formats import test_results_of as results_of


def test_a_python_repository_is_detected_with_file_and_line(tmp_path: Path) -> None:
    made = onboard(written(tmp_path / "shop", PYTHON))

    assert [(fact.kind, fact.name, str(fact.place)) for fact in made.detection.facts] == [
        ("language", "Python", "pyproject.toml:1"),
        ("toolchain", "python", "pyproject.toml:3"),
        ("package manager", "uv", "uv.lock:1"),
        ("test runner", "pytest", "pyproject.toml:7"),
        ("coverage tool", "pytest-cov", "pyproject.toml:8"),
        ("threshold", "90", "pyproject.toml:12"),
        ("ci", "GitHub Actions", ".github/workflows/ci.yml:1"),
        ("code owners", "CODEOWNERS", ".github/CODEOWNERS:1"),
    ]
    assert made.detection.findings == ()


def test_every_line_that_differs_from_the_default_has_its_reason_above_it(tmp_path: Path) -> None:
    made = onboard(written(tmp_path / "shop", PYTHON))

    lines = made.text.splitlines()
    for line in made.lines:
        [at] = [n for n, text in enumerate(lines) if text.strip() == f"# why: {line.reason}"][:1]
        below = next(text for text in lines[at:] if not text.lstrip().startswith("#"))
        assert str(line.path[-1]) in below or line.value is None, line.where


def test_it_is_shown_first_and_written_when_asked_to(tmp_path: Path) -> None:
    repository = written(tmp_path / "shop", PYTHON)
    profile = repository / ".phasegate/process.yaml"

    shown = cli("onboard", str(repository), "--format", "yaml")
    assert shown.code == 0
    assert not profile.exists()

    assert cli("onboard", str(repository), "--write").code == 0
    assert profile.read_text() == shown.out
    assert load_process(str(profile)).phase("VERIFY").commands[0].run[0] == ".venv/bin/python"


def test_a_dry_run_is_a_diff_that_writes_the_very_same(tmp_path: Path) -> None:
    one, other = (written(tmp_path / name / "shop", PYTHON) for name in "ab")

    shown = cli("onboard", str(one), "--dry-run")
    assert not (one / ".phasegate").exists()
    applied = subprocess.run(
        ["git", "apply", "-p1", "-"], cwd=one, input=shown.out, text=True, capture_output=True, check=False
    )
    assert cli("onboard", str(other), "--write").code == 0

    assert (shown.code, applied.returncode, applied.stderr) == (0, 0, "")
    for path in (".phasegate/process.yaml", ".phasegate/reports/.gitignore"):
        assert (one / path).read_bytes() == (other / path).read_bytes()
    again = cli("onboard", str(other), "--dry-run")
    assert (again.code, again.out) == (0, "")
    assert "the same" in again.err


def test_a_dry_run_shows_what_force_would_replace(tmp_path: Path) -> None:
    repository = written(tmp_path / "shop", {**PYTHON, ".phasegate/process.yaml": "process: mine\n"})

    shown = cli("onboard", str(repository), "--dry-run", "--json")

    (change,) = [one for one in json.loads(shown.out)["changes"] if one["replaces"]]
    assert change["file"] == ".phasegate/process.yaml"
    assert "-process: mine\n" in change["diff"]
    assert "+process: shop\n" in change["diff"]


def test_a_dry_run_over_a_profile_without_a_last_newline_is_a_diff_that_applies(tmp_path: Path) -> None:
    repository = written(tmp_path / "shop", {**PYTHON, ".phasegate/process.yaml": "process: mine"})

    shown = cli("onboard", str(repository), "--dry-run")
    applied = subprocess.run(
        ["git", "apply", "-p1", "-"],
        cwd=repository,
        input=shown.out,
        text=True,
        capture_output=True,
        check=False,
    )

    assert applied.stderr == ""
    assert (repository / ".phasegate/process.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("options", [("--dry-run", "--write"), ("--force",)])
def test_contradictions_are_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    repository = written(tmp_path / "shop", PYTHON)

    refused = cli("onboard", str(repository), *options)

    assert refused.code == 2
    assert not (repository / ".phasegate").exists()


@pytest.mark.parametrize("link", [".phasegate", ".phasegate/reports", ".phasegate/process.yaml"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    repository = written(tmp_path / "shop", PYTHON)
    away = tmp_path / "away"
    away.mkdir()
    (repository / link).parent.mkdir(exist_ok=True)
    (repository / link).symlink_to(away if link != ".phasegate/process.yaml" else away / "process.yaml")

    refused = cli("onboard", str(repository), "--write", "--force")

    assert refused.code == 2
    assert "remedy" in refused.err
    assert list(away.iterdir()) == []


def test_another_profile_is_replaced_by_force_alone(tmp_path: Path) -> None:
    repository = written(tmp_path / "shop", {**PYTHON, ".phasegate/process.yaml": "process: mine\n"})
    profile = repository / ".phasegate/process.yaml"

    refused = cli("onboard", str(repository), "--write")
    assert (refused.code, profile.read_text()) == (2, "process: mine\n")
    assert "--force" in refused.err

    assert cli("onboard", str(repository), "--write", "--force").code == 0
    assert load_process(str(profile)).process == "shop"


@pytest.mark.parametrize("files", [UNITTEST], ids=["unittest"])
def test_the_commands_of_a_python_profile_run(tmp_path: Path, files: dict[str, str]) -> None:
    made = onboard(written(tmp_path / "shop", files))

    (command,) = made.process.phase("VERIFY").commands
    assert command.run[0] == "python3"
    done = subprocess.run(
        [sys.executable, *command.run[1:]], cwd=tmp_path / "shop", capture_output=True, check=True, timeout=60
    )

    assert results_of(done.stdout + done.stderr)["passed"] == 1


def test_the_same_repository_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (written(tmp_path / name / "shop", PYTHON) for name in "ab")

    told = [cli("onboard", str(path), "--json").out for path in (one, other)]

    assert told[0] == told[1]
    assert json.loads(told[0])["profile"] == "shop"
