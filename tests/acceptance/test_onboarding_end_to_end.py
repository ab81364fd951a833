"""Promise: the process that `engine onboard` writes can be worked under; its commands pass its gates, witnessed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from autopilot_work import TASK, Work
from engine_drivers import Ran, cli
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput

PROFILE = ".phasegate/process.yaml"
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


class UnittestRepository(SmallRepository):
    """The small repository with tests that Python itself runs, whatever is installed."""

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

    make = UnittestRepository

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        onboarded = cli(
            "onboard", str(self.repository.root), "--write", "--without-coverage", "--name", "means"
        )
        assert onboarded.code == 0, onboarded.err
        self.base = self.repository.commit("Our process")

    def cli(self, *args: str) -> Ran:
        """`engine ... --json` on this home."""
        return cli(*args, "--json", "--home", str(self.home))


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
    assert "leave out either" in refused.err


def test_the_written_process_is_passed_by_witnessing_its_own_command(
    in_verify: OnboardedWork, tmp_path: Path
) -> None:
    in_verify.attest()
    shim = tmp_path / "python3"  # as version managers put one before the system's own
    shim.write_text("#!/bin/sh\nexit 1\n")
    shim.chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    witnessed = cli("witness", TASK, "--named", "test", "--home", str(in_verify.home), environ=path)
    assert witnessed.code == 0, witnessed.out + witnessed.err
    advanced = in_verify.cli("advance", TASK)

    assert advanced.code == 0, advanced.out
    assert in_verify.phase == "REVIEW"
    with Engine.open(in_verify.home, readonly=True) as engine:
        state = engine.state(TASK)
        assert state.process == "means"
        assert state.evidence["test_results.json"].origin == "witnessed"
        assert engine.witnesses.named(TASK, "test", "VERIFY").cwd == in_verify.repository.root
        with pytest.raises(BadInput, match="there is no phase `VERIFIED`"):
            engine.witnesses.named(TASK, "test", "VERIFIED")
