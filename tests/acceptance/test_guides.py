"""Every guide in docs/guides can be followed: its files, its commands, and what it shows of their output."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from page_steps import Place, Step, assert_as_shown, environment, follow, page_steps
from small_repository import SmallRepository

from phasegate.engine.app.engine import Engine

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
_INSTALL = re.compile(r"pip install '?phasegate(?:\[(?P<extras>[a-z,]+)\])?'?")


def steps(name: str) -> list[Step]:
    """The steps of a guide; what is installed already is not installed, but must be there to be."""
    found = page_steps((GUIDES / f"{name}.md").read_text())
    installs = [_INSTALL.fullmatch(step.command) for step in found]
    assert installs[0], "a guide begins with what to install"
    extras = {extra for it in installs if it and it["extras"] for extra in it["extras"].split(",")}
    assert extras <= set(EXTRAS)
    return [step for step, install in zip(found, installs, strict=True) if not install]


def followed(name: str, folder: Path) -> Place:
    """A guide, followed in a fresh repository by somebody with a fresh home."""
    repository = SmallRepository(folder / "repository")
    (folder / "home").mkdir()
    return follow(steps(name), repository.root, environment(folder / "home"))


@pytest.mark.parametrize("name", sorted(page.stem for page in GUIDES.glob("*.md")))
def test_each_command_does_what_the_guide_shows(name: str, tmp_path: Path) -> None:
    place = followed(name, tmp_path)

    assert_as_shown(steps(name), place)
    with Engine.open(tmp_path / "home" / "phasegate-home", readonly=True) as engine:
        assert engine.state("FIX-1").phase == "SPEC"
        refused = engine.store.entries(task="FIX-1", type="violation.recorded")
        assert {entry.payload["violation"] for entry in refused} == {"tool_rejected", "out_of_sequence"}
