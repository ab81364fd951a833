"""An agent that speaks nothing but MCP, and the work it does under the default process.

It never calls the engine: where a person must decide, the test does that with the person's key.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from autopilot_work import TASK, Work
from mcp import Client
from small_repository import CHANGED, CHANGED_TESTS

from phasegate.engine.app.people.keys import Role
from phasegate.engine.mcp.refusals import REFUSAL

TIMEOUT_S = 120


class Agent:
    """A client of one server.

    Args:
        client: the client.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers, which must not be a refusal."""
        found = await self.client.call_tool(tool, arguments)
        assert not found.is_error, found.content
        return answer_of(found)

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Why a tool refuses, which it must do with a remedy."""
        found = await self.client.call_tool(tool, arguments)
        assert found.is_error, found.content
        told = answer_of(found)
        assert told["code"]
        assert told["message"]
        assert told["remedy"], told
        return told

    async def write(self, path: str, content: str) -> None:
        """Write a file by `write_file`, which must not be refused."""
        found = await self.client.call_tool("write_file", {"path": path, "content": content})
        assert not found.is_error, found.content

    async def phase(self) -> str:
        """The phase the task is in."""
        return await self.phase_of(TASK)

    async def phase_of(self, name: str) -> str:
        """The phase a task is in."""
        (task,) = (await self.call("status", task=name))["tasks"]
        return task["phase"]


def answer_of(found: Any) -> dict[str, Any]:
    """The answer's object, for programs, which is what the text says as well.

    That of a refusal is not the structured content, which clients check by the tool's output schema.
    """
    told = found.meta[REFUSAL] if found.is_error else found.structured_content
    assert told == json.loads(found.content[0].text)
    assert not (found.is_error and found.structured_content)
    return told


async def do(agent: Agent, work: Work, hands: Agent | None = None) -> None:
    """Do honestly what the phase needs, through MCP alone.

    Args:
        agent: a client of the engine.
        work: the work.
        hands: a client of a server with `write_file`, which everything is written by; without it the test writes.
    """
    phase = await agent.phase()
    assert (await agent.call("prompt", task=TASK))["phase"] == phase
    if phase == "IMPLEMENT" and hands is None:
        work.repository.change()
    if phase == "IMPLEMENT" and hands is not None:
        for path, content in (("src/means.py", CHANGED), ("test_means.py", CHANGED_TESTS)):
            await hands.write(path, content)
    if phase == "VERIFY":
        command = work.repository.check_command()
        reports = {"junit": "build/junit.xml", "coverage": "build/coverage.json"}
        seen = await agent.call("witness", task=TASK, argv=command, **reports)
        assert seen["passed"], seen
        return
    if phase == "PR":
        work.repository.commit("A mean of nothing")
    made = work.files(phase)
    if hands is not None:
        for file in made:
            await hands.write(f".phasegate/{file.name}", file.read_text())
        made = [work.repository.root / ".phasegate" / file.name for file in made]
    files = [str(file.relative_to(work.repository.root)) for file in made]
    await agent.call("evidence_add", task=TASK, files=files)


async def complete(agent: Agent, work: Work, hands: Agent | None = None) -> dict[str, Any]:
    """Take the task from where it stands to the end; a reviewer signs when the agent asks."""
    while True:
        await do(agent, work, hands)
        phase = await agent.phase()
        if phase == "REVIEW":
            asked = await agent.call("ask_approval", task=TASK, why="the change is ready")
            assert [item["code"] for item in asked["waiting_for"]] == ["approval.missing"]
            assert work.sign("rita", Role.REVIEWER).accepted
        gate = await agent.call("gate", task=TASK)
        assert gate["open"], gate["findings"]
        done = await agent.call("advance", task=TASK)
        if phase == "MONITOR":
            return done


@asynccontextmanager
async def connected(server: Any, **options: Any):
    """An agent connected to a server, in process or by parameters of a command."""
    async with Client(server, **options) as client:
        yield Agent(client)


def run(work: Callable[[], Any]) -> Any:
    """Run an asynchronous test to its end, within bounds."""

    async def bounded() -> Any:
        with anyio.fail_after(TIMEOUT_S):
            return await work()

    return anyio.run(bounded)
