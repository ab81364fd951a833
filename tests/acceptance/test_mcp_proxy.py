"""Promise: through the proxy a client has of a server what the phase allows, and all else the protocol has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from guarded_homes import TASK, Guarded, assert_sound, guarded_home

pytest.importorskip("mcp", reason="needs the extra `mcp`")

import anyio
import mcp_types as types
from mcp import StdioServerParameters
from mcp_agent import Agent, connected, run
from proxied import process, repository_of

SERVER = Path(__file__).parent.parent / "mcp_files_server.py"


def opened(folder: Path) -> tuple[Guarded, Path]:
    """A home with a task, and its repository."""
    home, repository = guarded_home(folder / "home", process()), repository_of(folder / "repository")
    home.open_task(repository=repository)
    return home, repository


def through_proxy(home: Guarded) -> StdioServerParameters:
    """The server behind the proxy, for the home's task; neither is started where the repository is."""
    proxy = ["-m", "phasegate.engine.cli", "mcp", "proxy", "--task", TASK, "--home", str(home.root), "--"]
    return StdioServerParameters(command=sys.executable, args=[*proxy, sys.executable, str(SERVER)], cwd="/")


class Person:
    """What is asked of the client, answered, and what it is told, kept."""

    def __init__(self) -> None:
        self.tools_changed = anyio.Event()

    async def sample(self, _context: Any, params: Any) -> types.CreateMessageResult:
        assert params.messages[0].content.text == "who?"
        return types.CreateMessageResult(
            role="assistant", content=types.TextContent(type="text", text="me"), model="none"
        )

    async def roots(self, _context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri="file:///somewhere")])

    async def elicit(self, _context: Any, _params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "ann"})

    async def told(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.tools_changed.set()


async def text_of(agent: Agent, tool: str, **arguments: Any) -> str:
    found = await agent.client.call_tool(tool, arguments)
    assert not found.is_error, found
    return found.content[0].text


async def has_the_rest_of_the_protocol(agent: Agent) -> None:
    seen: list[float] = []

    async def progress(done: float, _total: float | None, _message: str | None) -> None:
        seen.append(done)

    assert await agent.client.call_tool("search", {}, progress_callback=progress)
    assert seen == [1, 2]
    assert [str(it.uri) for it in (await agent.client.list_resources()).resources] == ["note://one"]
    assert (await agent.client.read_resource("note://one")).contents[0].text == "a note"
    (message,) = (await agent.client.get_prompt("greet", {"name": "you"})).messages
    assert message.content.text == "hello you"


async def names(agent: Agent) -> set[str]:
    return {tool.name for tool in (await agent.client.list_tools()).tools}


def test_given_a_server_of_the_sdk_then_its_client_has_what_the_phase_allows_and_the_whole_protocol(
    tmp_path: Path,
) -> None:
    (home, repository), person = opened(tmp_path), Person()

    async def walk() -> None:
        asked = {"sampling_callback": person.sample, "list_roots_callback": person.roots}
        more = {"elicitation_callback": person.elicit, "message_handler": person.told}
        async with connected(through_proxy(home), mode="legacy", **asked, **more) as agent:
            assert agent.client.instructions == "Reads and writes."
            assert "write_file" in await names(agent)
            assert "drop_database" not in await names(agent)
            await has_the_rest_of_the_protocol(agent)
            assert await text_of(agent, "grep_search") == "me file:///somewhere"
            assert await text_of(agent, "file_search") == "accept ann"

            assert await text_of(agent, "write_file", path="docs/a.md", content="new") == "wrote docs/a.md"
            assert (repository / "docs" / "a.md").read_text() == "new"
            told = await agent.refused("write_file", path="src/means.py", content="")
            assert (told["code"], told["rule"]) == ("tool.argument_refused", "paths")
            assert (await agent.refused("drop_database"))["code"] == "tool.out_of_phase"
            assert (await agent.client.call_tool("read", {"how": "badly"})).is_error

            with anyio.move_on_after(0.5):
                await agent.client.call_tool("glob", {})
            home.bring_to("BUILD")
            await person.tools_changed.wait()
            assert "write_file" not in await names(agent)
            assert (await agent.refused("write_file", path="docs/a.md", content=""))["phase"] == "BUILD"

    run(walk)
    with home.engine() as engine:
        calls = [entry.payload for entry in engine.store.entries(task=TASK, type="tool.called")]
        assert_sound(engine)
    assert [(call["tool"], call["outcome"]) for call in calls] == [
        ("search", "ok"), ("grep_search", "ok"), ("file_search", "ok"), ("write_file", "ok"), ("read", "error"),
        ("glob", "cancelled"),
    ]  # fmt: skip


def test_given_a_client_of_the_newest_protocol_then_it_is_told_of_changes_where_it_listens(
    tmp_path: Path,
) -> None:
    home, _ = opened(tmp_path)

    async def walk() -> None:
        async with connected(through_proxy(home)) as agent:
            assert "write_file" in await names(agent)
            await has_the_rest_of_the_protocol(agent)
            assert (await agent.refused("drop_database"))["code"] == "tool.out_of_phase"
            async with agent.client.listen(tools_list_changed=True) as changes:
                home.bring_to("BUILD")
                async for _ in changes:
                    if "write_file" not in await names(agent):
                        break
            assert (await agent.refused("write_file", path="docs/a.md", content=""))["phase"] == "BUILD"

    run(walk)
