"""Tests in `*_test.rego`, taken apart: the rule to evaluate, and the input it is evaluated over.

A test is written as for `opa test`: `test_x if EXPRESSION with input as VALUE`. The interpreter breaks on
`with` where a rule calls a function, so the value is computed first, as a rule of its own, and given as the
input. That is the same wherever a test has one input; one that has several is refused, and so is any other
`with`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phasegate.policies.rego.annotations import last_of

_TEST: Final = re.compile(r"((?:todo_)?test_\w+)\s*(?:\bif\b|:=|=)")
_GIVEN: Final = re.compile(r"\s+with\s+input\s+as\s+(\S.*?)\s*$")
_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
_WITH: Final = re.compile(r"\bwith\b")
_BRACKETS: Final = (("(", ")"), ("[", "]"), ("{", "}"))


@dataclass(frozen=True, slots=True)
class Case:
    """One test.

    Attributes:
        name: its name.
        given: the rule that has its input; empty where it has none.
        fault: why it cannot be run; empty where it can.
    """

    name: str
    given: str = ""
    fault: str = ""


def taken_apart(text: str) -> tuple[str, tuple[Case, ...]]:
    """A module without `with`, and its tests."""
    lines, more, cases = text.split("\n"), [], []
    at = 0
    while at < len(lines):
        last = last_of(lines, at)
        named = _TEST.match(lines[at])
        bodies = [*_bodies(lines, at, last)]
        values = {value for _, value in bodies if value}
        if named:
            cases.append(_case(named[1], values, [line for line, _ in bodies]))
            if cases[-1].given:
                more.append(f"{cases[-1].given} := {values.pop()}")
        lines[at : last + 1] = [line for line, _ in bodies]
        at = last + 1
    return "\n".join([*lines, *more, ""]), tuple(cases)


def _bodies(lines: list[str], first: int, last: int) -> Iterator[tuple[str, str]]:
    """Lines of a statement without `with input as`, each with the value it had there."""
    for line in lines[first : last + 1]:
        found = None if line.lstrip().startswith("#") else _GIVEN.search(line)
        yield (line[: found.start()], found[1]) if found else (line, "")


def _case(name: str, values: set[str], body: list[str]) -> Case:
    code = [_STRING.sub('""', text) for text in (*values, *body) if not text.lstrip().startswith("#")]
    if any(_WITH.search(text) for text in code) or len(values) > 1:
        return Case(name, fault="a test has one input, given as `with input as VALUE`, and no other `with`")
    if not all(_closed(_STRING.sub('""', value)) for value in values):
        return Case(name, fault="write `with input as VALUE` at the end of a line, and the value whole")
    return Case(name, f"given_{name}" if values else "")


def _closed(code: str) -> bool:
    return all(code.count(opening) == code.count(closing) for opening, closing in _BRACKETS)
