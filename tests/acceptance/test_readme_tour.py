"""The tour of README.md can be followed: its commands, up to SPEC, and its Python, in a repository of one's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_repository import SmallRepository
from valid_artifacts import STRATEGY_MD

from phasegate.engine.app.engine import Engine

README = (Path(__file__).parents[2] / "README.md").read_text()
MARK = "=== step"


@dataclass(frozen=True)
class Step:
    """A command of the tour, and what the page shows of its output."""

    command: str
    shown: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code that its output speaks of."""
        return 1 if self.shown and self.shown[0].startswith("refused") else 0


@dataclass(frozen=True)
class Place:
    """Where the tour is followed, and what each of its commands came to: exit code and output."""

    repository: Path
    environ: dict[str, str]
    came_to: list[tuple[int, str]]


def tour() -> list[Step]:
    """The steps of the tour, up to where the page leaves something out."""
    (block,) = re.findall(r"^## A tour\n\n(.*?)^    \.\.\.$", README, flags=re.MULTILINE | re.DOTALL)
    steps: list[Step] = []
    for line in (line.removeprefix("    ") for line in block.splitlines() if line.strip()):
        if line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ ")))
        else:
            steps[-1] = Step(steps[-1].command, (*steps[-1].shown, line))
    return steps


def snippet() -> str:
    """The page's Python."""
    (text,) = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    return str(text)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The tour, followed by one shell in a fresh repository, under a home of its own."""
    folder = tmp_path_factory.mktemp("tour")
    repository = SmallRepository(folder / "repository")
    repository.write(".gitignore", "__pycache__/\n")
    repository.commit("The home is ignored by nothing of ours")
    (folder / "home").mkdir()
    (folder / "strategy.md").write_text(STRATEGY_MD)
    editor = folder / "editor"
    editor.write_text(f'#!/bin/sh\nexec cp "{folder}/strategy.md" "$1"\n')
    editor.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PHASEGATE_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**kept, "PATH": path, "HOME": str(folder / "home"), "EDITOR": str(editor)}
    script = "\n".join(f'{step.command}\necho "{MARK} $?"' for step in tour())
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", f"exec 2>&1\n{script}"],
        cwd=repository.root, env=environ, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    parts = re.findall(rf"(.*?)^{MARK} (\d+)\n", ran.stdout, flags=re.MULTILINE | re.DOTALL)
    return Place(repository.root, environ, [(int(code), output) for output, code in parts])


def test_the_tour_goes_from_nothing_to_spec_under_a_lease_and_with_an_operator() -> None:
    commands = [step.command for step in tour()]

    assert commands[0].startswith("engine init")
    roles = [found[1] for found in (re.search(r"--role (\w+)", command) for command in commands) if found]
    assert roles[0] == "operator"
    assert any(command.startswith("export PHASEGATE_LEASE=") for command in commands)
    assert tour()[-1].shown == ("IMP-27: STRATEGIZE passed, now in SPEC",)


def test_each_command_does_what_the_page_shows(followed: Place) -> None:
    steps = tour()
    assert len(followed.came_to) == len(steps)
    for step, (code, output) in zip(steps, followed.came_to, strict=True):
        assert (step.command, code) == (step.command, step.code), output
        lines = [line.rstrip() for line in output.splitlines()]
        assert [line for line in lines if line in step.shown] == list(step.shown), output


def test_it_leaves_no_key_in_the_repository(followed: Place) -> None:
    keys = [path for path in followed.repository.rglob("*") if path.suffix in {".key", ".vkey"}]

    assert {path.parent for path in keys} <= {
        followed.repository / "state" / "keys",
        followed.repository / "state" / "keys" / "operators",
    }


def test_the_python_of_the_page_runs(followed: Place) -> None:
    place = followed.repository / ".phasegate" / "IMP-28"
    place.mkdir(parents=True)
    (place / "strategy.md").write_text(f"{STRATEGY_MD}\nThe log is trimmed.\n")

    ran = subprocess.run(
        [sys.executable, "-c", snippet()],
        cwd=followed.repository, env=followed.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    refusal = "STRATEGIZE does not lead to PR - pass the gate of STRATEGIZE first; it leads to SPEC"
    assert ran.stdout.startswith(f"{refusal}\n")
    assert "evidence.missing" in ran.stdout
    with Engine.open(followed.repository / "state", readonly=True) as engine:
        assert (engine.state("IMP-28").phase, engine.state("IMP-27").phase) == ("SPEC", "SPEC")
