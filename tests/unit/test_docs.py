"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from typer.main import get_command

from phasegate.engine.cli.app import app
from phasegate.policies.loader import parse_process

ROOT = Path(__file__).parents[2]


def _draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_processes", ROOT / "docs" / "draw_processes.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_drawings_are_those_of_the_yaml() -> None:
    text = (ROOT / "docs" / "processes.md").read_text()
    assert "flowchart LR" in text
    assert _draw().page(text) == text


def test_the_process_of_the_page_is_accepted() -> None:
    text = (ROOT / "docs" / "processes.md").read_text()
    (sample,) = re.findall(r"^```yaml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)

    process = parse_process(sample.encode(), "processes.md")

    assert process.git_rules("CHECK") is not None


def test_every_command_of_the_tour_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    named = set(re.findall(r"^    \$ engine (\w+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    assert named
    assert named <= set(commands)


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_code_of_the_protected_checks_is_in_the_docs() -> None:
    source = (ROOT / "validators" / "phasegate" / "validators" / "protected_checks.py").read_text()
    codes = set(re.findall(r'"(protected\.[a-z_]*[a-z])"', source))

    told = (ROOT / "docs" / "enforcement.md").read_text()

    assert len(codes) > 20
    assert [code for code in sorted(codes) if f"`{code}`" not in told] == []
