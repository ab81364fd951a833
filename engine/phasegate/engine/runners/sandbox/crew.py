"""The workers of a pool: started, listened to, and replaced when they fail."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from . import scratch
from .confinement import WorkerLimits
from .errors import WorkerError
from .launch import WorkerProcess
from .model import figures
from .seat import Job, Seat
from .zygote import Config

if TYPE_CHECKING:
    from .ending import Done
    from .model import Limits

_START_TRIES = 3  # for a worker that does not come up


class Event(NamedTuple):
    """A job that came back: done, or (`done` is None) taken from a worker that failed."""

    seat: Seat
    job: Job
    done: Done | None


class Crew:
    """The seats of a pool and the one place that waits for them.

    Args:
        python: interpreter of the workers.
        limits: what one program may use.
        use_namespaces: whether workers enter namespaces.

    Attributes:
        seats: one for each worker.
        marker: a name that is on the command line of every worker and nothing else.
    """

    def __init__(self, python: str, limits: Limits, *, use_namespaces: bool) -> None:
        self.seats: list[Seat] = []
        self._python = python
        self._limits = limits
        self._use_namespaces = use_namespaces
        self._selector = selectors.DefaultSelector()
        self._base = Path(tempfile.mkdtemp(prefix="phasegate-sandbox-"))
        self.marker = self._base.name
        (self._base / "root").mkdir()
        self._opened = 0
        self._failed_starts = 0

    def open_seat(self) -> None:
        """Start one more worker; it says hello in a later turn."""
        folder = self._base / f"scratch-{self._opened}"
        folder.mkdir()
        canary = self._base / f"canary-{self._opened}"
        canary.write_bytes(b"outside")
        self._opened += 1
        figure = figures(self._limits)
        limits = WorkerLimits(**{name: figure[name] for name in WorkerLimits._fields})
        paths = (str(folder), str(self._base / "root"), str(canary))
        process = WorkerProcess(
            self._python, Config(limits, *paths, namespaces=self._use_namespaces), self.marker
        )
        for fd in (process.sources, process.tests):
            os.set_blocking(fd, False)
        seat = Seat(process, self._limits, due=time.monotonic() + self._limits.start_ms / 1000)
        self.seats.append(seat)
        self._selector.register(process.reports, selectors.EVENT_READ, seat)

    def close(self) -> None:
        """Kill all workers and remove their scratch folders."""
        while self.seats:
            self._remove(self.seats[-1])
        self._selector.close()
        for folder in self._base.glob("scratch-*"):
            while not scratch.empty(str(folder)):
                pass
        shutil.rmtree(self._base, ignore_errors=True)

    def give(self, seat: Seat, job: Job) -> None:
        """Send a job to a worker; what its pipes do not take at once follows in later turns.

        Raises:
            TooLargeError: the program is larger than the limit on programs.
        """
        with contextlib.suppress(BrokenPipeError):  # its end is noticed, and the job saved, in the next turn
            seat.give(job)
        self._watch_writes(seat)

    def turn(self) -> list[Event]:
        """Wait until something happens and return the jobs that came back by it.

        Raises:
            WorkerError: a worker did not come up, several times in a row.
        """
        events: list[Event] = []
        due = min((seat.due for seat in self.seats), default=0.0)
        for key, _ in self._selector.select(_until(due)):
            seat: Seat = key.data
            if seat in self.seats:
                events += self._hear(seat, key.fd)
        now = time.monotonic()
        for seat in [seat for seat in self.seats if now >= seat.due]:
            events += self.replace(seat)
        return events

    def replace(self, seat: Seat) -> list[Event]:
        """Put a fresh worker in a failed one's place and return the jobs it held, the running one first."""
        if seat.hello is None:
            self._failed_starts += 1
            if self._failed_starts >= _START_TRIES:
                complaint = seat.process.complaint() or "it said nothing"
                raise WorkerError(f"a sandbox worker does not start: {complaint}; try another interpreter")
        self._remove(seat)
        self.open_seat()
        return [Event(seat, job, None) for job in seat.jobs]

    def _hear(self, seat: Seat, fd: int) -> list[Event]:
        events: list[Event] = []
        try:
            if fd == seat.process.reports:
                events += [Event(seat, job, done) for job, done in seat.read()]
            else:
                seat.flush(fd)
                self._watch_writes(seat)
        except (WorkerError, BrokenPipeError):
            events += self.replace(seat)
        if seat.hello is not None:
            self._failed_starts = 0
        return events

    def _watch_writes(self, seat: Seat) -> None:
        for fd in (seat.process.sources, seat.process.tests):
            registered = fd in self._selector.get_map()
            if fd in seat.pending and not registered:
                self._selector.register(fd, selectors.EVENT_WRITE, seat)
            elif fd not in seat.pending and registered:
                self._selector.unregister(fd)

    def _remove(self, seat: Seat) -> None:
        self.seats.remove(seat)
        self._selector.unregister(seat.process.reports)
        for fd in (seat.process.sources, seat.process.tests):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        seat.process.stop()


def _until(due: float) -> float | None:
    left = due - time.monotonic()
    return None if left == float("inf") else max(0.0, left)
