"""The MCP server: hands requests to the engine, one call at a time, and tells what came of them."""

from __future__ import annotations

import json
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread
import mcp_types as types
import structlog
from anyio import CapacityLimiter
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError

from phasegate.engine.mcp import reading
from phasegate.engine.mcp.caller import Caller
from phasegate.engine.mcp.doing import Declined
from phasegate.engine.mcp.refusals import REFUSAL, refused, told
from phasegate.engine.mcp.toolbox import TOOLS, Instrument

CALLS_AT_ONCE: Final = 16
PROGRESS_S: Final = 2.0
_BUG: Final = {
    "code": "internal",
    "message": "an internal error; the server's log tells of it",
    "remedy": "report it",
}
INSTRUCTIONS: Final = """\
Work goes through phases, and a gate stands at the end of each. For a task: `status` tells where it stands; \
`prompt` gives the instructions of its phase; do the work; `evidence_add` hands in what the phase leaves, \
`witness` has commands seen; `gate` tells what is missing; `advance` leaves the phase. What is out of order \
is refused and recorded, with a remedy in the answer. Do not work around a refusal: do what it says."""

Found = TypeVar("Found")
Context = ServerRequestContext[Any, Any]
CallerOf = Callable[[Context], Caller]


class Serving:
    """The handlers of one server.

    Args:
        caller_of: who makes a request.
        prefix: what the names of its tools begin with, for clients that do not name the server with them.
    """

    def __init__(self, caller_of: CallerOf, prefix: str = "") -> None:
        self._caller_of = caller_of
        self._tools = {f"{prefix}{tool.name}": tool for tool in TOOLS}
        self._prefix = prefix
        self._log = structlog.get_logger("phasegate.mcp")
        self._limiter: CapacityLimiter | None = None

    def server(self) -> Server[dict[str, Any]]:
        """The server with its handlers."""
        return Server(
            "engine",
            version=version("phasegate"),
            title="phasegate",
            instructions=self._instructions(),
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_resources=self.list_resources,
            on_list_resource_templates=self.list_templates,
            on_read_resource=self.read_resource,
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
        )

    def _instructions(self) -> str:
        if not self._prefix:
            return INSTRUCTIONS
        return f"{INSTRUCTIONS} Here the names of all these tools begin with `{self._prefix}`."

    # -- tools ----------------------------------------------------------------------------------------

    async def list_tools(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """All tools; which of them take effect is for the engine to say."""
        return types.ListToolsResult(tools=[tool.described(self._prefix) for tool in TOOLS])

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Call one tool; whatever is refused is a result, so that the model reads why."""
        tool = self._tools.get(params.name)
        if tool is None:
            known = ", ".join(self._tools)
            message = f"there is no tool `{params.name[:80]}`"
            return _failed({"code": "unknown_tool", "message": message, "remedy": f"use one of: {known}"})
        try:
            answer = await self._working(
                context, partial(self._call, context, tool, params.arguments or {}), tool
            )
        except Declined as declined:
            return _failed(refused(declined.result))
        except Exception as error:  # noqa: BLE001 - no error of one call ends the server
            return _failed(self._told(error))
        return types.CallToolResult(content=[_text(answer)], structured_content=answer)

    def _call(self, context: Context, tool: Instrument, arguments: dict[str, Any]) -> dict[str, Any]:
        caller = self._caller_of(context)
        caller.may(tool.action)
        return tool.run(caller, tool.arguments.model_validate(arguments)).model_dump(mode="json")

    async def _working(
        self, context: Context, call: Callable[[], dict[str, Any]], tool: Instrument
    ) -> dict[str, Any]:
        """The answer of a call; one that may take long tells that it goes on."""
        if not tool.slow:
            return await self._off(call)
        refusal: Exception | None = None
        answer: dict[str, Any] = {}
        async with anyio.create_task_group() as group:
            group.start_soon(self._progress, context, tool.name)
            try:
                answer = await self._off(call)
            except Exception as error:  # noqa: BLE001 - told outside, where no group wraps it
                refusal = error
            group.cancel_scope.cancel()
        if refusal is not None:
            raise refusal
        return answer

    async def _progress(self, context: Context, name: str) -> None:
        passed = 0.0
        while True:
            await context.session.report_progress(passed, message=f"{name} runs")
            await anyio.sleep(PROGRESS_S)
            passed += PROGRESS_S

    # -- resources and prompts --------------------------------------------------------------------------

    async def list_resources(
        self, context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """The tasks."""
        found = await self._answer(lambda: reading.listed(self._caller_of(context)))
        return types.ListResourcesResult(resources=found)

    async def list_templates(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """What can be read."""
        return types.ListResourceTemplatesResult(resource_templates=reading.templates())

    async def read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Read one."""
        content = await self._answer(lambda: reading.read(self._caller_of(context), str(params.uri)))
        return types.ReadResourceResult(contents=[content])

    async def list_prompts(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        """One for each phase."""
        return types.ListPromptsResult(prompts=await self._answer(reading.prompts))

    async def get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        """The instructions for a task."""
        task = (params.arguments or {}).get("task", "")
        return await self._answer(lambda: reading.prompt(self._caller_of(context), params.name, task))

    async def _answer(self, call: Callable[[], Found]) -> Found:
        """What a call gives; an error becomes one of the protocol, with code and remedy."""
        try:
            return await self._off(call)
        except Exception as error:  # noqa: BLE001 - no error of one request ends the server
            problem = self._told(error)
            bad = problem["code"] in {"bad_input", "not_permitted", "token_refused"}
            code = types.INVALID_PARAMS if bad else types.INTERNAL_ERROR
            raise MCPError(code, problem["message"], problem) from None

    # -- threads ----------------------------------------------------------------------------------------

    def _off(self, call: Callable[[], Found]) -> Awaitable[Found]:
        """Run a call off the loop; one that was begun is finished, so nothing is left half done."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(CALLS_AT_ONCE)
        return anyio.to_thread.run_sync(call, limiter=self._limiter)

    def _told(self, error: Exception) -> dict[str, Any]:
        problem = told(error)
        if problem is None:
            self._log.error("internal", trace="".join(traceback.format_exception(error)))
        return problem or dict(_BUG)


def _failed(problem: dict[str, Any]) -> types.CallToolResult:
    """A refusal as a result.

    Its object stands in `_meta`, not as structured content: clients check that by the tool's output schema
    even of an error, and where it has another shape they show a complaint of their own instead.
    """
    return types.CallToolResult(content=[_text(problem)], is_error=True, _meta={REFUSAL: problem})


def _text(value: dict[str, Any]) -> types.TextContent:
    return types.TextContent(type="text", text=json.dumps(value, ensure_ascii=False))
