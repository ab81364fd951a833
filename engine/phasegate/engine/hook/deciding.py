"""The decision on a tool call, as `engine.core.tools.route` makes it, over what is stored.

Fails closed: what is not listed does not pass, and what cannot be read is refused.
"""

from __future__ import annotations

from phasegate.engine.hook.refusing import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from phasegate.engine.hook.arguments import Arguments
    from phasegate.engine.hook.places import Places

    Fault = tuple[str, str, str, str]

SHOWN_MAX = 150
NAME_CHARS_MAX = 127
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_OTHERS = _LETTERS | frozenset("_.:/-")
_NAME_REMEDY = "call a tool by its exact name: letters, digits and `_ . : / -`, at most 127 of them"
_NO_TASK_REMEDY = "open one, and name it: `engine open TASK --process autopilot --repo DIR`"


class Context:
    """What a call is judged by.

    Attributes:
        definition: the process as stored, defaults left out.
        digest: its digest.
        state: the task's state as stored; None where there is no such task.
        task: what was given for a task where there is no state.
        personas: personas as stored; each must list the tool.
        lease: code, message and remedy of what a lease has against the call; None for nothing.
    """

    def __init__(
        self,
        definition: dict[str, Any],
        digest: str,
        state: dict[str, Any] | None,
        task: str,
        personas: list[dict[str, Any]],
        lease: tuple[str, str, str] | None,
    ) -> None:
        self.definition = definition
        self.digest = digest
        self.state = state
        self.task = task
        self.personas = personas
        self.lease = lease

    @property
    def name(self) -> str:
        """The task."""
        return str(self.state["task"]) if self.state else shown(self.task)

    @property
    def phase(self) -> str:
        """Its phase; empty without a task."""
        return str(self.state["phase"]) if self.state else ""

    @property
    def rule(self) -> dict[str, Any]:
        """The rule of the phase."""
        return next(rule for rule in self.definition["phases"] if rule["name"] == self.phase)


def route(context: Context, tool: str, arguments: Arguments, places: Places) -> str:
    """The rule that lets a tool pass.

    Raises:
        Refusal: nothing does.
    """
    rule, fault = _passed_by(context, tool)
    if fault is None:
        fault = _persona_fault(context, tool) or _argument_fault(context, tool, arguments, places)
    if fault is None:
        return rule
    code, decided_by, message, remedy = fault
    raise Refusal(
        code,
        decided_by,
        message,
        remedy,
        task=context.name,
        phase=context.phase,
        tool=tool if is_tool_name(tool) else shown(tool),
        policy=context.digest,
    )


def is_tool_name(text: str) -> bool:
    """Whether a text names a tool: ASCII letters, digits and `_ . : / -`, at most 127, and no pattern."""
    return 0 < len(text) <= NAME_CHARS_MAX and text[0] in _LETTERS and _OTHERS.issuperset(text)


def listed(names: Any, tool: str) -> bool:
    """Whether a list of tools has one: by its name, or by a beginning that ends in `*`."""
    return any(tool == name or (name[-1:] == "*" and tool.startswith(name[:-1])) for name in names)


def shown(text: str) -> str:
    """What can be shown and recorded of any text: printable ASCII, within bounds."""
    cut = ascii(text[:SHOWN_MAX])[1:-1]
    return cut if len(cut) <= SHOWN_MAX else f"{cut[: SHOWN_MAX - 3]}..."


def _passed_by(context: Context, tool: str) -> tuple[str, Fault | None]:
    """The rule of the process that lets a tool pass, or what keeps it."""
    process = context.definition["process"]
    if not is_tool_name(tool):
        return "", ("tool.malformed", "name", f"`{shown(tool)}` is no tool's name", _NAME_REMEDY)
    if listed(context.definition.get("read_only_tools", ()), tool):
        return f"{process}:read_only_tools", None
    fault = _context_fault(context)
    if fault is not None:
        return "", fault
    rule = f"{process}:{context.phase}.tools"
    if listed(context.rule.get("tools", ()), tool):
        return rule, None
    return "", _out_of_phase(context, tool, rule)


def _context_fault(context: Context) -> Fault | None:
    """Why there is no context to call more than read-only tools in; None when there is one."""
    state = context.state
    if state is None and context.task:
        return ("tool.unknown_task", "task", f"there is no task `{shown(context.task)}`", _NO_TASK_REMEDY)
    if state is None:
        return ("tool.no_task", "task", "there is no active task", _NO_TASK_REMEDY)
    task, status = state["task"], state["status"]
    if status == "paused":
        remedy = f"a person lets it go on: `engine resume {task} --reason TEXT --key FILE`"
        return ("tool.task_paused", "task.status", f"task `{task}` is paused: {state['paused']}", remedy)
    if status != "open":
        text = f"task `{task}` is {status}"
        return ("tool.task_finished", "task.status", text, "open a new task for further work")
    if context.lease is not None:
        code, message, remedy = context.lease
        return (code, "lease", message, remedy)
    return None


def _out_of_phase(context: Context, tool: str, rule: str) -> Fault:
    phases = context.definition["phases"]
    where = [phase["name"] for phase in phases if listed(phase.get("tools", ()), tool)]
    elsewhere = f"it may be called in {', '.join(where)}" if where else "no phase of the process allows it"
    remedy = f"{elsewhere}; `engine tool list {context.name}` shows what may be called now"
    return ("tool.out_of_phase", rule, f"{context.phase} does not allow the tool `{tool}`", remedy)


def _persona_fault(context: Context, tool: str) -> Fault | None:
    for persona in context.personas:
        if not listed(persona.get("tools", ()), tool):
            who = f"persona:{persona['name']}@{persona['version']}"
            text = f"the persona `{persona['name']}` does not list the tool `{tool}`"
            remedy = "leave the step to whose persona lists it; a persona narrows what a phase allows"
            return ("tool.out_of_persona", who, text, remedy)
    return None


def _argument_fault(context: Context, tool: str, arguments: Arguments, places: Places) -> Fault | None:
    if arguments.unreadable:
        text = f"the arguments cannot be read: {arguments.unreadable}"
        return ("tool.argument_refused", "arguments", text, "give one JSON object, within bounds")
    rules = context.definition.get("argument_rules", ())
    rules = [rule for rule in rules if not rule.get("tools") or listed(rule["tools"], tool)]
    if not rules:
        return None
    from phasegate.engine.hook.rules import argument_fault  # noqa: PLC0415 - most calls need none

    found = argument_fault(rules, _git_rules(context), arguments, places)
    return ("tool.argument_refused", *found) if found else None


def _git_rules(context: Context) -> dict[str, Any] | None:
    """What the phase may change in a repository; None where nobody looks."""
    named = context.rule.get("git") if context.state else None
    return context.definition["repository"][named] if named else None
