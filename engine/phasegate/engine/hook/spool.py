"""The spool: what the hook has to tell the engine, as numbered and chained lines.

    HOME/hook/spool.jsonl   one JSON object a line: `n` counts from 1 for good, `prev` is the SHA-256 of the
                            line before (zeros before the first), and what happened
    HOME/hook/spool.head    number and hash of the last line, and how many were too many to keep

The engine enters the lines into the ledger and empties the file; number and hash go on. Whoever writes holds
a lock of the kernel, which a process that died holds no more.
"""

from __future__ import annotations

import fcntl
import os
import time
from hashlib import sha256
from json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = "hook"
LINES = "spool.jsonl"
HEAD = "spool.head"
LOCK = "spool.lock"
PROMPTS = "prompts"
ZEROS = "0" * 64
NUMBER_MAX = 2**52
"""Far beyond any line that is written, and within what an entry can hold."""
BYTES_MAX = 16 * 1024 * 1024
LINE_BYTES_MAX = 16 * 1024
WAIT_S = 2.0
_PAUSE_S = 0.005


class SpoolBroken(Exception):
    """The spool cannot be written, or does not go on from its own head."""


class Head:
    """Where the spool ends.

    Attributes:
        n: number of the last line; 0 before the first.
        hash: SHA-256 of it.
        dropped: lines that were not kept since the engine last entered any, because there were too many.
    """

    def __init__(self, n: int = 0, hash_: str = ZEROS, dropped: int = 0) -> None:
        self.n = n
        self.hash = hash_
        self.dropped = dropped

    @classmethod
    def read(cls, folder: str) -> Head | None:
        """The head as it is written; None where there is none that can be read."""
        try:
            with open(f"{folder}/{HEAD}", "rb") as file:  # noqa: PTH123 - pathlib costs more than the read
                said = loads(file.read(1000))
            head = cls(said["n"], said["hash"], said["dropped"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        fits = type(head.n) is int and type(head.hash) is str and type(head.dropped) is int
        if not fits or len(head.hash) != len(ZEROS):
            return None
        return head if 0 <= head.n <= NUMBER_MAX and 0 <= head.dropped <= NUMBER_MAX else None

    def write(self, folder: str) -> None:
        """Replace what is written, at once and whole; the caller holds the lock."""
        fresh = f"{folder}/{HEAD}.new"
        with open(fresh, "wb") as file:  # noqa: PTH123
            file.write(dumps({"n": self.n, "hash": self.hash, "dropped": self.dropped}).encode())
        os.replace(fresh, f"{folder}/{HEAD}")  # noqa: PTH105


class Locked:
    """Holds the spool's lock, for at most `WAIT_S` in vain.

    Args:
        folder: the spool's folder.
        wait_s: how long to wait.
    """

    def __init__(self, folder: str, wait_s: float = WAIT_S) -> None:
        self._path = f"{folder}/{LOCK}"
        self._wait_s = wait_s
        self._file = -1

    def __enter__(self) -> None:
        """Take it; raises SpoolBroken when somebody keeps it."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(self._file)
                    raise SpoolBroken("somebody keeps the lock of the hook's spool") from None
                time.sleep(_PAUSE_S)
            else:
                return

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        os.close(self._file)


def append(folder: str, record: dict[str, Any]) -> None:
    """Append a line.

    Args:
        folder: the spool's folder.
        record: what happened; `n`, `prev` and `at` are added.

    Raises:
        SpoolBroken, OSError: it could not be written.
    """
    with Locked(folder):
        head = Head.read(folder)
        if head is None:
            raise SpoolBroken("the hook's spool has no head that can be read")
        file = os.open(f"{folder}/{LINES}", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _append(file, folder, head, record)
        finally:
            os.close(file)


def _append(file: int, folder: str, head: Head, record: dict[str, Any]) -> None:
    size = os.fstat(file).st_size
    if size > BYTES_MAX:
        Head(head.n, head.hash, head.dropped + 1).write(folder)
        return
    # A line beyond the head is of a process that was killed between the two writes.
    head = _goes_on(file, size, head)
    line = dumps({"n": head.n + 1, "prev": head.hash, "at": _now(), **record}, sort_keys=True).encode()
    if len(line) > LINE_BYTES_MAX:
        raise SpoolBroken("what was to be spooled is too long for a line")
    if os.write(file, line + b"\n") != len(line) + 1:
        raise SpoolBroken("the disk did not take a whole line")
    os.fsync(file)
    Head(head.n + 1, sha256(line).hexdigest(), head.dropped).write(folder)


def _goes_on(file: int, size: int, head: Head) -> Head:
    """The head after the file's last line, if that one follows the head; else the head as it is."""
    if not size:
        return head
    tail = os.pread(file, LINE_BYTES_MAX + 2, max(0, size - LINE_BYTES_MAX - 2))
    line = tail.rstrip(b"\n").rpartition(b"\n")[2]
    try:
        said = loads(line)
        follows = said["n"] == head.n + 1 and said["prev"] == head.hash and tail.endswith(b"\n")
    except (ValueError, KeyError, TypeError, RecursionError):
        return head
    return Head(head.n + 1, sha256(line).hexdigest(), head.dropped) if follows else head


def _now() -> str:
    seconds, rest_ns = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest_ns // 1_000:06}Z"


def keep_prompt(folder: str, text: bytes) -> str:
    """Keep a prompt that the engine is to compare; returns its SHA-256.

    Raises:
        OSError: it could not be written.
    """
    digest = sha256(text).hexdigest()
    os.makedirs(f"{folder}/{PROMPTS}", mode=0o700, exist_ok=True)  # noqa: PTH103
    fresh = f"{folder}/{PROMPTS}/.{digest}.{os.getpid()}"
    with open(fresh, "wb") as file:  # noqa: PTH123
        file.write(text)
    os.replace(fresh, f"{folder}/{PROMPTS}/{digest}")  # noqa: PTH105
    return digest
