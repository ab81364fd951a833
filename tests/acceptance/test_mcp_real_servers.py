"""Promise: servers that others wrote work behind the proxy, for clients that others wrote, as far as the phase allows.

The servers are those of npm and PyPI; the client is the official inspector, or that of the SDK.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from npm_packages import program
from small_repository import SmallRepository

pytest.importorskip("mcp", reason="needs the extra `mcp`")

import mcp_types as types
from mcp import StdioServerParameters
from mcp_agent import connected, run

from phasegate.engine.app.engine import Engine
from phasegate.engine.mcp.refusals import REFUSAL

TASK = "T-1"
PROCESS = """
process: servers
version: 1
title: Tools of servers that others wrote
phases:
  - name: WORK
    purpose: to work
    tools: [read_text_file, write_file, files__read_text_file, files__write_file, git__git_status, all__echo,
            all__trigger-long-running-operation, all__trigger-sampling-request,
            all__trigger-elicitation-request, all__get-roots-list]
    evidence: [{name: notes.md}]
  - name: AFTER
    purpose: to look back
    tools: [read_text_file]
    evidence: [{name: end.md}]
forward: {WORK: [AFTER]}
argument_rules:
  - {id: written, kind: path_in_allowlist, tools: [write_file, files__write_file], arguments: [path], allow: ["docs/**"]}
  - {id: here, kind: one_of, tools: [git__git_status], arguments: [repo_path], values: ["."]}
"""


class Place:
    """A task in a repository, and what stands before servers there."""

    def __init__(self, folder: Path) -> None:
        self.repository = SmallRepository(folder / "repository").root
        (self.repository / "docs").mkdir()
        self.home = folder / "home"
        process = folder / "process.yaml"
        process.write_text(PROCESS)
        with Engine.init(self.home) as engine:
            engine.open_task(TASK, str(process), repository=self.repository)

    def proxy(self, *servers: str) -> list[str]:
        """The command of the proxy before servers."""
        engine = [sys.executable, "-m", "phasegate.engine.cli"]
        return [*engine, "mcp", "proxy", "--task", TASK, "--home", str(self.home), *servers]

    def inspect(self, *asked: tuple[Sequence[str], Sequence[str]]) -> list[dict[str, Any]]:
        """What the inspector prints for requests, each to a server, which it makes at once."""
        servers = {str(number): server for number, (server, _) in enumerate(asked)}
        commands = {name: self.proxy("--", *server) for name, server in servers.items()}
        config = {name: {"command": command[0], "args": command[1:]} for name, command in commands.items()}
        file = self.home.parent / "mcp.json"
        file.write_text(json.dumps({"mcpServers": config}))
        inspector = [
            *program("@modelcontextprotocol/inspector", "mcp-inspector"),
            "--cli",
            "--config",
            str(file),
        ]

        environ = {**os.environ, "HOME": str(self.home.parent), "MCP_INSPECTOR_SECRET_STORE": "memory"}

        def ask(number: int) -> dict[str, Any]:
            words = [*inspector, "--server", str(number), *asked[number][1]]
            done = subprocess.run(words, capture_output=True, timeout=60, env=environ)
            assert done.stdout, done.stderr.decode()
            return json.loads(done.stdout)

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(ask, range(len(asked))))

    def calls(self) -> list[tuple[str, str]]:
        """The calls on record, each with its outcome, sorted."""
        with Engine.open(self.home, readonly=True) as engine:
            found = [entry.payload for entry in engine.store.entries(task=TASK, type="tool.called")]
        return sorted((call["tool"], call["outcome"]) for call in found)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Given a task in a repository."""
    return Place(tmp_path)


def call(tool: str, **arguments: str) -> list[str]:
    """The inspector's words for a call of a tool."""
    given = [word for name, value in arguments.items() for word in ("--tool-arg", f"{name}={value}")]
    return ["--method", "tools/call", "--tool-name", tool, *given]


def test_given_the_inspector_then_it_sees_and_calls_what_the_phase_allows(place: Place) -> None:
    files = [*program("@modelcontextprotocol/server-filesystem"), str(place.repository)]
    listed, elsewhere = place.inspect(
        (files, ["--method", "tools/list"]), (files, call("write_file", path="src/a.py", content="a"))
    )
    assert {tool["name"] for tool in listed["tools"]} == {"read_text_file", "write_file"}
    assert elsewhere["isError"] is True
    told = elsewhere["_meta"][REFUSAL]
    assert json.loads(elsewhere["content"][0]["text"]) == told
    assert (told["code"], told["rule"]) == ("tool.argument_refused", "written")
    assert told["remedy"]
    assert not place.calls()


class Person:
    """Answers what a server asks the client for."""

    async def sample(self, _context: Any, _params: Any) -> types.CreateMessageResult:
        said = types.TextContent(type="text", text="a sample")
        return types.CreateMessageResult(role="assistant", content=said, model="none")

    async def elicit(self, _context: Any, _params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="decline")

    async def roots(self, _context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri="file:///a/root")])


def test_given_three_servers_at_once_then_each_is_reached_by_its_prefix_with_the_whole_protocol(
    place: Place,
) -> None:
    pytest.importorskip("mcp_server_git", reason="needs `mcp-server-git`")
    servers = {
        "files": [*program("@modelcontextprotocol/server-filesystem"), str(place.repository)],
        "git": [sys.executable, "-m", "mcp_server_git"],
        "all": [*program("@modelcontextprotocol/server-everything"), "stdio"],
    }
    named = [
        word for name, command in servers.items() for word in ("--server", f"{name}={shlex.join(command)}")
    ]
    proxy = place.proxy(*named)
    parameters = StdioServerParameters(command=proxy[0], args=proxy[1:], cwd=str(place.home.parent))
    person, seen = Person(), []

    async def progress(done: float, _total: float | None, _message: str | None) -> None:
        seen.append(done)

    async def walk() -> None:
        asked = {"sampling_callback": person.sample, "list_roots_callback": person.roots}
        async with connected(parameters, mode="legacy", elicitation_callback=person.elicit, **asked) as agent:

            async def text(tool: str, **arguments: Any) -> str:
                found = await agent.client.call_tool(tool, arguments, progress_callback=progress)
                assert not found.is_error, found
                return found.content[0].text

            assert await text("all__echo", message="hello") == "Echo: hello"
            assert "a sample" in await text("all__trigger-sampling-request", prompt="x", maxTokens=9)
            assert "declined" in await text("all__trigger-elicitation-request")
            assert "file:///a/root" in await text("all__get-roots-list")
            await text("all__trigger-long-running-operation", duration=0.1, steps=2)
            assert seen == [1, 2]
            tools = {tool.name for tool in (await agent.client.list_tools()).tools}
            assert {"files__write_file", "git__git_status", "all__echo"} <= tools
            assert not tools & {"files__move_file", "git__git_commit", "all__get-env", "echo", "write_file"}
            assert "wrote" in await text("files__write_file", path="docs/a.md", content="a")
            assert "docs/" in await text("git__git_status", repo_path=".")
            told = await agent.refused("git__git_commit", repo_path=".", message="past the gates")
            assert told["code"] == "tool.out_of_phase"
            uris = [item.uri for item in (await agent.client.list_resources()).resources]
            assert (await agent.client.read_resource(uris[0])).contents[0].text
            prompts = [prompt.name for prompt in (await agent.client.list_prompts()).prompts]
            assert (await agent.client.get_prompt("all__simple-prompt")).messages
            assert "all__simple-prompt" in prompts

    run(walk)
    assert (place.repository / "docs" / "a.md").read_text() == "a"
    assert len(place.calls()) == 7
