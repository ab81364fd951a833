"""Running the proxy between standard input and output and the servers behind it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from phasegate.engine.core.errors import BadInput
from phasegate.engine.mcp.proxy.backends import Backends, Send, Tell
from phasegate.engine.mcp.proxy.downstream import Downstream, started
from phasegate.engine.mcp.proxy.guard import Guard
from phasegate.engine.mcp.proxy.lines import read_message
from phasegate.engine.mcp.proxy.messages import MESSAGE_BYTES_MAX, Malformed, Message, encoded
from phasegate.engine.mcp.proxy.relay import Relay

FINISH_S: Final = 2.0
"""How long requests that are under way may take when the client has gone."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A server behind the proxy.

    Attributes:
        name: prefix of its tools; empty for the only one.
        command: command that starts it; empty for a remote one.
        url: where it is; empty for one that is started.
        token: bearer token that a remote one wants; empty for none.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    token: str = field(default="", repr=False)


def run_proxy(guard: Guard, behind: Sequence[Behind], tell: Tell) -> bool:
    """Relay until the client goes; returns whether every server was there until then.

    Args:
        guard: the engine's leave.
        behind: the servers.
        tell: told what a person should know.

    Raises:
        BadInput: a server cannot be started, or there is no client.
    """
    return asyncio.run(_run(guard, behind, tell))


async def _run(guard: Guard, behind: Sequence[Behind], tell: Tell) -> bool:
    async with AsyncExitStack() as stack:
        stack.callback(guard.close)
        reader, writer = await _standard_streams()
        servers = [await _entered(stack, one, guard.folder) for one in behind]

        async def send(message: Message) -> None:
            with contextlib.suppress(ConnectionError):
                writer.write(encoded(message))
                await writer.drain()

        return await serve_client(guard, servers, reader, send, tell)


async def _entered(stack: AsyncExitStack, one: Behind, folder: Path) -> Downstream:
    if one.url:
        from phasegate.engine.mcp.proxy.remote import remote  # noqa: PLC0415 - it needs the SDK

        return await stack.enter_async_context(remote(one.name, one.url, one.token))
    return await stack.enter_async_context(started(one.name, one.command, folder))


async def serve_client(
    guard: Guard, servers: Sequence[Downstream], reader: asyncio.StreamReader, send: Send, tell: Tell
) -> bool:
    """Relay between a client and servers until the client goes.

    Args:
        guard: the engine's leave.
        servers: the servers, which are there.
        reader: what the client sends.
        send: sends a message to the client.
        tell: told what a person should know.

    Returns:
        whether every server was there until then.
    """
    backends = Backends(servers, send, tell)
    relay = Relay(guard, backends, send, tell)
    reading = asyncio.create_task(_read(relay, reader, send))
    stopped = asyncio.create_task(_signal())
    beside = [asyncio.create_task(backends.follow(server)) for server in servers]
    beside.append(asyncio.create_task(relay.changes.tell()))
    try:
        await asyncio.wait((reading, stopped), return_when=asyncio.FIRST_COMPLETED)
        whole = not backends.gone
        await relay.finish(0 if stopped.done() else FINISH_S)
    finally:
        for task in (reading, stopped, *beside):
            task.cancel()
        found = await asyncio.gather(reading, stopped, *beside, return_exceptions=True)
    for one in found:
        if isinstance(one, Exception):
            raise one
    return whole


async def _signal() -> None:
    """Wait until a signal says to stop: servers are in groups of their own, and would stay behind."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, told.set)
    try:
        await told.wait()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _read(relay: Relay, reader: asyncio.StreamReader, send: Send) -> None:
    while True:
        try:
            message = await read_message(reader)
        except Malformed as malformed:
            await send(malformed.answer())
            continue
        if message is None:
            return
        await relay.take(message)


async def _standard_streams() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Standard input and output as streams; whatever else is printed goes to standard error."""
    if not (_is_stream(0) and _is_stream(1)):
        text = "standard input and output are no pipes to a client"
        raise BadInput(text, "let an MCP client start this command")
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MESSAGE_BYTES_MAX)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb"))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, output)
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


def _is_stream(number: int) -> bool:
    mode = os.fstat(number).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(number)
