"""The hook's decision is the engine's: over any process, task, persona, lease, tool and arguments."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from phasegate.engine.core import argument_rules
from phasegate.engine.core.arguments import Place, read_arguments
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.core.state_json import to_json
from phasegate.engine.core.tools import ToolRefusal, route
from phasegate.engine.hook import rules as hook_rules
from phasegate.engine.hook.arguments import Arguments, canonical
from phasegate.engine.hook.deciding import Context
from phasegate.engine.hook.deciding import route as hook_route
from phasegate.engine.hook.places import Places
from phasegate.engine.hook.refusing import Refusal
from phasegate.policies.argument_rules import ArgumentRule
from phasegate.policies.model import PhaseRule, Process
from phasegate.policies.persona import PersonaSpec
from phasegate.validators.interface import Finding

KNOWN = ("a", "A", "ab", "aB", "a.b", "b")
PATTERNS = (*KNOWN, "ab*", "b*", "a.*")
TOOLS = st.sampled_from(KNOWN) | st.text(alphabet="abA*. \u0430\n", max_size=4) | st.text(max_size=140)
GLOBS = st.sampled_from(["**", "docs/**", "*.md", "src/", "docs/**/x?.py", "a*b", "/docs/*", "**/x"])
TEXTS = [
    "",
    "docs/a.md",
    "docs/x1.py",
    "src/b",
    ".git/c",
    "x",
    "../x",
    "A.MD",
    "a;b",
    "ab",
    "caf\u00e9",
    "x" * 9,
    "a\tb",
]
NAMES = ["path", "Pa_th", "other", "a;b"]


def some(items: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Any of these, each once."""
    return st.lists(st.sampled_from(items), unique=True, max_size=5).map(tuple)


@st.composite
def argument_rule(draw: st.DrawFn, number: int) -> ArgumentRule:
    """Any rule."""
    kind = draw(
        st.sampled_from(["path_in_allowlist", "no_shell_metacharacters", "max_bytes", "one_of", "pattern"])
    )
    named = draw(some(("path", "other")))
    more: dict[str, Any] = {
        "path_in_allowlist": {
            "arguments": named or ("path",),
            "allow": tuple(draw(st.lists(GLOBS, max_size=2))),
            "deny": tuple(draw(st.lists(GLOBS, max_size=2))),
        },
        "no_shell_metacharacters": {},
        "max_bytes": {"max_bytes": draw(st.integers(1, 9))},
        "one_of": {"values": tuple(draw(st.lists(st.sampled_from(TEXTS), max_size=4))) or ("x",)},
        "pattern": {"pattern": draw(st.sampled_from(["ab", "[a-c]+", "docs/.*"]))},
    }[kind]
    fields = {"id": f"r{number}", "kind": kind, "tools": draw(some(PATTERNS)), "arguments": named, **more}
    return ArgumentRule(**fields)


@st.composite
def processes(draw: st.DrawFn) -> Process:
    """Two phases with any lists and rules, one of which looks at a repository."""
    allow, deny = draw(st.lists(GLOBS, max_size=2)), draw(st.lists(GLOBS, max_size=2))
    return Process(
        process="random",
        version=1,
        title="Any lists",
        phases=(
            PhaseRule(name="A", purpose="any", tools=draw(some(PATTERNS)), git="change"),
            PhaseRule(name="B", purpose="any", tools=draw(some(PATTERNS))),
        ),
        forward={"A": ("B",)},
        read_only_tools=draw(some(("a", "A", "a.*"))),
        repository={"change": {"allow": allow, "deny": deny}},
        argument_rules=tuple(draw(argument_rule(number)) for number in range(draw(st.integers(0, 2)))),
    )


