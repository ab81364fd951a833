"""The decision on a tool call is that of a naive reference, over any process, personas and contexts."""

from __future__ import annotations

from hypothesis import given, settings
from random_tool_calls import CALLED, LEASES, NAMES, PERSONAS, STATES, processes

from phasegate.engine.core.state import TaskState
from phasegate.engine.core.tools import allowed_tools, route
from phasegate.policies.model import Process
from phasegate.policies.persona import PersonaSpec
from phasegate.validators.interface import Finding

examples = settings(max_examples=500)


def listed(tool: str, names: tuple[str, ...]) -> bool:
    """Whether one of the names stands for the tool, letter by letter."""
    for name in names:
        if name[-1] == "*" and tool[: len(name) - 1] == name[:-1]:
            return True
        if name[-1] != "*" and tool == name:
            return True
    return False


def reference(
    process: Process,
    state: TaskState | None,
    tool: str,
    personas: list[PersonaSpec],
    lease: Finding | None,
) -> bool:
    """Rule 4 in as many words."""
    if not tool or not tool[0].isalpha() or not all(char in "abAB." for char in tool):
        return False
    if not all(listed(tool, persona.tools) for persona in personas):
        return False
    if listed(tool, process.read_only_tools):
        return True
    if state is None or state.status != "open" or lease is not None:
        return False
    (phase,) = (rule for rule in process.phases if rule.name == state.phase)
    return listed(tool, phase.tools)


@examples
@given(processes(), STATES, CALLED, PERSONAS, LEASES)
def test_the_decision_is_the_references(
    process: Process, state: TaskState | None, tool: str, personas: list[PersonaSpec], lease: Finding | None
) -> None:
    decision = route(process, state, tool, personas, lease, task="X-1")

    assert decision.allowed == reference(process, state, tool, personas, lease)
    assert decision.policy_revision == process.digest
    assert (decision.refusal is None) == decision.allowed
    assert decision.refusal is None or (decision.refusal.remedy and decision.refusal.rule)


@examples
@given(processes(), STATES, NAMES, PERSONAS, LEASES)
def test_the_list_of_what_may_be_called_is_what_may_be_called(
    process: Process, state: TaskState | None, tool: str, personas: list[PersonaSpec], lease: Finding | None
) -> None:
    found = tuple(allowed_tools(process, state, personas, lease))

    assert listed(tool, found) == route(process, state, tool, personas, lease).allowed


@examples
@given(processes(), STATES, CALLED, PERSONAS, PERSONAS, LEASES)
def test_nothing_widens_but_the_phase(
    process: Process,
    state: TaskState | None,
    tool: str,
    personas: list[PersonaSpec],
    more: list[PersonaSpec],
    lease: Finding | None,
) -> None:
    narrowed = route(process, state, tool, [*personas, *more], lease).allowed

    assert not narrowed or route(process, state, tool, personas, lease).allowed, "a persona narrows"
    assert not route(process, None, tool, personas).allowed or (
        state is None or route(process, state, tool, personas, lease).allowed
    ), "what passes without a task passes in every phase"
