"""Manifests read as data: what they depend on, which tables and scripts they have, and on which line.

Pure. A manifest that cannot be read raises `Unreadable`, which becomes a finding.
"""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
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
        text: its content.
        needs: lower-case names that it depends on.
        tables: dotted tables and fields.
        scripts: commands by name.
    """

    path: str
    text: str
    needs: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    scripts: Mapping[str, str] = field(default_factory=dict)

    def place_of_need(self, name: str) -> Place:
        """Where it says that it depends on something."""
        pattern = rf"(?i)(?<![\w@/.-]){re.escape(name)}(?![\w/-])"
        return Place(self.path, line_of(self.text, pattern))

    def place_of_table(self, dotted: str) -> Place:
        """Where a table or field stands: its own header, or its name below that of what it is in."""
        header = line_of(self.text, rf"^\s*\[{re.escape(dotted)}[\].]", 0)
        if header:
            return Place(self.path, header)
        line, above, parts = 1, 0, dotted.split(".")
        for count in range(len(parts) - 1, 0, -1):
            if above := line_of(self.text, rf"^\s*\[{re.escape('.'.join(parts[:count]))}\]", 0):
                line, parts = above, parts[count:]
                break
        for part in parts:
            line = line_of(self.text, rf"(?<![\w.-])[\"']?{re.escape(part)}[\"']?\s*[:=.]", line, line)
        return Place(self.path, line)


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
    listed = [
        line
        for name in parser.sections()
        for key, value in parser.items(name)
        if key in {"install_requires", "tests_require"} or name == "options.extras_require"
        for line in value.splitlines()
    ]
    return Manifest(path, text, _needs(listed), frozenset(parser.sections()))


def _names(path: str, text: str) -> Manifest:
    """A list of requirements, one a line (pip, "Requirements File Format")."""
    listed = [line for line in text.splitlines() if not line.lstrip().startswith(("#", "-"))]
    return Manifest(path, text, _needs(listed))


def _text(path: str, text: str) -> Manifest:
    return Manifest(path, text)


def _xml(path: str, text: str) -> Manifest:
    """Whether it is XML at all; what a POM says is sought by line."""
    try:
        read_xml(text.encode(), Handlers(lambda _tag, _attributes: None, lambda _tag: None), "mend it")
    except ValidatorError as error:
        raise Unreadable(f"it is no XML that can be read: {error}") from error
    return Manifest(path, text)


def _of_data(path: str, text: str, data: Mapping[str, Any]) -> Manifest:
    scripts = data.get("scripts")
    commands = scripts if isinstance(scripts, dict) else {}
    return Manifest(
        path,
        text,
        _needs(_requirements(data)),
        frozenset(islice(_dotted(data), TABLES_MAX)),
        {name: command for name, command in commands.items() if isinstance(command, str)},
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


def _needs(listed: Iterable[str]) -> frozenset[str]:
    named = (_NAME.match(requirement) for requirement in listed)
    return frozenset(islice((one.group(1).lower() for one in named if one), TABLES_MAX))


def line_of(text: str, pattern: str, without: int = 1, first: int = 1) -> int:
    """One-based number of the first line that an expression matches and that is no comment.

    Args:
        text: a text.
        pattern: the expression.
        without: what is given where no line matches.
        first: the line to begin with.
    """
    compiled = re.compile(pattern)
    for number, line in enumerate(text.splitlines(), start=1):
        if number >= first and compiled.search(line) and not line.lstrip().startswith("#"):
            return number
    return without


READERS: Final[Mapping[str, Callable[[str, str], Manifest]]] = MappingProxyType(
    {"toml": _toml, "json": _json, "ini": _ini, "names": _names, "text": _text, "xml": _xml}
)
"""What reads a manifest, by its shape."""
