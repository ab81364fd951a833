"""Python test modules: the tests in them, which of them a report tells of, and how some are made to fail.

Modules are read, never imported. A test is known by the name of its module without the folder, its classes
and its function, because runners name folders each in their own way.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

TestKey = tuple[str, ...]
"""Module, classes, function."""

_PARTS = re.compile(r"::|[./\\]")
_KEY_PARTS_MAX = 8
_FIXTURE = re.compile(r"(?:\w+[.])*(?:yield_)?fixture\b")
"""A decorator that makes a fixture of a function; `pytest.mark.usefixtures` leaves it a test."""
_COMPOUND = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match,
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
)  # fmt: skip


class Function(NamedTuple):
    """A test function.

    Attributes:
        key: what it is known by.
        first: its first statement.
        check: what its first assertion demands, where that is reached whenever the test passes; None else.
        is_certain: whether every runner collects it: unconditional, in a class that is one of tests.
    """

    key: TestKey
    first: ast.stmt
    check: ast.expr | None
    is_certain: bool


class Edit(NamedTuple):
    """A change to a test: around what its first assertion demands, or as a statement before all others."""

    opening: str
    closing: str
    statement: str


@dataclass(frozen=True, slots=True)
class TestModule:
    """A Python test module.

    Attributes:
        path: its path in the checkout.
        content: its bytes.
        functions: the tests in it.
    """

    __test__ = False  # no tests of the product

    path: str
    content: bytes
    functions: tuple[Function, ...]

    @property
    def is_to_be_told_of(self) -> bool:
        """Whether every report of all tests tells of it."""
        return any(function.is_certain for function in self.functions)

    def is_told_of(self, ids: Iterable[tuple[str, ...]]) -> bool:
        """Whether any test id, in its parts, is of this module."""
        place = PurePosixPath(self.path)
        folder = place.parent.parts
        for parts in ids:
            for at, part in enumerate(parts):
                if part == place.stem and all(
                    one == other for one, other in zip(reversed(parts[:at]), reversed(folder), strict=False)
                ):
                    return True
        return False

    def edited(self, edits: Mapping[TestKey, Edit]) -> bytes | None:
        """The module with its tests edited as named; None when that cannot be."""
        lines = self.content.splitlines(keepends=True)
        for function in sorted(self.functions, key=lambda item: item.first.lineno, reverse=True):
            edit = edits.get(function.key)
            if edit is None:
                continue
            if function.check is not None:
                _put_around(lines, function.check, edit.opening.encode(), edit.closing.encode())
            else:
                _put_before(lines, function.first, edit.statement.encode())
        changed = b"".join(lines)
        return changed if _parsed(changed) is not None else None


def read_module(path: str, content: bytes) -> TestModule | None:
    """Read a module; None when it is not Python that can be read."""
    tree = _parsed(content)
    if tree is None:
        return None
    stem = PurePosixPath(path).stem
    return TestModule(path, content, tuple(_functions(tree.body, (stem,), is_certain=True)))


def parts_of(test: str) -> tuple[str, ...]:
    """The parts of a test's id, its parameters left out: `tests.test_a.TestB::test_c[1]`."""
    return tuple(part for part in _PARTS.split(test.partition("[")[0]) if part and part != "py")


def key_of(test: str, keys: Collection[TestKey]) -> TestKey | None:
    """The key that a test's id stands for; None for none of these."""
    parts = parts_of(test)
    for length in range(min(len(parts), _KEY_PARTS_MAX), 1, -1):
        if parts[-length:] in keys:
            return parts[-length:]
    return None


def _parsed(content: bytes) -> ast.Module | None:
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _functions(body: list[ast.stmt], around: TestKey, *, is_certain: bool) -> Iterator[Function]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test") and not _is_fixture(node):
                yield Function((*around, node.name), node.body[0], _check(node), is_certain)
        elif isinstance(node, ast.ClassDef):
            certain = is_certain and _is_of_tests(node)
            yield from _functions(node.body, (*around, node.name), is_certain=certain)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for inner in (node.body, getattr(node, "orelse", [])):
                yield from _functions(inner, around, is_certain=False)


def _check(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.expr | None:
    if any(isinstance(item, ast.Return | ast.Yield | ast.YieldFrom) for item in ast.walk(node)):
        return None
    return next((item.test for item in node.body if isinstance(item, ast.Assert)), None)


def _is_fixture(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(_FIXTURE.match(ast.unparse(decorator)) for decorator in node.decorator_list)


def _is_of_tests(node: ast.ClassDef) -> bool:
    plain = node.name.startswith("Test") and not any(
        isinstance(item, ast.FunctionDef) and item.name == "__init__" for item in node.body
    )
    off = any(isinstance(item, ast.Assign) and "__test__" in ast.unparse(item) for item in node.body)
    return not off and (plain or any(ast.unparse(base).endswith("TestCase") for base in node.bases))


def _put_around(lines: list[bytes], check: ast.expr, opening: bytes, closing: bytes) -> None:
    if check.end_lineno is None or check.end_col_offset is None:
        raise ValueError("a parsed expression has no end")
    for number, column, text in (
        (check.end_lineno, check.end_col_offset, closing),
        (check.lineno, check.col_offset, opening),
    ):
        line = lines[number - 1]
        lines[number - 1] = line[:column] + text + line[column:]


def _put_before(lines: list[bytes], first: ast.stmt, statement: bytes) -> None:
    start = min([first.lineno, *(item.lineno for item in getattr(first, "decorator_list", []))])
    line = lines[start - 1]
    if isinstance(first, _COMPOUND):
        indent = line[: len(line) - len(line.lstrip())]
        lines[start - 1] = indent + statement + b"\n" + line
    else:
        lines[start - 1] = line[: first.col_offset] + statement + b"; " + line[first.col_offset :]
