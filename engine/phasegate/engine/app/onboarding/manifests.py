"""Manifests read as data: what they depend on, which tables and scripts they have, and on which line.

Pure. A manifest that cannot be read raises `Unreadable`, which becomes a finding.
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from phasegate.validators.errors import ValidatorError
from phasegate.validators.untrusted_xml import Handlers, read_xml

TABLES_MAX: Final = 2_000
"""How many tables and fields of a manifest are looked at."""
DEPTH_MAX: Final = 5
_NAME: Final = re.compile(r"\s*([A-Za-z0-9@][A-Za-z0-9@/._-]*)")


class Place(NamedTuple):
    """Where something is seen: a path from the repository's root, and a one-based line."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class Unreadable(Exception):
    """A manifest is not what its name says; the message says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says.

    Attributes:
        path: from the repository's root.
        needs: lower-case names that it depends on, each with its line.
        tables: dotted tables and fields, likewise.
        scripts: commands by name, each with its line.
    """

    path: str
    needs: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    scripts: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def place_in(manifest: Manifest, line: int) -> Place:
    """A line of a manifest."""
    return Place(manifest.path, line)


def read_manifest(path: str, text: str, shape: str) -> Manifest:
    """Read a manifest.

    Args:
        path: from the repository's root.
        text: its content.
        shape: one of `READERS`.

    Raises:
        Unreadable: it is not of that shape.
    """
    try:
        return READERS[shape](path, text)
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error


def _toml(path: str, text: str) -> Manifest:
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise Unreadable(f"it is no TOML: {error}") from error
    return _of_data(path, text, data)


def _json(path: str, text: str) -> Manifest:
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise Unreadable(f"it is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise Unreadable("it holds no JSON object")
    return _of_data(path, text, data)


def _ini(path: str, text: str) -> Manifest:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise Unreadable(f"it is no INI file: {str(error).splitlines()[0]}") from error
    tables = {name: line_of(text, rf"^\[{re.escape(name)}\]") for name in parser.sections()}
    listed = [
        line
        for name in parser.sections()
        for key, value in parser.items(name)
        if key in {"install_requires", "tests_require"} or name == "options.extras_require"
        for line in value.splitlines()
    ]
    return Manifest(path, _needs(text, listed), tables)


def _names(path: str, text: str) -> Manifest:
    """A list of requirements, one a line (pip, "Requirements File Format")."""
    lines = text.splitlines()
    return Manifest(path, _needs(text, [line for line in lines if not line.lstrip().startswith(("#", "-"))]))


def _text(path: str, _text: str) -> Manifest:
    return Manifest(path)


def _xml(path: str, text: str) -> Manifest:
    """Whether it is XML at all; what a POM says is sought by line."""
    try:
        read_xml(text.encode(), Handlers(lambda _tag, _attributes: None, lambda _tag: None), "mend it")
    except ValidatorError as error:
        raise Unreadable(f"it is no XML that can be read: {error}") from error
    return Manifest(path)


def _of_data(path: str, text: str, data: Mapping[str, Any]) -> Manifest:
    tables: dict[str, int] = {}
    for dotted in _dotted(data):
        if len(tables) == TABLES_MAX:
            break
        tables[dotted] = line_of(text, _key(dotted))
    scripts = data.get("scripts")
    commands = scripts if isinstance(scripts, dict) else {}
    return Manifest(
        path,
        _needs(text, _requirements(data)),
        tables,
        {
            name: (command, line_of(text, re.escape(f'"{name}"')))
            for name, command in commands.items()
            if isinstance(command, str)
        },
    )


def _dotted(data: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[str]:
    for key, value in data.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict) and depth < DEPTH_MAX:
            yield from _dotted(value, f"{prefix}{key}.", depth + 1)


def _requirements(data: Mapping[str, Any]) -> Iterator[str]:
    """Every requirement of a manifest: where lists or tables of them stand is known by their names."""
    project = data.get("project")
    places: list[Any] = [data.get(name) for name in _DEPENDENCY_TABLES]
    if isinstance(project, dict):
        places += [project.get("dependencies"), project.get("optional-dependencies")]
    tool = data.get("tool")
    for name in ("poetry", "pdm", "uv", "hatch") if isinstance(tool, dict) else ():
        places.append(_tool_tables(tool.get(name)) if isinstance(tool, dict) else None)
    build = data.get("workspace")
    if isinstance(build, dict):
        places.append(build.get("dependencies"))
    for place in places:
        yield from _flat(place)


_DEPENDENCY_TABLES: Final = (
    "dependencies", "devDependencies", "optionalDependencies", "peerDependencies",  # package.json
    "dev-dependencies", "build-dependencies",  # Cargo.toml
    "dependency-groups",  # pyproject.toml (PEP 735)
)  # fmt: skip


def _tool_tables(tool: Any) -> list[Any]:
    if not isinstance(tool, dict):
        return []
    group = tool.get("group")
    groups = [one.get("dependencies") for one in group.values() if isinstance(one, dict)] if isinstance(
        group, dict
    ) else []  # fmt: skip
    return [tool.get(name) for name in ("dependencies", "dev-dependencies")] + groups


def _flat(value: Any, depth: int = 0) -> Iterator[str]:
    """Requirements in lists, and in tables as the names or, below a group's name, as a list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < DEPTH_MAX:
        for one in value:
            yield from _flat(one, depth + 1)
    elif isinstance(value, dict):
        for key, below in value.items():
            yield str(key)
            yield from _flat(below, depth + 1) if isinstance(below, list) else ()


def _needs(text: str, listed: Iterator[str] | list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for requirement in listed:
        named = _NAME.match(requirement)
        name = named.group(1).lower() if named else ""
        if name and name not in found and len(found) < TABLES_MAX:
            found[name] = line_of(text, rf"(?i)(?<![\w@/.-]){re.escape(name)}(?![\w/-])")
    return found


def _key(dotted: str) -> str:
    """How a table's or field's own name stands in TOML or JSON: as a header, or before its sign."""
    name = re.escape(dotted.rpartition(".")[2])
    return rf"^\s*\[{re.escape(dotted)}[\].]|^\s*[\"']?{name}[\"']?\s*[:=.]"


def line_of(text: str, pattern: str) -> int:
    """One-based number of the first line that an expression matches and that is no comment; 1 without any."""
    compiled = re.compile(pattern)
    for number, line in enumerate(text.splitlines(), start=1):
        if compiled.search(line) and not line.lstrip().startswith("#"):
            return number
    return 1


READERS: Final[Mapping[str, Callable[[str, str], Manifest]]] = MappingProxyType(
    {"toml": _toml, "json": _json, "ini": _ini, "names": _names, "text": _text, "xml": _xml}
)
"""What reads a manifest, by its shape."""
