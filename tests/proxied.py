"""A relay in this process, between a test that is the client and scripted servers.

Messages go through the same reading and writing as on a pipe: what a test sends are bytes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from guarded_homes import guarded
from small_processes import claimed

from phasegate.engine.mcp.proxy.downstream import Downstream
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.messages import Malformed, encoded
from phasegate.engine.mcp.proxy.running import serve_client
from phasegate.policies.argument_rules import ArgumentRule
from phasegate.policies.model import PhaseRule, Process

Message = dict[str, Any]
WAIT_S = 30


def process(**more: Any) -> Process:
    """PLAN, where files are written below `docs/`, and BUILD, where programs run; anywhere is read."""
    phases = (
        PhaseRule(
            name="PLAN",
            purpose="p",
            evidence=(claimed("plan.md"),),
            tools=("write_file", "fs__write*"),
            git="documents",
        ),
        PhaseRule(
            name="BUILD", purpose="b", implements=True, evidence=(claimed("change.md"),), tools=("Bash",)
        ),
    )
    fields: dict[str, Any] = {
        "phases": phases,
        "forward": {"PLAN": ("BUILD",)},
        "backtrack": {"BUILD": ("PLAN",)},
        "read_only_tools": ("file_search", "fs__read*", "git__*", "glob", "grep_search", "read*", "search"),
        "repository": {"documents": {"allow": ["docs/**"]}},
        "argument_rules": (
            ArgumentRule(
                id="paths", kind="path_in_allowlist", tools=("write_file", "fs__write*"), arguments=("path",)
            ),
            ArgumentRule(id="size", kind="max_bytes", max_bytes=100_000),
        ),
    }
    return guarded(**{**fields, **more})


def repository_of(place: Path) -> Path:
    """A git repository with a folder `docs`."""
    (place / "docs").mkdir(parents=True)
    (place / "docs" / "a.md").write_text("a")
    git = ["git", "-C", str(place), "-c", "user.name=n", "-c", "user.email=n@x"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "begin"]):
        subprocess.run([*git, *words], check=True)
    return place


class Scripted(Downstream):
    """A server that lists some tools, answers every request, and keeps what it was sent.

    Args:
        name: its name.
        tools: names of its tools.
        silent: methods it does not answer.
    """

    def __init__(self, name: str = "", tools: Sequence[str] = (), silent: Sequence[str] = ()) -> None:
        super().__init__(name)
        self.tools = tools
        self.silent = silent
        self.got: list[Message] = []
        self._answers: dict[str, Callable[[Message], Message]] = {}
        self._out: asyncio.Queue[Message | Malformed | None] = asyncio.Queue()
        self.came = asyncio.Condition()

    async def send(self, message: Message) -> None:
        """Take a message, as a server would read it."""
        message = json.loads(encoded(message))
        async with self.came:
            self.got.append(message)
            self.came.notify_all()
        if "id" in message and message.get("method") not in {None, *self.silent}:
            self.says({"jsonrpc": "2.0", "id": message["id"], **self._answer(message)})

    def _answer(self, message: Message) -> Message:
        method = message["method"]
        if method in self._answers:
            return self._answers[method](message)
        if method == "tools/list":
            return {"result": {"tools": [{"name": name, "inputSchema": {}} for name in self.tools]}}
        if method == "tools/call":
            return {
                "result": {"content": [{"type": "text", "text": f"{self.name}:{message['params']['name']}"}]}
            }
        if method == "initialize":
            capabilities = {"tools": {}, f"x-{self.name}": {}}
            return {"result": {"protocolVersion": "2025-11-25", "capabilities": capabilities}}
        return {"error": {"code": -32601, "message": f"{self.name} has no {method}"}}

    def answer_with(self, method: str, answer: Callable[[Message], Message]) -> None:
        """Answer a method so from now on."""
        self._answers[method] = answer

    def says(self, message: Message | Malformed | None) -> None:
        """Send a message to the client; None goes away."""
        self._out.put_nowait(message)

    async def receive(self) -> Message | None:
        """What it says next."""
        found = await self._out.get()
        if isinstance(found, Malformed):
            raise found
        return found

    async def reached(self, method: str) -> Message:
        """The first message of a method, as soon as it is there."""
        async with self.came:
            await self.came.wait_for(lambda: any(it.get("method") == method for it in self.got))
        return next(it for it in self.got if it.get("method") == method)

    def called(self) -> list[Message]:
        """What tools were called with."""
        return [it["params"] for it in self.got if it.get("method") == "tools/call"]


class Client:
    """The client's end."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._number = 0

    async def receive(self, message: Message) -> None:
        """Take what the relay sends."""
        self._sent.put_nowait(json.loads(encoded(message)))

    def write(self, line: bytes | Message) -> None:
        """Send a line, or a message as one."""
        self._reader.feed_data((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")

    async def next(self) -> Message:
        """The next message to the client."""
        return await self._sent.get()

    async def ask(self, method: str, id_: Any = None, /, **params: Any) -> Message:
        """Send a request; the message that comes next."""
        self._number += 1
        key = self._number if id_ is None else id_
        self.write({"jsonrpc": "2.0", "id": key, "method": method, "params": params})
        return await self.next()

    async def call(self, tool: Any, **arguments: Any) -> Message:
        """Call a tool; the result."""
        return (await self.ask("tools/call", name=tool, arguments=arguments))["result"]

    def end(self) -> None:
        """Go away."""
        self._reader.feed_eof()


@asynccontextmanager
async def proxied(guard: Guard, *servers: Scripted) -> AsyncIterator[Client]:
    """A client before a relay before servers, all running; the client goes at the end."""
    reader = asyncio.StreamReader(limit=1024 * 1024)
    client = Client(reader)
    serving = asyncio.create_task(serve_client(guard, servers, reader, client.receive, print))
    try:
        yield client
    finally:
        client.end()
        await serving


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run an asynchronous test to its end, within bounds."""

    async def bounded() -> Any:
        async with asyncio.timeout(WAIT_S):
            return await work()

    return asyncio.run(bounded())
