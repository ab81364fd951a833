"""Running one command to its end: its output captured and bounded, nothing of it left behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from phasegate.engine.app.witnessing.credentials import not_looked_into
from phasegate.engine.core.errors import BadInput, NotEvaluated

OUTPUT_BYTES_MAX = 32 * 1024 * 1024
STATUS_BYTES_MAX = 65_536
END_S = 5
"""How long a supervisor may take to kill a command's processes before it is killed itself."""
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Order:
    """A command to run.

    Attributes:
        argv: the command, run without a shell.
        cwd: its working directory.
        environ: all of its environment.
        scratch: when given, it runs without network and can write nothing but this folder.
        limit_s: seconds after which it is killed; None for no limit.
        echo: whether to show its output on standard error while it runs.
    """

    argv: Sequence[str]
    cwd: Path
    environ: Mapping[str, str]
    scratch: Path | None = None
    limit_s: float | None = None
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended.

    Attributes:
        exit_code: negative when a signal ended it.
        log: both streams in the order they arrived.
        timed_out: whether it was killed because it took too long.
    """

    exit_code: int
    duration_ms: int
    stdout: bytes
    stderr: bytes
    log: bytes
    cpu_user_ms: int
    cpu_system_ms: int
    max_rss_kib: int
    timed_out: bool


def run(order: Order) -> Ran:
    """Run a command.

    Raises:
        BadInput: it cannot be started.
        NotEvaluated: it cannot be confined as asked.
    """
    began = time.monotonic_ns()
    capture = _Capture()
    with not_looked_into(), _supervised(order) as (process, status):
        threads = [
            _following(capture.follow, stream, own, order.echo)
            for stream, own in ((process.stdout, capture.stdout), (process.stderr, capture.stderr))
        ]
        told: list[bytes] = []
        threads.append(_following(_read_status, status, told))
        timed_out = not _ended(process, order.limit_s)
        if timed_out:
            _stop(process)
        for thread in threads:
            thread.join()
    said = _said(told)
    _refuse(order.argv[0], said)
    usage = said.get("usage", {})
    return Ran(
        exit_code=process.returncode,
        duration_ms=(time.monotonic_ns() - began) // 1_000_000,
        stdout=bytes(capture.stdout),
        stderr=bytes(capture.stderr),
        log=bytes(capture.log),
        cpu_user_ms=int(usage.get("cpu_user_ms", 0)),
        cpu_system_ms=int(usage.get("cpu_system_ms", 0)),
        max_rss_kib=int(usage.get("max_rss_kib", 0)),
        timed_out=timed_out,
    )


class _Capture:
    """Both output streams, apart and together, each bounded."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.log = bytearray()
        self._lock = threading.Lock()

    def follow(self, stream: IO[bytes], own: bytearray, echo: bool) -> None:  # noqa: FBT001 - a thread's target
        while chunk := os.read(stream.fileno(), _CHUNK_BYTES):
            with self._lock:
                own.extend(chunk[: OUTPUT_BYTES_MAX - len(own)])
                self.log.extend(chunk[: OUTPUT_BYTES_MAX - len(self.log)])
                echo = echo and _shown(chunk)


def _shown(chunk: bytes) -> bool:
    """Show a chunk on standard error; false when nobody reads it, which must not stop the capture."""
    try:
        sys.stderr.buffer.write(chunk)
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return False
    return True


@contextlib.contextmanager
def _supervised(order: Order) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command under its supervisor, and the descriptor the supervisor tells its status on.

    However this is left, nothing of the command runs on; if this process is killed the supervisor sees to it.
    """
    status, telling = os.pipe()
    confined = ["--hermetic", str(order.scratch)] if order.scratch else []
    supervisor = [sys.executable, "-I", "-m", "phasegate.engine.confine", "--status", str(telling), *confined]
    try:
        process = subprocess.Popen(
            [*supervisor, "--", *order.argv],
            cwd=order.cwd,
            env=dict(order.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(telling,),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        os.close(status)
        raise BadInput(
            f"cannot run `{order.argv[0]}`: {error}", "give a command that exists, after `--`"
        ) from error
    finally:
        os.close(telling)
    try:
        yield process, status
    finally:
        _stop(process)
        os.close(status)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def _following(target: Any, *args: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def _read_status(status: int, told: list[bytes]) -> None:
    size = 0
    while (chunk := os.read(status, _CHUNK_BYTES)) and size < STATUS_BYTES_MAX:
        told.append(chunk)
        size += len(chunk)


def _ended(process: subprocess.Popen[bytes], limit_s: float | None) -> bool:
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the supervisor, which ends the command; nothing happens when both have ended."""
    if process.poll() is not None:
        return
    process.terminate()
    if not _ended(process, END_S):
        process.kill()
        process.wait()


def _said(told: Sequence[bytes]) -> dict[str, Any]:
    """What the supervisor said, a later word on a matter over an earlier one."""
    said: dict[str, Any] = {}
    for line in b"".join(told).splitlines():
        with contextlib.suppress(ValueError, TypeError):
            said.update(json.loads(line))
    return said


def _refuse(command: str, said: Mapping[str, Any]) -> None:
    if "refused" in said:
        raise NotEvaluated(
            f"this machine cannot run it without network and with all else read-only: {said['refused']}",
            "run it where unprivileged user namespaces are allowed, or without `--hermetic`",
        )
    if "error" in said:
        raise BadInput(f"cannot run `{command}`: {said['error']}", "give a command that exists, after `--`")
    if "ready" not in said:
        raise NotEvaluated(
            f"the supervisor of `{command}` ended before it began", "run it again; report it if it recurs"
        )
