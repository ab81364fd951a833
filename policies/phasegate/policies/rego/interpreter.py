"""Asks the process that evaluates Rego, starts it when there is none, and kills it when it takes too long."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

TIMEOUT_SECONDS: Final = 10.0
"""For one evaluation, starting the process included."""
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
EXTRA_REMEDY: Final = "install the interpreter: `pip install 'phasegate[rego]'`"

_CHUNK_BYTES = 1 << 16


class NoAnswer(Exception):
    """An evaluation that gave no answer.

    Attributes:
        code: `policy.extra_missing`, `policy.timeout`, `policy.crashed` or `policy.error`.
        remedy: what to do about it.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy


class RegoProcess:
    """One process that evaluates Rego, for one caller at a time.

    Args:
        timeout_seconds: time for one answer; then the process is killed, and the next one starts another.
    """

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def evaluate(
        self, modules: Mapping[str, str], entries: Sequence[str], document: Mapping[str, Any]
    ) -> list[list[Any] | None]:
        """Values of rules over an input: in a list, an empty one for undefined; None where it failed.

        Args:
            modules: texts of the modules by name.
            entries: the rules, such as `phasegate/packs/paths/deny`.
            document: the input.

        Raises:
            NoAnswer: there was none.
        """
        return self._asked({"modules": dict(modules), "entries": list(entries), "input": document})

    def evaluate_each(
        self, modules: Mapping[str, str], entries: Sequence[str], inputs: Sequence[Any]
    ) -> list[list[Any] | None]:
        """Values of rules, each over the input at its place; likewise."""
        if not entries:
            return []
        return self._asked({"modules": dict(modules), "entries": list(entries), "inputs": list(inputs)})

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._kill()

    def _asked(self, request: Mapping[str, Any]) -> list[list[Any] | None]:
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            answer = self._exchange(line)
        said = json.loads(answer)
        if "error" in said:
            raise NoAnswer("policy.error", f"the policy cannot be evaluated: {said['error']}", _CORRECT)
        values: list[list[Any] | None] = said["values"]
        return values

    def _exchange(self, line: bytes) -> bytes:
        deadline = time.monotonic() + self._timeout
        try:
            process = self._running()
            return _exchanged(process, line, deadline)
        except TimeoutError:
            self._kill()
            text = f"the policy was not evaluated within {self._timeout:g} seconds, and was stopped"
            raise NoAnswer("policy.timeout", text, "make it simpler, or the change smaller") from None
        except (OSError, EOFError):
            self._kill()
            text = "the interpreter ended without an answer"
            raise NoAnswer(
                "policy.crashed", text, "find the rule that breaks it; the gate stays shut"
            ) from None
        except BaseException:
            # Half a question has been asked: what comes next would be its answer.
            self._kill()
            raise

    def _running(self) -> subprocess.Popen[bytes]:
        """The process; a child of a fork gets one of its own, and leaves its parent's alone."""
        if self._owner != os.getpid():
            self._process = None
        if self._process is None or self._process.poll() is not None:
            self._kill()
            self._process, self._owner = _started(), os.getpid()
        return self._process

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


_CORRECT: Final = "correct the pack; `engine policy test` tries it"
_SHARED: Final = RegoProcess()
atexit.register(_SHARED.close)


def shared() -> RegoProcess:
    """The process that all evaluations of this one share."""
    return _SHARED


def _started() -> subprocess.Popen[bytes]:
    if find_spec("regopy") is None:
        raise NoAnswer("policy.extra_missing", "the Rego interpreter is not installed", EXTRA_REMEDY)
    worker = Path(__file__).with_name("worker.py")
    process = subprocess.Popen(
        [sys.executable, "-I", str(worker), *(path for path in sys.path if path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # No policy has any business with what stands there.
        env={},
        bufsize=0,
    )
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
    return process


def _exchanged(process: subprocess.Popen[bytes], line: bytes, deadline: float) -> bytes:
    """Write a question and read its answer, both at once, until the deadline.

    Raises:
        TimeoutError, EOFError, OSError: there is none, or one that is longer than an answer may be.
    """
    if process.stdin is None or process.stdout is None:
        raise EOFError
    to_write, answer = memoryview(line), bytearray()
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        ready.register(process.stdin, selectors.EVENT_WRITE)
        while not answer.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in ready.select(left):
                if key.fileobj is process.stdout:
                    answer += _read(process.stdout.fileno())
                    continue
                to_write = to_write[os.write(process.stdin.fileno(), to_write[:_CHUNK_BYTES]) :]
                if not to_write:
                    ready.unregister(process.stdin)
            if len(answer) > ANSWER_BYTES_MAX:
                raise EOFError
    return bytes(answer)


def _read(fd: int) -> bytes:
    chunk = os.read(fd, _CHUNK_BYTES)
    if not chunk:
        raise EOFError
    return chunk
