"""Answers kept by idempotency key, so that a request that is sent again is not done again.

A key is marked, durably, before its request is begun, and the answer is kept, durably, before it is sent.
What was marked and has no answer after a restart was cut off: nobody can tell whether it was done, and the
caller is told so instead of doing it twice. The file belongs to one server at a time; a lock that dies
with its process sees to that.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import apsw
import orjson

from phasegate.engine.core.errors import Conflict

FOLDER: Final = "http"
KEEP_S: Final = 24 * 60 * 60
_PRIVATE: Final = 0o700
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS answers (
    caller TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL, at INTEGER NOT NULL,
    status INTEGER, headers BLOB, body BLOB, PRIMARY KEY (caller, key)
) WITHOUT ROWID
"""


class Answer(NamedTuple):
    """An answer as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes


class Begun(NamedTuple):
    """What is known of a key.

    Attributes:
        new: whether it was marked now, and the request is to be done.
        same: whether it was marked for this very request.
        answer: the answer, if there is one.
    """

    new: bool
    same: bool
    answer: Answer | None


class Answers:
    """The kept answers of one server. Safe to share between threads.

    Args:
        home: the home's folder.
        now_s: the time, in seconds.

    Raises:
        Conflict: another server serves this home.
    """

    def __init__(self, home: Path, now_s: int) -> None:
        folder = home / FOLDER
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
        self._lock = _locked(folder / "server.lock")
        self._using = threading.Lock()
        self._file = apsw.Connection(str(folder / "answers.db"))
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.execute(_SCHEMA)
        self.forget_old(now_s)

    def begin(self, caller: str, key: str, request: bytes, now_s: int) -> Begun:
        """Mark a key, or say what is known of it."""
        with self._using:
            row = self._file.execute(
                "SELECT request, status, headers, body FROM answers WHERE caller = ? AND key = ?",
                (caller, key),
            ).fetchone()
            if row is None:
                values = (caller, key, request, now_s)
                self._file.execute(
                    "INSERT INTO answers (caller, key, request, at) VALUES (?, ?, ?, ?)", values
                )
                return Begun(new=True, same=True, answer=None)
        before, status, headers, body = row
        answer = None if status is None else Answer(int(status), orjson.loads(headers), bytes(body))
        return Begun(new=False, same=bytes(before) == request, answer=answer)

    def finish(self, caller: str, key: str, answer: Answer) -> None:
        """Keep the answer of a marked key."""
        values = (answer.status, orjson.dumps(answer.headers), answer.body, caller, key)
        with self._using:
            self._file.execute(
                "UPDATE answers SET status = ?, headers = ?, body = ? WHERE caller = ? AND key = ?", values
            )

    def forget(self, caller: str, key: str) -> None:
        """Take a mark away: its request did nothing."""
        with self._using:
            self._file.execute("DELETE FROM answers WHERE caller = ? AND key = ?", (caller, key))

    def forget_old(self, now_s: int) -> None:
        """Forget what is older than `KEEP_S`."""
        with self._using:
            self._file.execute("DELETE FROM answers WHERE at < ?", (now_s - KEEP_S,))

    def close(self) -> None:
        """Close the file and give the lock back; closing twice is allowed."""
        with self._using:
            self._file.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def request_digest(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """What tells two requests apart that have one key."""
    digest = hashlib.sha256()
    for part in (method.encode(), target.encode(), orjson.dumps(headers, option=orjson.OPT_SORT_KEYS), body):
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise Conflict("another server serves this home", "stop it first, or serve another home") from None
    return lock
