"""One worker's place in a pool: what it was given, what it said, and when it must have answered."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import channel
from .checker import VERDICT
from .decode import decode
from .encode import I64, U32
from .ending import Done, Said
from .errors import MalformedError, TooLargeError, WorkerError
from .zygote import CONFIG_BOUNDS, DONE, HELLO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .launch import WorkerProcess
    from .model import Limits, Program

_READ_BYTES = 1 << 16
_TOKEN_BYTES = 16


@dataclass(slots=True)
class Job:
    """A program under way; `faults` counts the workers that failed under it."""

    program: Program
    faults: int = 0
    token: bytes = b""
    sequence: int = 0
    said: Said | None = None


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker's first message."""

    layers: tuple[str, ...]
    held: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Seat:
    """A worker and the jobs it holds; the first one is running, the next waits in its pipes.

    Attributes:
        process: the worker.
        limits: the pool's limits.
        jobs: given and not yet done, oldest first.
        hello: what it said on starting, None until then.
        due: when it must have said something, by the monotonic clock.
        pending: bytes not yet accepted by a pipe, by descriptor.
    """

    process: WorkerProcess
    limits: Limits
    due: float
    jobs: deque[Job] = field(default_factory=deque)
    hello: Hello | None = None
    pending: dict[int, bytearray] = field(default_factory=dict)
    _inbox: bytearray = field(default_factory=bytearray)
    _sequence: int = 0

    def give(self, job: Job) -> None:
        """Send a program's two shares, each down its own pipe, and the order to run it.

        Raises:
            TooLargeError: the program is larger than the limit on programs.
            BrokenPipeError: the worker is gone.
        """
        program = job.program
        job.said = None
        job.sequence, job.token = self._sequence + 1, secrets.token_bytes(_TOKEN_BYTES)
        texts = (program.source, program.prompt, program.test, program.entry_point)
        source, prompt, test, entry = (text.encode("utf-8", "surrogatepass") for text in texts)
        shares = (
            channel.pack_share(job.sequence, (source, entry, b"", b"")),
            channel.pack_share(job.sequence, (job.token, prompt, test, entry)),
        )
        if max(map(len, shares)) > self.limits.program_bytes:
            raise TooLargeError(f"a program takes more than {self.limits.program_bytes} bytes")
        self._sequence += 1
        self.jobs.append(job)
        if len(self.jobs) == 1:
            self._run_clock()  # a further one waits its turn; the clock starts again when it comes
        os.write(self.process.control, I64.pack(job.sequence))
        for fd, body in zip((self.process.sources, self.process.tests), shares, strict=True):
            self.pending.setdefault(fd, bytearray()).extend(U32.pack(len(body)) + body)
            self.flush(fd)

    def flush(self, fd: int) -> None:
        """Write what `fd` accepts without waiting."""
        buffer = self.pending[fd]
        try:
            while buffer:
                del buffer[: os.write(fd, buffer)]
        except BlockingIOError:
            return
        del self.pending[fd]

    def read(self) -> Iterator[tuple[Job, Done]]:
        """Take in what the worker has said and give the jobs that are done.

        Raises:
            WorkerError: the worker ended, or said what no worker says.
        """
        data = os.read(self.process.reports, _READ_BYTES)
        if not data:
            raise WorkerError("a sandbox worker ended unexpectedly")
        self._inbox += data
        for message in self._messages():
            done = self._take(message)
            if done is not None:
                yield self.jobs.popleft(), done
                self._run_clock()

    def _run_clock(self) -> None:
        allowed_s = (self.limits.wall_ms + self.limits.grace_ms) / 1000
        self.due = time.monotonic() + allowed_s if self.jobs else math.inf

    def _messages(self) -> Iterator[Any]:
        while len(self._inbox) >= U32.size:
            end = U32.size + U32.unpack_from(self._inbox)[0]
            if end > CONFIG_BOUNDS.message_bytes:
                raise WorkerError("a sandbox worker sent an oversized report")
            if len(self._inbox) < end:
                return
            body = bytes(self._inbox[U32.size : end])
            del self._inbox[:end]
            try:
                yield decode(body, CONFIG_BOUNDS)
            except MalformedError as error:
                raise WorkerError("a sandbox worker sent a malformed report") from error

    def _take(self, message: Any) -> Done | None:
        head = self.jobs[0] if self.jobs else None
        match message:
            case (str(kind), tuple(layers), tuple(held)) if kind == HELLO and self.hello is None:
                self.hello = Hello(layers, held)
                self._run_clock()
            case (str(kind), bytes(token), str(verdict), str(detail)) if kind == VERDICT:
                # Only the checker of the running program knows the token, and its first word counts.
                if head is not None and secrets.compare_digest(token, head.token) and head.said is None:
                    head.said = Said(verdict, detail)
            case (str(kind), int(sequence), *rest) if kind == DONE and head and sequence == head.sequence:
                return Done(sequence, *rest)
            case _:
                raise WorkerError("a sandbox worker sent an unexpected report")
        return None
