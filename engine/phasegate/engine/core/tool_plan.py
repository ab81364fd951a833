"""What a process says of one tool in one phase, worked out once and kept: its lists and its argument rules.

Pure. What is kept is bounded, and forgotten as a whole when there is too much of it, since names of tools
come from agents; of what is no name, nothing is kept.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from phasegate.engine.core.argument_rules import Judgement, judgements
from phasegate.policies.model import Process
from phasegate.policies.tool_names import is_tool_name, tool_set

PLANS_MAX: Final = 1024

_PLANS: dict[tuple[str, str, str], ToolPlan] = {}


class ToolPlan(NamedTuple):
    """What decides on calls of a tool in a phase, as far as the process alone tells.

    Attributes:
        named: whether it is a tool's name at all.
        read_only: the rule that lets it pass everywhere; empty for none.
        in_phase: the rule that lets it pass in the phase; empty for none.
        judgements: argument rules that are about it.
    """

    named: bool
    read_only: str
    in_phase: str
    judgements: tuple[Judgement, ...]

    @property
    def passed_by(self) -> str:
        """The rule that lets it pass, if nothing else is in the way; empty for none."""
        return self.read_only or self.in_phase


_NO_NAME: Final = ToolPlan(named=False, read_only="", in_phase="", judgements=())


def tool_plan(process: Process, phase: str, tool: str) -> ToolPlan:
    """The plan of a tool in a phase; an empty `phase` stands for no task."""
    key = (process.digest, phase, tool)
    found = _PLANS.get(key)
    if found is not None:
        return found
    if not is_tool_name(tool):
        return _NO_NAME
    if len(_PLANS) >= PLANS_MAX:
        _PLANS.clear()
    return _PLANS.setdefault(key, _made(process, phase, tool))


def read_only_rule(process: Process) -> str:
    """How the list of tools that pass everywhere is called."""
    return f"{process.process}:read_only_tools"


def phase_rule(process: Process, phase: str) -> str:
    """How the list of a phase's tools is called."""
    return f"{process.process}:{phase}.tools"


def _made(process: Process, phase: str, tool: str) -> ToolPlan:
    everywhere = tool_set(process.read_only_tools).allows(tool)
    here = phase != "" and tool_set(process.phase(phase).tools).allows(tool)
    return ToolPlan(
        named=True,
        read_only=read_only_rule(process) if everywhere else "",
        in_phase=phase_rule(process, phase) if here else "",
        judgements=judgements(process, phase, tool),
    )
