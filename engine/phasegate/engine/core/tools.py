"""The one decision on a tool call: `route(process, state, tool, personas, lease, arguments=...)`.

A pure function over the lists of process and personas, compiled to frozen sets. Every interface asks it, and
nothing else lets a call pass. It fails closed: without a task that goes on, or against a lease, only the
process's `read_only_tools` pass; a phase without a list allows no more than those; a persona and the
process's argument rules only narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from phasegate.engine.core.argument_rules import argument_fault
from phasegate.engine.core.arguments import NOWHERE, Arguments, Places
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.core.tool_plan import ToolPlan, phase_rule, read_only_rule, tool_plan
from phasegate.policies.model import Process
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.tool_names import in_both, is_tool_name, tool_set
from phasegate.validators.interface import Finding

TOOL_SHOWN_MAX: Final = 150
_NAME_REMEDY: Final = "call a tool by its exact name: letters, digits and `_ . : / -`, at most 127 of them"


class ToolCode(StrEnum):
    """Why a call is refused; where a lease is in the way: `lease.held`, `lease.stale`, `lease.required`."""

    MALFORMED = "tool.malformed"
    OUT_OF_PHASE = "tool.out_of_phase"
    OUT_OF_PERSONA = "tool.out_of_persona"
    NO_TASK = "tool.no_task"
    UNKNOWN_TASK = "tool.unknown_task"
    TASK_FINISHED = "tool.task_finished"
    TASK_PAUSED = "tool.task_paused"
    ARGUMENT_REFUSED = "tool.argument_refused"


LEASE_CODES: Final = frozenset({"lease.held", "lease.stale", "lease.required"})


@dataclass(frozen=True, slots=True)
class ToolRefusal:
    """Why a tool call is refused, for a program and for a person.

    Attributes:
        code: a `ToolCode`, or the code of what a lease has against it.
        task: the task it was asked for; empty for none.
        phase: its phase; empty where there is no task.
        tool: the tool's name; of one that is no name, what can be shown of it.
        rule: the list, persona or condition that decided.
        policy_revision: digest of the process that decided.
        remedy: what to do about it.
        message: what is wrong.
    """

    code: str
    task: str
    phase: str
    tool: str
    rule: str
    policy_revision: str
    remedy: str
    message: str

    @property
    def by_lease(self) -> bool:
        """Whether a lease, or the want of one, was in the way."""
        return self.code in LEASE_CODES

    @property
    def finding(self) -> Finding:
        """As the violation it is recorded as names it: the tool as the artifact, the rule as the place."""
        return Finding(self.code, self.tool, self.rule, self.message, self.remedy)


class ToolDecision(NamedTuple):
    """The answer to one tool call.

    Attributes:
        task: the task it was asked for; empty for none.
        phase: its phase; empty where there is no task.
        tool: the tool.
        rule: the list that lets it pass, or what refused it.
        policy_revision: digest of the process that decided.
        refusal: why it is refused; None when it is allowed.
        arguments_digest: SHA-256 of the arguments it was asked about; empty where only the name was judged.
    """

    task: str
    phase: str
    tool: str
    rule: str
    policy_revision: str
    refusal: ToolRefusal | None = None
    arguments_digest: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the tool may be called."""
        return self.refusal is None


class _Fault(NamedTuple):
    code: str
    rule: str
    message: str
    remedy: str


def route(
    process: Process,
    state: TaskState | None,
    tool: str,
    personas: Sequence[PersonaSpec] = (),
    lease: Finding | None = None,
    *,
    task: str = "",
    arguments: Arguments | None = None,
    places: Places = NOWHERE,
) -> ToolDecision:
    """Decide whether a tool may be called now.

    Args:
        process: the definition the task runs under; without a task, the one whose `read_only_tools` count.
        state: where the task stands; None when there is no such task.
        tool: name of the tool, as the client calls it.
        personas: personas it is called by; every one of them must list it.
        lease: what a lease, or the want of one, has against work on the task now.
        task: what was given for a task where there is no state; empty for nothing.
        arguments: what it is called with; None where only the name is asked about.
        places: where the paths in them lead (`argument_rules.paths_in` tells which are); one that is not
            in it leads out.
    """
    name, phase = (state.task, state.phase) if state is not None else (shown(task), "")
    plan = tool_plan(process, phase, tool)
    fault = None if plan.read_only else _kept_by(plan, process, state, tool, lease, task)
    if fault is None and personas:
        fault = _persona_fault(tool, personas)
    if fault is None and arguments is not None:
        fault = _argument_fault(plan, arguments, places)
    digest = arguments.digest if arguments is not None else ""
    if fault is None:
        return ToolDecision(name, phase, tool, plan.passed_by, process.digest, None, digest)
    code, rule, message, remedy = fault
    called = tool if is_tool_name(tool) else shown(tool)
    refusal = ToolRefusal(code, name, phase, called, rule, process.digest, remedy, message)
    return ToolDecision(name, phase, called, rule, process.digest, refusal, digest)


