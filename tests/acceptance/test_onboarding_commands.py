"""Promise: the commands of a profile run, and leave reports that the engine reads. Without a toolchain: skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onboarded_repositories as repositories
import pytest
from onboarded_repositories import written

from phasegate.engine.app.onboarding.onboarding import Onboarding, onboard
from phasegate.engine.app.onboarding.writing import write
from phasegate.policies.witness_commands import WitnessCommand
from phasegate.validators.report_formats import coverage_of
from phasegate.validators.report_formats import test_results_of as results_of

LIMIT_S = 120
WITHOUT = {"CARGO_NET_OFFLINE": "true", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""No network, and no plugins of this project's own tests, which take seconds to import."""


def needs(program: str) -> pytest.MarkDecorator:
    """Skip where a toolchain is missing; its detection alone is tested then."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"`{program}` is not on this machine")


def ran(made: Onboarding, command: WitnessCommand) -> bytes:
    """Run a command where the profile says; returns what it printed."""
    environ = {**os.environ, **WITHOUT}
    done = subprocess.run(
        command.run,
        cwd=made.root / command.folder,
        env=environ,
        capture_output=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout + done.stderr


def reports_of(made: Onboarding, phase: str = "VERIFY") -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """The results of the tests and of coverage, once every command of a phase has run."""
    results, coverage = None, None
    for command in made.process.phase(phase).commands:
        printed = ran(made, command)
        if command.junit:
            results = results_of(
                printed if command.junit == "-" else (made.root / command.junit).read_bytes()
            )
        if command.coverage:
            coverage = coverage_of((made.root / command.coverage).read_bytes())
    assert results is not None
    return results, coverage


def onboarded(folder: Path, files: Mapping[str, str]) -> Onboarding:
    """A repository whose profile was made and written."""
    made = onboard(written(folder, files))
    write(made.root, made.text)
    return made


def test_python_with_pytest_under_coverage(tmp_path: Path) -> None:
    manifest = repositories.PYTHON["pyproject.toml"].replace("pytest-cov", "coverage")
    root = written(tmp_path / "shop", {**repositories.PYTHON, "pyproject.toml": manifest})
    (root / ".venv/bin").mkdir(parents=True)
    (root / ".venv/pyvenv.cfg").write_text("")
    program = root / ".venv/bin/python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)

    results, coverage = reports_of(onboarded(root, {}))

    assert (results["passed"], results["failed"]) == (1, 0)
    assert coverage is not None
    assert "shop.py" in coverage["files"]


@needs("node")
def test_node_with_its_own_runner(tmp_path: Path) -> None:
    results, coverage = reports_of(onboarded(tmp_path / "cart", repositories.NODE))

    assert (results["passed"], results["failed"]) == (1, 0)
    assert coverage is not None
    assert "cart.js" in coverage["files"]


@needs("node")
def test_a_component_runs_in_its_own_folder(tmp_path: Path) -> None:
    made = onboarded(tmp_path / "shop", repositories.MONOREPO)

    results, coverage = reports_of(made, "VERIFY_WEB")

    assert (results["passed"], results["failed"]) == (1, 0)
    assert coverage is not None
    assert sorted(path.name for path in (made.root / ".phasegate/reports").glob("web-*")) == [
        "web-junit.xml",
        "web-lcov.info",
    ]


@needs("cargo")
def test_rust_without_a_coverage_tool(tmp_path: Path) -> None:
    made = onboarded(tmp_path / "cart", repositories.RUST_ALONE)

    results, coverage = reports_of(made)

    assert (results["passed"], results["failed"], coverage) == (1, 0, None)
    assert "onboard.no_coverage_tool" in {finding.code for finding in made.detection.findings}


@needs("go")
def test_go_tests(tmp_path: Path) -> None:
    files = {
        "go.mod": "module example.org/cart\n\ngo 1.21\n",
        "cart.go": "package cart\n\nfunc Total(a, b int) int { return a + b }\n",
        "cart_test.go": 'package cart\n\nimport "testing"\n\nfunc TestTotal(t *testing.T) {\n'
        "\tif Total(1, 2) != 3 {\n\t\tt.Fail()\n\t}\n}\n",
    }

    results, _ = reports_of(onboarded(tmp_path / "cart", files))

    assert (results["passed"], results["failed"]) == (1, 0)