PERSONAS = st.lists(
    some(PATTERNS).map(lambda tools: PersonaSpec(name="p", version=1, role="p", purpose="p", tools=tools)),
    max_size=2,
)
STATES = st.none() | st.builds(
    lambda phase, status: TaskState("T-1", "", "random", "0" * 64, status, phase, {phase: 1}, paused="why"),
    st.sampled_from(["A", "B"]),
    st.sampled_from([Status.OPEN, Status.OPEN, *Status]),
)
VALUES = st.recursive(
    st.sampled_from(TEXTS) | st.none() | st.integers(0, 1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3) | st.none() | st.lists(st.none())
LEASES = st.sampled_from([None, Finding("lease.held", "", "A", "held", "wait")])


class Everywhere(Places):
    """Every path leads where it says, but for a few that lead out, as a link would."""

    def __init__(self) -> None:
        super().__init__("", "")

    def of(self, text: str) -> tuple[str, str] | None:
        """Where it leads."""
        return PLACES.get(text)


PLACES = {
    text: Place(text, "src/real" if text == "x" else text) for text in TEXTS if text not in {"src/b", ""}
}


def told(refusal: ToolRefusal | Refusal, policy: str) -> tuple[str, ...]:
    """A refusal, to be compared."""
    said = (
        refusal.code,
        refusal.task,
        refusal.phase,
        refusal.tool,
        refusal.rule,
        refusal.message,
        refusal.remedy,
    )
    return (*said, policy)


def hook_answer(context: Context, tool: str, arguments: object) -> tuple[str, Refusal | None]:
    """The hook's rule, or its refusal."""
    try:
        return hook_route(context, tool, Arguments(arguments), Everywhere()), None
    except Refusal as refusal:
        return "", refusal


@settings(max_examples=300, deadline=None)
@given(processes(), STATES, TOOLS, PERSONAS, LEASES, ARGUMENTS)
def test_the_decision_is_the_engines(
    process: Process,
    state: TaskState | None,
    tool: str,
    personas: list[PersonaSpec],
    lease: Finding | None,
    arguments: object,
) -> None:
    read = read_arguments(arguments)
    decision = route(process, state, tool, personas, lease, task="X-1", arguments=read, places=PLACES)
    context = Context(
        orjson.loads(process.canonical()),
        process.digest,
        orjson.loads(orjson.dumps(to_json(state))) if state else None,
        "X-1",
        [orjson.loads(persona.canonical()) for persona in personas],
        (lease.code, lease.message, lease.remedy) if lease else None,
    )
    rule, refused = hook_answer(context, tool, arguments)
    assert (refused is None) == decision.allowed
    if refused is None or decision.refusal is None:
        assert rule == decision.rule
    else:
        assert told(refused, refused.policy) == told(decision.refusal, decision.refusal.policy_revision)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.floats(allow_nan=False).map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=3), ANYTHING, max_size=4) | ANYTHING)
def test_arguments_are_read_and_digested_as_the_engine_does(value: Any) -> None:
    engines, hooks = read_arguments(value), Arguments(value)

    assert hooks.unreadable == engines.unreadable
    if not engines.unreadable:
        assert hashlib.sha256(canonical(value)).hexdigest() == engines.digest
        assert sorted(map(repr, hooks.leaves)) == sorted(map(repr, engines.leaves))


def test_what_is_looked_for_in_texts_is_the_engines() -> None:
    assert argument_rules._SHELL.pattern == hook_rules.SHELL
    assert argument_rules._NOT_IN_PATH.pattern == hook_rules.NOT_IN_PATH
    assert argument_rules._ODD_PART.pattern == hook_rules.ODD_PART
    assert argument_rules._GIT_FOLDER == hook_rules.GIT_FOLDER
    assert {str(kind): text for kind, text in argument_rules._REMEDIES.items()} == hook_rules.REMEDIES
    assert (argument_rules.PATH_CHARS_MAX, argument_rules.PATTERN_CHARS_MAX) == (
        hook_rules.PATH_CHARS_MAX,
        hook_rules.PATTERN_CHARS_MAX,
    )
