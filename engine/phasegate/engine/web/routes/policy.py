"""What policy says: of tool calls, of the current phase, and of what is only tried."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from phasegate.engine.app.access.roles import Action
from phasegate.engine.core.tools import ToolDecision
from phasegate.engine.web.asking import PhaseQuery, Reading, TaskPath, Writing
from phasegate.engine.web.offering import Guarded, offer
from phasegate.engine.web.orders import NAME_PATTERN, CalledTool, PatchTrial, ToolCall
from phasegate.engine.web.policy_models import CallRecorded, RuleAnswers, Tool, ToolAnswer, ToolList

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["policy"])
Persona = Annotated[str | None, Query(pattern=NAME_PATTERN, description="Who calls; it only narrows.")]


# -- tool calls -------------------------------------------------------------------------------------------


@offer(router, "GET", "/tasks/{task}/tools", Action.READ, statuses=(404,))
def tools(engine: Reading, task: TaskPath, persona: Persona = None) -> ToolList:
    """What may be called now; for a task that does not exist, what policy lists as read-only."""
    found = engine.tools.list(task, persona=persona)
    return ToolList(tools=[Tool(tool=tool, rule=rule) for tool, rule in found.items()])


@offer(router, "POST", "/tools/check", Action.WORK, statuses=(409,))
def check_without_task(engine: Writing, body: ToolCall) -> ToolAnswer:
    """Decide on a tool call without a task: only what policy lists as read-only passes."""
    return ToolAnswer.of(engine.tools.check(None, body.tool, body.arguments, persona=body.persona))


@offer(router, "POST", "/tasks/{task}/tools/check", Action.WORK, statuses=(409,))
def check(engine: Writing, task: TaskPath, body: ToolCall) -> ToolAnswer:
    """Decide whether a tool may be called now; what is refused is recorded. Any other answer is a refusal."""
    return ToolAnswer.of(engine.tools.check(task, body.tool, body.arguments, persona=body.persona))


@offer(router, "POST", "/tasks/{task}/tools/called", Action.WORK, statuses=(409,), status=201)
def called(engine: Writing, task: TaskPath, body: CalledTool) -> CallRecorded:
    """Record that a tool was called as `check` allowed it, and how the call ended; its caller says so."""
    said = (task, body.phase, body.tool, body.rule, body.policy_revision)
    decision = ToolDecision(*said, arguments_digest=body.arguments_digest)
    engine.tools.reported(decision, body.arguments, body.outcome, server=body.server)
    return CallRecorded(arguments_digest=decision.arguments_digest)


# -- phases and trials ------------------------------------------------------------------------------------


@offer(router, "GET", "/tasks/{task}/policy", Action.READ, statuses=(404,))
def explain(engine: Reading, task: TaskPath, phase: PhaseQuery = None) -> RuleAnswers:
    """Which rules decide on a phase, the current one without `phase`, and what each says now."""
    return RuleAnswers.of(engine.policies.explain(task, phase))


@offer(router, "POST", "/tasks/{task}/policy/tool", Action.READ, statuses=(404,))
def try_tool(engine: Reading, task: TaskPath, body: ToolCall) -> RuleAnswers:
    """What tables and the pack `tools` say of a call by its name; nothing is recorded."""
    return RuleAnswers.of(engine.policies.simulate_tool(task, body.tool, persona=body.persona).answers)


@offer(router, "POST", "/tasks/{task}/policy/patch", Action.READ, statuses=(404,))
def try_patch(engine: Reading, task: TaskPath, body: PatchTrial) -> RuleAnswers:
    """What the rules would say of a change, if it were handed in as the task's patch; nothing is recorded."""
    return RuleAnswers.of(engine.policies.simulate_patch(task, body.patch.encode(), body.phase))
