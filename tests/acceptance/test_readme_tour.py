"""The tour of README.md can be followed: its commands, up to SPEC, and its Python, in a repository of one's own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from page_steps import Place, Step, assert_as_shown, environment, follow, steps_of
from small_repository import SmallRepository
from valid_artifacts import STRATEGY_MD

from phasegate.engine.app.engine import Engine

README = (Path(__file__).parents[2] / "README.md").read_text()


def tour() -> list[Step]:
    """The steps of the tour, up to where the page leaves something out."""
    (block,) = re.findall(r"^## A tour\n\n(.*?)^    \.\.\.$", README, flags=re.MULTILINE | re.DOTALL)
    return steps_of([line.removeprefix("    ") for line in block.splitlines()])


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
    return follow(tour(), repository.root, environment(folder / "home", EDITOR=str(editor)))


def test_the_tour_goes_from_nothing_to_spec_under_a_lease_and_with_an_operator() -> None:
    commands = [step.command for step in tour()]

    assert commands[0].startswith("engine init")
    roles = [found[1] for found in (re.search(r"--role (\w+)", command) for command in commands) if found]
    assert roles[0] == "operator"
    assert any(command.startswith("export PHASEGATE_LEASE=") for command in commands)
    assert tour()[-1].shown == ("IMP-27: STRATEGIZE passed, now in SPEC",)


def test_each_command_does_what_the_page_shows(followed: Place) -> None:
    assert_as_shown(tour(), followed)


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
