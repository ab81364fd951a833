"""Which files are tests: by patterns, or by what the base commit's settings of pytest say."""

from __future__ import annotations

import ast
import configparser
import tomllib
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from phasegate.validators.test_text import measure

_INI = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}
_TOML = frozenset({"pyproject.toml", "pytest.toml", ".pytest.toml"})
SETTINGS = (*_INI, *sorted(_TOML))


def python_files(name: str, content: bytes) -> tuple[str, ...]:
    """The patterns of test modules that a file of settings gives pytest; none where it gives none."""
    return _listed(name, content, "python_files")


def python_path(name: str, content: bytes) -> tuple[str, ...]:
    """The folders, from its own on, that a file of settings has pytest import from."""
    return _listed(name, content, "pythonpath")


def _listed(name: str, content: bytes, key: str) -> tuple[str, ...]:
    try:
        if name in _TOML:
            return tuple(_of_toml(tomllib.loads(content.decode()), key))
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(content.decode())
        return tuple(parser.get(_INI[name], key, fallback="").split())
    except (ValueError, configparser.Error, RecursionError):
        return ()  # pytest cannot read it either


def _of_toml(value: dict[str, Any], key: str) -> Iterator[str]:
    tool = value.get("tool")
    tables = [value.get("pytest"), tool.get("pytest") if isinstance(tool, dict) else None]
    tables += [table.get("ini_options") for table in tables if isinstance(table, dict)]
    for table in tables:
        found = table.get(key, []) if isinstance(table, dict) else []
        listed = found.split() if isinstance(found, str) else found
        yield from (item for item in listed if isinstance(item, str))


def is_collected(path: str, content: bytes, patterns: tuple[str, ...]) -> bool:
    """Whether patterns of `python_files` take a file, and it has tests: `*.py` takes sources too."""
    name = path.rpartition("/")[2]
    fits = any(fnmatchcase(path if "/" in item else name, item) for item in patterns)
    return fits and path.endswith(".py") and measure(content).tests > 0


def edited(before: bytes, after: bytes) -> int:
    """How many functions, or where it is no Python how many lines, of a test file are others now or gone."""
    try:
        old, new = (Counter(_functions(ast.parse(content), "")) for content in (before, after))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        old, new = (Counter(line.strip() for line in content.splitlines()) for content in (before, after))
    return sum((old - new).values())


def _functions(node: ast.AST, around: str) -> Iterator[Any]:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{around}{ast.dump(inner)}"
        elif isinstance(inner, ast.stmt):
            name = inner.name if isinstance(inner, ast.ClassDef) else ""
            yield from _functions(inner, f"{around}{name}.")
