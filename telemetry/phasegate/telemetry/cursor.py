"""How far entries have been exported: small files, replaced atomically, each behind a lock of its own."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL_MS = 5


@dataclass(frozen=True, slots=True)
class Position:
    """The last entry exported, by sequence number and hash; 0 and empty before the first."""

    seq: int = 0
    hash: str = ""


def load(path: Path) -> dict[str, Any]:
    """Return a cursor file's content, empty if it is missing, unreadable or damaged.

    Losing a cursor exports again what was exported before; span ids are the same then.
    """
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def save(path: Path, content: dict[str, Any]) -> None:
    """Replace a cursor file; whoever reads it sees the old or the new content, never a part.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
    temporary.replace(path)


def position_in(content: dict[str, Any]) -> Position:
    """Return the position a cursor file holds, the beginning if it holds none."""
    seq, digest = content.get("seq"), content.get("hash")
    if isinstance(seq, int) and isinstance(digest, str) and seq > 0:
        return Position(seq, digest)
    return Position()


@contextmanager
def locked(path: Path, wait_ms: int) -> Iterator[bool]:
    """Hold a file lock, or say after `wait_ms` that another process has it.

    The kernel frees the lock when its holder ends, however it ends.

    Raises:
        OSError: the lock file cannot be opened.
    """
    deadline = time.monotonic() + wait_ms / 1000
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(_POLL_MS / 1000)
            else:
                yield True
                return
    finally:
        os.close(descriptor)
