"""A server behind the proxy: a process that is started here, or a remote one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from phasegate.engine.core.errors import BadInput
from phasegate.engine.mcp.proxy.lines import read_message
from phasegate.engine.mcp.proxy.messages import MESSAGE_BYTES_MAX, Message, encoded

OURS: Final = "PHASEGATE_"
GRACE_S: Final = 2.0
LOOK_S: Final = 0.1


class Downstream(ABC):
    """A server.

    Attributes:
        name: what its tools are prefixed with; empty for none.
        problem: why it is gone; empty while it is there, and where nobody can tell.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.problem = ""

    @abstractmethod
    async def send(self, message: Message) -> None:
        """Send a message; raises OSError when the server is gone."""

    @abstractmethod
    async def receive(self) -> Message | None:
        """The next message; None when the server is gone. Raises Malformed for what is none."""


class Started(Downstream):
    """A server process; it and all that it starts are ended with the proxy."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        super().__init__(name)
        if process.stdin is None or process.stdout is None:
            raise ValueError("the process needs pipes")
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._ended = asyncio.create_task(self._end_group())

    async def _end_group(self) -> None:
        """Once the server has ended, end what it started, which may hold its output open.

        What put itself into a session of its own is not reached so; its output is not waited for.
        """
        # `wait` would wait for the output as well.
        while self._process.returncode is None:  # noqa: ASYNC110 - nothing else tells of it
            await asyncio.sleep(LOOK_S)
        self.problem = f"it ended with {self._process.returncode}"
        self._signal(signal.SIGKILL)
        asyncio.get_running_loop().call_later(GRACE_S, self._stdout.set_exception, BrokenPipeError())

    async def send(self, message: Message) -> None:
        """Send a message."""
        if self._stdin.is_closing():
            raise BrokenPipeError
        self._stdin.write(encoded(message))
        await self._stdin.drain()

    async def receive(self) -> Message | None:
        """The next message."""
        try:
            return await read_message(self._stdout)
        except BrokenPipeError:
            return None

    async def end(self) -> None:
        """Close its input, and end it if it does not go by itself."""
        self._stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self._signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ended), GRACE_S)
                break

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


@asynccontextmanager
async def started(name: str, command: Sequence[str], folder: Path) -> AsyncIterator[Started]:
    """Start a server.

    Args:
        name: what its tools are prefixed with.
        command: program and arguments; a program named by a relative path is looked for from here.
        folder: where it runs, which is where the engine reads relative paths from.

    Raises:
        BadInput: it cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            _from_here(command[0]),
            *command[1:],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MESSAGE_BYTES_MAX,
            env=without_ours(os.environ),
            cwd=folder,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"cannot start `{command[0]}`: {why}", "name a command that starts a server") from None
    server = Started(name, process)
    try:
        yield server
    finally:
        await server.end()


def _from_here(program: str) -> str:
    """A program that is named by a path, wherever it is started; others are looked for by the system."""
    return str(Path(program).absolute()) if "/" in program else program


def without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment that leads to none of the engine's homes, keys and databases."""
    return {key: value for key, value in environ.items() if not key.startswith(OURS)}
