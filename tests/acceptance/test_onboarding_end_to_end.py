"""Promise: the process that `engine onboard` writes can be worked under; its commands pass its gates, witnessed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from autopilot_work import TASK, Work
from engine_drivers import Ran, cli, look
from onboarded_repositories import NODE, written
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.witnessing.programs import ordered_path
from phasegate.engine.core.errors import BadInput
from phasegate.validators.globs import Globs

PROFILE = ".phasegate/process.yaml"
NODE_MIN = 20  # whose test runner reports coverage as lcov
TESTS = """import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))
import means


class Means(unittest.TestCase):
    def test_the_mean_of_numbers_is_unchanged(self):
        self.assertEqual(means.mean([1, 2, 3]), 2)
"""
CHANGED_TESTS = f"""{TESTS}
    def test_nothing_has_no_mean(self):
        self.assertIsNone(means.mean(iter(())))
"""


class TwoLanguages(SmallRepository):
    """The small repository with tests that Python itself runs, whatever is installed, and a part for Node."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        written(root / "web", {name: text for name, text in NODE.items() if not name.startswith(".")})
        self.commit("A cart")

    def write(self, path: str, text: str) -> None:
        """Write one file; the check of its own is left out, and the tests are others."""
        if path != "check.py":
            super().write(path, TESTS if path == "test_means.py" else text)

    def change(self) -> None:
        """Make the change the task is about, with its test."""
        super().change()
        super().write("test_means.py", CHANGED_TESTS)


class OnboardedWork(Work):
    """A task under the process that was made for its repository, `engine onboard` having written it."""

    make = TwoLanguages

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        onboarded = cli(
            "onboard", str(self.repository.root), "--write", "--without-coverage", "--name", "means"
        )
        assert onboarded.code == 0, onboarded.err
        self.base = self.repository.commit("Our process")

    def cli(self, *args: str, environ: dict[str, str] | None = None) -> Ran:
        """`engine ... --json` on this home."""
        return cli(*args, "--json", "--home", str(self.home), environ=environ)

    def pass_by_name(self, environ: dict[str, str] | None = None) -> None:
        """Pass the phase with nothing but the command that the process names for it."""
        self.attest()
        witnessed = self.cli("witness", TASK, "--named", "test", environ=environ)
        assert witnessed.code == 0, witnessed.out + witnessed.err
        advanced = self.cli("advance", TASK)
        assert advanced.code == 0, advanced.out


@pytest.fixture(scope="module")
def in_verify(tmp_path_factory: pytest.TempPathFactory) -> OnboardedWork:
    """Given a task under a written process, whose change is made."""
    work = OnboardedWork(tmp_path_factory.mktemp("onboarded"))
    root = work.repository.root
    opened = work.cli("open", TASK, "--process", str(root / PROFILE), "--repo", str(root))
    assert opened.code == 0, opened.err
    work.until("VERIFY")
    return work


def test_a_command_the_process_does_not_name_is_refused_with_those_it_does(in_verify: OnboardedWork) -> None:
    refused = in_verify.cli("witness", TASK, "--named", "deploy")

    assert refused.code == 2
    assert "it names test;" in refused.err


def test_a_command_is_named_or_given_and_not_both(in_verify: OnboardedWork) -> None:
    refused = cli("witness", TASK, "--named", "test", "--home", str(in_verify.home), "--", "true")

    assert refused.code == 2
    assert "give either the name, or a command" in refused.err


def test_the_written_process_is_passed_by_witnessing_its_own_command(
    in_verify: OnboardedWork, tmp_path: Path
) -> None:
    shim = tmp_path / "python3"  # as version managers put one before the system's own
    shim.write_text("#!/bin/sh\nexit 1\n")
    shim.chmod(0o755)

    in_verify.pass_by_name({"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    assert in_verify.phase == "VERIFY_WEB"
    with Engine.open(in_verify.home, readonly=True) as engine:
        state = engine.state(TASK)
        assert state.process == "means"
        assert state.evidence["test_results.json"].origin == "witnessed"
        assert engine.witnesses.named(TASK, "test", "VERIFY").cwd == in_verify.repository.root
        with pytest.raises(BadInput, match="there is no phase `VERIFIED`"):
            engine.witnesses.named(TASK, "test", "VERIFIED")


def test_a_component_passes_the_gate_of_its_own(in_verify: OnboardedWork) -> None:
    node = shutil.which("node", path=ordered_path(os.environ["PATH"], Globs()))
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout if node else "v0"
    if int(version[1:].partition(".")[0]) < NODE_MIN:
        pytest.skip(f"there is no Node {NODE_MIN} or later among the system's programs")
    if in_verify.phase == "VERIFY":
        in_verify.pass_by_name()

    in_verify.pass_by_name()

    assert in_verify.phase == "REVIEW"
    evidence = look(in_verify.home, TASK).evidence
    assert {name for name, one in evidence.items() if one.phase == "VERIFY_WEB"} == {
        "test_results.web.json", "protected_checks.web.json", "build_output.web.log", "coverage_report.web.json",
    }  # fmt: skip
