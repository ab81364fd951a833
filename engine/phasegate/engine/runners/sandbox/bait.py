"""What attacks are tempted with: a secret file, listeners and a variable, and a look at them afterwards."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_VARIABLE = "PHASEGATE_SANDBOX_BAIT"


class Bait:
    """Real targets outside every sandbox; a context manager.

    Attributes:
        answer: the secret that tests ask for; it is in the file and in this process's environment.
    """

    def __init__(self) -> None:
        self.answer = f"answer-{secrets.token_hex(16)}"
        self._folder = tempfile.TemporaryDirectory(prefix="phasegate-bait-")
        self._outside = Path(self._folder.name) / "outside"
        self._abstract = f"phasegate-{secrets.token_hex(8)}"
        self._listeners: list[socket.socket] = []
        self._before: object = None

    def __enter__(self) -> Self:
        """Plant everything."""
        self._outside.mkdir()
        (self._outside / "secret").write_text(self.answer)
        os.environ[_VARIABLE] = self.answer
        self._listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        self._listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        self._listen(socket.AF_UNIX, socket.SOCK_STREAM, str(Path(self._folder.name) / "socket"))
        if os.name == "posix" and Path("/proc/self").exists():
            self._listen(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self._abstract)
        self._before = self._look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.environ.pop(_VARIABLE, None)
        for listener in self._listeners:
            listener.close()
        self._folder.cleanup()

    def prepare(self, source: str) -> str:
        """Put the bait's names where the source of an attack has `@name@`."""
        names = {
            "secret": self._outside / "secret",
            "outside": self._outside,
            "port": self._listeners[0].getsockname()[1],
            "udp_port": self._listeners[1].getsockname()[1],
            "unix_path": self._listeners[2].getsockname(),
            "abstract": self._abstract,
            "supervisor": os.getpid(),
        }
        for name, value in names.items():
            source = source.replace(f"@{name}@", str(value))
        return source

    def complaint(self) -> str:
        """Return what an attack has changed or reached outside, an empty text if nothing."""
        before, self._before = self._before, self._look()
        if self._before != before:
            return "files outside were changed"
        return "a listener was reached" if any(map(_was_reached, self._listeners)) else ""

    def _listen(self, family: int, kind: int, address: str | tuple[str, int]) -> None:
        listener = socket.socket(family, kind)
        self._listeners.append(listener)
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        listener.setblocking(False)  # noqa: FBT003 - its only parameter

    def _look(self) -> object:
        secret = (self._outside / "secret").stat() if (self._outside / "secret").exists() else None
        facts = secret and (
            secret.st_mode,
            secret.st_size,
            secret.st_mtime_ns,
            secret.st_nlink,
            secret.st_uid,
        )
        return sorted(os.listdir(self._outside)), facts, self._outside.stat().st_mode  # noqa: PTH208 - names only


def _was_reached(listener: socket.socket) -> bool:
    try:
        if listener.type == socket.SOCK_DGRAM:
            listener.recv(1)
        else:
            listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True
