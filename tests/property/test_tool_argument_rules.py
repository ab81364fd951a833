"""Argument rules decide as a naive reading of the YAML does, over any rules and any arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from phasegate.engine.core.argument_rules import argument_fault, paths_in
from phasegate.engine.core.arguments import Place, read_arguments
from phasegate.engine.core.tool_plan import tool_plan
from phasegate.policies.loader import parse_process
from phasegate.policies.model import Process

TOOLS = ("a", "ab", "b")
NAMES = ("p", "q", "P_", "r")
# Few texts, so that they are admitted and refused about as often.
TEXTS = ("docs/x", "docs/y.key", "src/x", "../x", "docs/../x", "a;b", "ab", "abc", "\u00e9\u00e9", "")
GLOBS = st.lists(st.sampled_from(["docs/*", "src/*", "docs/x", "docs/*.key"]), max_size=2, unique=True)
PHASE = {"allow": ["docs/*", "src/*"], "deny": ["src/x"]}
META = set(";&|<>$`(){}[]*?!~#'\"\\\n")


@st.composite
def rules(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """One rule as it stands in YAML."""
    kind = draw(
        st.sampled_from(["path_in_allowlist", "no_shell_metacharacters", "max_bytes", "one_of", "pattern"])
    )
    tools = draw(st.lists(st.sampled_from(["a", "a*", "b"]), max_size=2, unique=True))
    names = st.lists(
        st.sampled_from(NAMES), min_size=int(kind == "path_in_allowlist"), max_size=2, unique=True
    )
    rule: dict[str, Any] = {"id": f"r{number}", "kind": kind, "tools": tools, "arguments": draw(names)}
    if kind == "path_in_allowlist":
        rule |= {"allow": draw(GLOBS), "deny": draw(GLOBS)}
    if kind == "max_bytes":
        rule["max_bytes"] = draw(st.integers(1, 6))
    if kind == "one_of":
        rule["values"] = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4, unique=True))
    if kind == "pattern":
        rule["pattern"] = draw(st.sampled_from(["ab", "[a-c]+", "docs/.*"]))
    return rule


RULES = st.integers(0, 3).flatmap(lambda n: st.tuples(*(rules(number) for number in range(n))))
VALUES = st.recursive(
    st.sampled_from(TEXTS) | st.none() | st.integers(0, 1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(st.sampled_from((*NAMES, "a;b", "abcdefgh")), VALUES, max_size=3)


def process(found: tuple[dict[str, Any], ...]) -> Process:
    """A process with these rules, read from YAML."""
    definition = {
        "process": "random", "version": 1, "title": "Any rules", "forward": {}, "repository": {"change": PHASE},
        "phases": [{"name": "A", "purpose": "any", "git": "change"}], "argument_rules": list(found),
    }  # fmt: skip
    return parse_process(yaml.safe_dump(definition, allow_unicode=True).encode(), "random.yaml")


def texts(value: Any, named: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with the names above it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from texts(inner, (*named, name))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, named)
    else:
        yield named, value


def names_in(value: Any) -> Iterator[str]:
    """Every name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


def holds(rule: dict[str, Any], value: Any) -> bool:
    """Whether one value is what a rule demands."""
    text = isinstance(value, str)
    if rule["kind"] == "one_of":
        return text and value in rule["values"]
    if rule["kind"] == "pattern":
        return text and re.fullmatch(rule["pattern"], value) is not None
    if rule["kind"] == "no_shell_metacharacters":
        return not text or not META & set(value)
    if rule["kind"] == "max_bytes":
        return not text or len(value.encode()) <= rule["max_bytes"]
    if not text or not value or ".." in value.split("/") or META & set(value):
        return False
    lists = [(PHASE["allow"], PHASE["deny"]), (rule["allow"] or ["*"], rule["deny"])]
    return all(
        any(fnmatchcase(value, glob) for glob in allow) and not any(fnmatchcase(value, glob) for glob in deny)
        for allow, deny in lists
    )


def about(rule: dict[str, Any], tool: str) -> bool:
    """Whether a rule is about a tool."""
    return not rule["tools"] or any(fnmatchcase(tool, name) for name in rule["tools"])


def naive(found: tuple[dict[str, Any], ...], tool: str, arguments: dict[str, Any]) -> str:
    """The rule that refuses, or nothing."""
    for rule in found:
        if not about(rule, tool):
            continue
        wanted = {name.lower().replace("_", "") for name in rule["arguments"]}
        judged = [
            value
            for named, value in texts(arguments)
            if not wanted or wanted & {name.lower().replace("_", "") for name in named}
        ]
        if wanted and not judged:
            return str(rule["id"])
        if not wanted and rule["kind"] in {"no_shell_metacharacters", "max_bytes"}:
            judged += names_in(arguments)
        if not all(holds(rule, value) for value in judged):
            return str(rule["id"])
    return ""


def fault_of(found: Process, tool: str, arguments: dict[str, Any]) -> str:
    """The rule that refuses the arguments, in a repository without links; empty for none."""
    rules, seen = tool_plan(found, "A", tool).judgements, read_arguments(arguments)
    places = {text: Place(text, text) for text in paths_in(rules, seen)}
    fault = argument_fault(rules, seen, places)
    return fault.rule if fault else ""


@settings(max_examples=400, deadline=None)
@given(RULES, st.sampled_from(TOOLS), ARGUMENTS)
def test_the_decision_is_that_of_a_naive_reading(
    found: tuple[dict[str, Any], ...], tool: str, arguments: dict[str, Any]
) -> None:
    assert fault_of(process(found), tool, arguments) == naive(found, tool, arguments)


@settings(max_examples=400, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=20,
))  # fmt: skip
def test_anything_is_read_or_refused_and_never_raises(value: Any) -> None:
    seen = read_arguments(value)

    assert bool(seen.unreadable) != bool(seen.digest)
    assert type(value) is dict or seen.unreadable
