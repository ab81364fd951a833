"""A task whose tests are witnessed with the protected checks, and tricks that hide that its source is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lean_python import lean_python
from small_repository import SOURCE, SmallRepository

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Result, Witnessed
from phasegate.policies.model import Process

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


def refused(work: Work) -> set[str]:
    """The gate stays shut; codes of what keeps it so, each with a remedy."""
    result = work.leave()
    assert not result.accepted
    assert all(finding.remedy for finding in result.findings)
    return {finding.code for finding in result.findings if finding.blocks}


def broken_with(work: Work, **files: str) -> None:
    """A source that is wrong, and what is to hide it."""
    work.repository.write("src/means.py", BROKEN)
    for name, text in files.items():
        work.repository.write(f"{name}.py", text)


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
