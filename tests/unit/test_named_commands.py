"""A command that a process names runs in the task's repository, with the reports where it names them itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from phasegate.engine.app.paths import encode_path
from phasegate.engine.app.witnessing.naming import named_command
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.state import Status, TaskState
from phasegate.policies.loader import parse_process
from phasegate.policies.model import Witness

PROCESS = parse_process(
    b"""process: named
version: 1
title: A phase with commands
phases:
  - name: CHECK
    purpose: Run them.
    commands:
      - {name: plain, run: [make, check]}
      - {name: web, run: [npm, test], folder: web, junit: .phasegate/reports/web.xml, coverage: web/lcov.info}
      - {name: printed, run: [cargo, test], folder: a/b, junit: "-"}
forward: {CHECK: []}
""",
    "named.yaml",
)


def state(repository: Path | None) -> TaskState:
    """A task in CHECK."""
    begun = TaskState("T-1", "T", "named", PROCESS.digest, Status.OPEN, "CHECK", {"CHECK": 1})
    return dataclasses.replace(begun, repository=encode_path(repository) if repository else "")


@pytest.mark.parametrize(
    ("name", "folder", "reports"),
    [
        ("plain", "", {}),
        (
            "web",
            "web",
            {Witness.JUNIT: Path("../.phasegate/reports/web.xml"), Witness.COVERAGE: Path("lcov.info")},
        ),
        ("printed", "a/b", {Witness.JUNIT: Path("-")}),
    ],
)
def test_reports_are_told_from_the_folder_of_the_command(
    tmp_path: Path, name: str, folder: str, reports: dict[Witness, Path]
) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)

    found = named_command(PROCESS, state(tmp_path), "CHECK", name)

    assert (found.folder, found.reports) == (tmp_path / folder, reports)


def test_a_folder_that_is_gone_or_leads_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(BadInput, match="`web`, no folder of the repository"):
        named_command(PROCESS, state(root), "CHECK", "web")
    (root / "web").symlink_to(tmp_path)
    with pytest.raises(BadInput, match="`web`, no folder of the repository"):
        named_command(PROCESS, state(root), "CHECK", "web")


def test_a_task_without_a_repository_has_no_folder_to_run_in() -> None:
    with pytest.raises(BadInput, match="has no folder to run in") as refused:
        named_command(PROCESS, state(None), "CHECK", "plain")
    assert "--repo" in refused.value.remedy
