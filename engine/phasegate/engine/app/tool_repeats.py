"""Refused tool calls that repeat an entry: counted in small files of the home until their window closes.

A count is one entry then, so that an agent in a loop cannot fill the ledger and no refusal is lost. A file
is replaced as a whole under a lock, so a count outlives a process that is killed. An entry names the count it
came from: a kill between the entry and the removal of the file lets nobody count twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from phasegate.engine.core.errors import IntegrityError

FOLDER: Final = "tool-denials"
WINDOW: Final = timedelta(minutes=10)
_LOCK: Final = "lock"
_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class Repeats:
    """Refusals of one kind that are no entry yet.

    Attributes:
        stream: the task they are of, or the ledger's own stream.
        place: the phase; without a task, what was given for one.
        attempt: the attempt of the phase; 0 without a task.
        code: code of the refusal.
        tool: the tool.
        rule: what refused it.
        message: what was wrong.
        remedy: what to do about it.
        fold: names this count, once for all.
        first: time of the first of them.
        last: time of the last.
        count: how many they are.
    """

    stream: str
    place: str
    attempt: int
    code: str
    tool: str
    rule: str
    message: str
    remedy: str
    fold: str
    first: str
    last: str
    count: int = 1

    @property
    def key(self) -> str:
        """Name of the file they are counted in: the same for the same refusal."""
        told = (self.stream, self.place, self.attempt, self.code, self.tool, self.rule)
        return hashlib.sha256(orjson.dumps(told)).hexdigest()[:40]

    def due(self, now: str) -> bool:
        """Whether the window since the first of them has closed."""
        return datetime.fromisoformat(now) - datetime.fromisoformat(self.first) >= WINDOW


def any_pending(home: Path) -> bool:
    """Whether refusals were ever counted in this home; cheap."""
    return (home / FOLDER).is_dir()


class RepeatCounts:
    """The counts of one home.

    Args:
        home: its folder.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def add(self, one: Repeats) -> None:
        """Count one more refusal."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._locked():
            file = self._folder / f"{one.key}{_SUFFIX}"
            known = _read(file)
            if known is not None:
                one = replace(one, fold=known.fold, first=known.first, count=known.count + 1)
            _replace(file, one)

    def pending(self) -> tuple[Repeats, ...]:
        """What is counted now, as it can be read."""
        return tuple(found for file in self._files() if (found := _read(file)) is not None)

    def settle(self, wanted: Callable[[Repeats], bool], record: Callable[[Repeats], None]) -> None:
        """Hand counts to whoever makes entries of them, and forget them.

        Args:
            wanted: which counts.
            record: makes the entry, unless there is one that names the count. A call that raises keeps it.
        """
        if not self._folder.is_dir():
            return
        with self._locked():
            for file in self._files():
                found = _read(file)
                if found is not None and wanted(found):
                    record(found)
                    file.unlink()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _replace(file: Path, counted: Repeats) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_bytes(orjson.dumps(asdict(counted)))
    fresh.replace(file)


def _read(file: Path) -> Repeats | None:
    """The count in a file; None where there is none."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = Repeats(**orjson.loads(data))
        datetime.fromisoformat(found.first)
    except (TypeError, ValueError) as error:
        text = f"the count of refused calls in `{file.name}` cannot be read: {error}"
        raise IntegrityError(text, "move the file away and keep it: it was written from outside") from error
    return found
