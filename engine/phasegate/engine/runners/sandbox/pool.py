"""A pool of sandbox workers: programs in, outcomes out as they complete.

The pool itself runs no foreign code and trusts only what a checker reports with the program's token.
Workers that die, hang or break their protocol are replaced; the program under which that happened is
tried once more and then ends as `checker_error`: it is never lost and never passed.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from typing import TYPE_CHECKING, Self

from .crew import Crew, Event
from .ending import is_worker_fault, outcome_of
from .errors import SandboxUnavailableError, SandboxUsageError, TooLargeError
from .launch import interpreter
from .model import ALL_PROPERTIES, Isolation, Limits, Outcome, Property, Verdict
from .seat import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from .model import Program

_AHEAD = 2  # programs given to a worker at once: one running, one waiting in its pipes
_TRIES = 2  # for a program whose worker failed under it
_REMEDY = (
    "run on Linux 6.2 or newer (x86_64 or aarch64) with Landlock and seccomp enabled, or accept less by "
    "asking for reduced isolation, which the result then says"
)


class Pool:
    """Runs untrusted programs in isolated worker processes; a context manager, for one thread.

    Args:
        workers: worker processes; as many programs run at once. Twice the cores if not given, since the two
            halves of a program often wait for each other.
        limits: what one program may use.
        required: properties without which the pool does not start.
        reduced: start even so; `isolation` then names what is missing.
        use_namespaces: enter Linux namespaces where the kernel allows it; without them Landlock and
            seccomp alone are to give the same properties.
        python: interpreter that runs the programs; the one behind this process if not named.

    Attributes:
        isolation: what is in force, known once the pool is entered.
    """

    isolation: Isolation

    def __init__(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        *,
        required: Iterable[Property] = ALL_PROPERTIES,
        reduced: bool = False,
        use_namespaces: bool = True,
        python: str | None = None,
    ) -> None:
        self._workers = 2 * (os.cpu_count() or 1) if workers is None else workers
        if self._workers < 1:
            raise SandboxUsageError(f"a pool of `{workers}` workers can run nothing; ask for at least 1")
        self._limits = limits or Limits()
        self._required = frozenset(required)
        self._reduced = reduced
        self._use_namespaces = use_namespaces
        self._python = python or interpreter()
        self._crew: Crew | None = None
        self._running = False

    def __enter__(self) -> Self:
        """Start the workers and learn what isolation holds.

        Raises:
            SandboxUnavailableError: a required property is missing and `reduced` was not asked for.
            WorkerError: a worker did not start.
        """
        self._crew = crew = Crew(self._python, self._limits, use_namespaces=self._use_namespaces)
        try:
            for _ in range(self._workers):
                crew.open_seat()
            while any(seat.hello is None for seat in crew.seats):
                crew.turn()
            self.isolation = self._agreed(crew)
            self._refuse(self._required - self.isolation.given)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def marker(self) -> str:
        """A name on the command line of every worker of this pool and of nothing else."""
        if self._crew is None:
            raise SandboxUsageError("the pool is not open; use it in a `with` statement")
        return self._crew.marker

    def close(self) -> None:
        """Kill the workers and all they started, and remove their scratch folders."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def run(self, programs: Iterable[Program]) -> Iterator[Outcome]:
        """Run programs and give their outcomes as they complete, not in order; see `run_batches`."""
        for batch in self.run_batches(programs):
            yield from batch

    def run_batches(self, programs: Iterable[Program]) -> Iterator[list[Outcome]]:
        """Run programs and give what has completed since the last time, so that it can be recorded at once.

        Takes from `programs` only as workers become free, and hands out no more work than the consumer
        of the outcomes keeps up with.

        Raises:
            SandboxUsageError: the pool is not entered, or another run of it is under way.
            SandboxUnavailableError: a replaced worker has less isolation than the pool began with.
            WorkerError: workers cannot be started any more.
        """
        if self._crew is None:
            raise SandboxUsageError("the pool is not open; use it in a `with` statement")
        if self._running:
            raise SandboxUsageError("the pool is already running; finish that run first, or use another pool")
        self._running = True
        try:
            yield from self._run(self._crew, _Queue(programs))
        finally:
            self._running = False
            self._abandon()

    def _run(self, crew: Crew, queue: _Queue) -> Iterator[list[Outcome]]:
        ready: list[Outcome] = []
        while True:
            # Workers get their next programs before the consumer gets these outcomes, and work meanwhile.
            ready += self._fill(crew, queue)
            if ready:
                yield ready
                ready = []
            elif queue.is_empty() and not any(seat.jobs for seat in crew.seats):
                return
            else:
                outcomes = [self._conclude(crew, event, queue) for event in crew.turn()]
                ready = [outcome for outcome in outcomes if outcome is not None]

    def _fill(self, crew: Crew, queue: _Queue) -> list[Outcome]:
        """Give work to workers with room; returns the outcome of a program too large to be sent."""
        for depth in range(1, _AHEAD + 1):
            for seat in crew.seats:
                while seat.hello is not None and len(seat.jobs) < depth:
                    job = queue.take()
                    if job is None:
                        return []
                    self._refuse(self.isolation.given - _properties(seat.hello.held))
                    try:
                        crew.give(seat, job)
                    except TooLargeError as error:
                        return [Outcome(job.program.key, Verdict.CHECKER_ERROR, str(error), 0, 0, 0)]
        return []

    def _conclude(self, crew: Crew, event: Event, queue: _Queue) -> Outcome | None:
        seat, job, done = event
        if done is None:
            return self._retry(job, queue, started=job is seat.jobs[0])
        fault = is_worker_fault(job.said, done)
        if (fault or not done.clean) and seat in crew.seats:
            for lost in crew.replace(seat):
                queue.again.append(lost.job)
        if fault and self._retry(job, queue, started=True) is None:
            return None
        return outcome_of(job.program.key, job.said, done, self._limits)

    @staticmethod
    def _retry(job: Job, queue: _Queue, *, started: bool) -> Outcome | None:
        job.faults += started
        if job.faults < _TRIES:
            queue.again.append(job)
            return None
        return Outcome(job.program.key, Verdict.CHECKER_ERROR, "the worker died while it ran this", 0, 0, 0)

    def _abandon(self) -> None:
        """Replace workers that still hold work of a run that was given up."""
        for seat in [seat for seat in self._crew.seats if seat.jobs] if self._crew is not None else []:
            if self._crew is not None:
                self._crew.replace(seat)

    def _agreed(self, crew: Crew) -> Isolation:
        hellos = [seat.hello for seat in crew.seats if seat.hello is not None]
        layers = tuple(layer for layer in hellos[0].layers if all(layer in h.layers for h in hellos))
        given = frozenset.intersection(*(_properties(hello.held) for hello in hellos))
        return Isolation(layers, given)

    def _refuse(self, missing: frozenset[Property]) -> None:
        if missing and not self._reduced:
            names = ", ".join(sorted(missing))
            where = f"this {sys.platform} machine"
            raise SandboxUnavailableError(f"the sandbox cannot give `{names}` on {where}; {_REMEDY}")


def _properties(names: Iterable[str]) -> frozenset[Property]:
    return frozenset(Property(name) for name in names)


class _Queue:
    """Programs still to be given out: those to be tried again, then the caller's, taken one at a time."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self.again: deque[Job] = deque()
        self._programs = iter(programs)
        self._exhausted = False

    def take(self) -> Job | None:
        if self.again:
            return self.again.popleft()
        program = None if self._exhausted else next(self._programs, None)
        self._exhausted = program is None
        return None if program is None else Job(program)

    def is_empty(self) -> bool:
        return self._exhausted and not self.again