def allowed_tools(
    process: Process,
    state: TaskState | None,
    personas: Sequence[PersonaSpec] = (),
    lease: Finding | None = None,
) -> dict[str, str]:
    """Every name and `NAME*` that `route` lets pass now, each with the rule that lets it."""
    lists = {read_only_rule(process): process.read_only_tools}
    if state is not None and _context_fault(state, lease) is None:
        lists[phase_rule(process, state.phase)] = process.phase(state.phase).tools
    found: dict[str, str] = {}
    for rule, names in lists.items():
        for persona in personas:
            names = in_both(names, persona.tools)  # noqa: PLW2901 - narrowed by one after the other
        found.update({name: rule for name in names if name not in found})
    return dict(sorted(found.items()))


def _context_fault(state: TaskState, lease: Finding | None) -> _Fault | None:
    """Why there is no context to call more than read-only tools in; None when there is one."""
    if state.status.final:
        text = f"task `{state.task}` is {state.status}"
        return _Fault(ToolCode.TASK_FINISHED, "task.status", text, "open a new task for further work")
    if state.status is Status.PAUSED:
        remedy = f"a person lets it go on: `engine resume {state.task} --reason TEXT --key FILE`"
        text = f"task `{state.task}` is paused: {state.paused}"
        return _Fault(ToolCode.TASK_PAUSED, "task.status", text, remedy)
    if lease is not None:
        return _Fault(lease.code, "lease", lease.message, lease.remedy)
    return None


def _kept_by(
    plan: ToolPlan, process: Process, state: TaskState | None, tool: str, lease: Finding | None, task: str
) -> _Fault | None:
    """What keeps a tool that is not on the list of those that pass everywhere."""
    if not plan.named:
        return _Fault(ToolCode.MALFORMED, "name", f"`{shown(tool)}` is no tool's name", _NAME_REMEDY)
    if state is None:
        return _no_task(task)
    fault = _context_fault(state, lease)
    return fault if fault or plan.in_phase else _out_of_phase(process, state, tool)


def is_answer(process: Process, decision: ToolDecision) -> bool:
    """Whether a process can have let a call pass so, in whichever of its phases."""
    if decision.policy_revision != process.digest or decision.phase not in {"", *process.order}:
        return False
    plan = tool_plan(process, decision.phase, decision.tool)
    return decision.rule != "" and decision.rule == plan.passed_by


def _no_task(task: str) -> _Fault:
    remedy = "open one, and name it: `engine open TASK --process autopilot --repo DIR`"
    if task:
        return _Fault(ToolCode.UNKNOWN_TASK, "task", f"there is no task `{shown(task)}`", remedy)
    return _Fault(ToolCode.NO_TASK, "task", "there is no active task", remedy)


def _out_of_phase(process: Process, state: TaskState, tool: str) -> _Fault:
    where = [phase.name for phase in process.phases if tool_set(phase.tools).allows(tool)]
    elsewhere = f"it may be called in {', '.join(where)}" if where else "no phase of the process allows it"
    remedy = f"{elsewhere}; `engine tool list {state.task}` shows what may be called now"
    rule = phase_rule(process, state.phase)
    return _Fault(ToolCode.OUT_OF_PHASE, rule, f"{state.phase} does not allow the tool `{tool}`", remedy)


def _persona_fault(tool: str, personas: Sequence[PersonaSpec]) -> _Fault | None:
    for persona in personas:
        if not persona.allows(tool):
            who = f"persona:{persona.name}@{persona.version}"
            text = f"the persona `{persona.name}` does not list the tool `{tool}`"
            remedy = "leave the step to whose persona lists it; a persona narrows what a phase allows"
            return _Fault(ToolCode.OUT_OF_PERSONA, who, text, remedy)
    return None


def _argument_fault(plan: ToolPlan, arguments: Arguments, places: Places) -> _Fault | None:
    found = argument_fault(plan.judgements, arguments, places)
    return _Fault(ToolCode.ARGUMENT_REFUSED, *found) if found else None


def shown(text: str) -> str:
    """What can be shown and recorded of any text: printable ASCII, within bounds."""
    plain = ascii(text[:TOOL_SHOWN_MAX])[1:-1]
    return plain if len(plain) <= TOOL_SHOWN_MAX else f"{plain[: TOOL_SHOWN_MAX - 3]}..."
