"""What leases cost, as ratios to one durable commit measured in the same run.

    python benchmarks/leases.py [--json] [--blocks N] [--folder DIR]

The method is that of ``ledger.py``: blocks of 200 that alternate with the floor in one process, a ratio
being the median of the per-block ratios. The floor is one insert and commit of as many bytes as a lease's
row has into a plain table, ``synchronous=FULL``. Each round works on 200 tasks of its own: acquire, renew,
release, acquire what was released, take over what has expired, release. The clock advances by a millisecond
with every call, and by a second in the row that says so: a call so long after the last writes the time as
well, and so does a takeover.

``append under a lease`` has the floor of an append, an insert of the entry's bytes; ``fence`` compares it
with the same append without one. The rows of the ``engine`` go through `Engine.leases`, which reads the clock
and holds the phase against the task's process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns

from ledger import AT, BLOCK, Line, compare, draft, floor_file, sample_bytes, table
from phasegate.engine.app.engine import Engine
from phasegate.ledger.leases import CLOCK_STEP_MS, Fence, Lease
from phasegate.ledger.sqlite import SqliteStore
from phasegate.policies.model import PhaseRule, Process

ROW_BYTES = 48
PHASE = "IMPLEMENT"
HOLDER = "uid:1000"
TTL_MS = 60_000
LONG_TTL_MS = 24 * 60 * 60 * 1000
GOAL = "<= 1.3"


class Rounds:
    """The operations on leases, each on the same 200 tasks one after the other."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.now_ms = 0
        self.tasks: list[str] = []

    def operations(self, number: int) -> Iterator[tuple[str, Callable[[str], Lease]]]:
        """Yield the operations of one round in order; the clock jumps past the expiry before a takeover."""
        self.tasks = [f"T-{number}-{n}" for n in range(BLOCK)]
        yield "lease acquire", self.acquire
        yield "lease renew", self.renew
        yield "lease release", self.release
        yield "lease acquire, after a release", self.acquire
        self.now_ms += 2 * TTL_MS
        yield "lease takeover", self.acquire
        yield "lease release, a second later", self.release_later

    def acquire(self, task: str) -> Lease:
        """Acquire the lease on one task."""
        return self.store.lease_acquire(task, PHASE, HOLDER, now_ms=self.tick(), ttl_ms=TTL_MS)

    def tick(self) -> int:
        """Return the time, a millisecond later than before."""
        self.now_ms += 1
        return self.now_ms

    def renew(self, task: str) -> Lease:
        """Renew the first lease on one task, within its window."""
        return self.store.lease_renew(
            task, PHASE, HOLDER, 1, now_ms=self.tick(), ttl_ms=TTL_MS, window_ms=TTL_MS
        )

    def release(self, task: str, epoch: int = 1) -> Lease:
        """Release the first lease on one task."""
        return self.store.lease_release(task, PHASE, HOLDER, epoch, now_ms=self.tick())

    def release_later(self, task: str) -> Lease:
        """Release the last lease on one task, after nobody asked for a second."""
        self.now_ms += CLOCK_STEP_MS
        return self.release(task, 3)


def leases(folder: Path, blocks: int) -> Iterator[Line]:
    """Measure each operation against the floor of its round."""
    insert = floor_file(folder / "floor.db")
    row = b"x" * ROW_BYTES
    store = SqliteStore.create(folder / "leases.db", "bench", at=AT)
    rounds = Rounds(store)
    floors: list[float] = []
    found: dict[str, list[list[float]]] = {}
    for number in range(blocks + 1):
        floor = median(timed(lambda _: insert(row), range(BLOCK)))
        measured = {name: timed(run, rounds.tasks) for name, run in rounds.operations(number)}
        if number == 0:
            continue  # the first round warms up
        floors.append(floor)
        for name, times in measured.items():
            found.setdefault(name, []).append(times)
    assert all(lease.epoch == 3 and lease.taken_over is False for lease in store.leases())
    assert store.head().size == 0
    for name, all_times in found.items():
        ratio = median(median(times) / floor for times, floor in zip(all_times, floors, strict=True))
        everything = [time for times in all_times for time in times]
        p99_us = quantiles(everything, n=100)[98]
        goal = "" if "renew" in name else GOAL
        yield Line(name, median(floors), median(everything), p99_us, ratio, goal, "")


def timed(run: Callable[..., object], items: Iterable[object]) -> list[float]:
    """Return the microseconds each call took."""
    times = []
    for item in items:
        start = perf_counter_ns()
        run(item)
        times.append((perf_counter_ns() - start) / 1000)
    return times


def early_renewal(folder: Path, blocks: int) -> Line:
    """Measure a renewal before its window, which writes nothing."""
    insert = floor_file(folder / "early-floor.db")
    row = b"x" * ROW_BYTES
    store = SqliteStore.create(folder / "early.db", "bench", at=AT)
    store.lease_acquire("T", PHASE, HOLDER, now_ms=0, ttl_ms=TTL_MS)

    def renew() -> Lease:
        return store.lease_renew("T", PHASE, HOLDER, 1, now_ms=1, ttl_ms=TTL_MS, window_ms=1)

    return Line("lease renew, too early", *compare(lambda: insert(row), renew, blocks), "", "writes nothing")


def fenced(folder: Path, blocks: int) -> Iterator[Line]:
    """Measure an append that shows its token, against the floor and against one without."""
    insert = floor_file(folder / "fenced-floor.db")
    store = SqliteStore.create(folder / "fenced.db", "bench", at=AT)
    store.lease_acquire("T", PHASE, HOLDER, now_ms=0, ttl_ms=LONG_TTL_MS)
    one, numbers = sample_bytes(1)[0], count()

    def plain() -> object:
        return store.append([draft(next(numbers))], at=AT)

    def with_fence() -> object:
        number = next(numbers)
        return store.append([draft(number)], at=AT, fence=Fence("T", PHASE, 1, number))

    yield Line("append under a lease", *compare(lambda: insert(one), with_fence, blocks), "", "")
    yield Line("fence", *compare(plain, with_fence, blocks), "", "against the same append without one")


def through_engine(folder: Path, blocks: int) -> Iterator[Line]:
    """Measure what a worker calls: 200 tasks acquired, then released, again and again."""
    insert = floor_file(folder / "engine-floor.db")
    row = b"x" * ROW_BYTES
    line = Process(
        process="bench", version=1, title="b", phases=(PhaseRule(name=PHASE, purpose="b"),), forward={}
    )
    with Engine.init(folder / "home") as engine:
        tasks = [f"T-{number}" for number in range(BLOCK)]
        for task in tasks:
            engine.open_task(task, line)
        epochs: dict[str, int] = {}

        def acquire(task: str) -> None:
            epochs[task] = engine.leases.acquire(task, PHASE).epoch

        def release(task: str) -> None:
            engine.leases.release(task, epochs[task], PHASE)

        floors, found = [], {"engine, lease acquire": [], "engine, lease release": []}
        for number in range(blocks + 1):
            floor = median(timed(lambda _: insert(row), tasks))
            measured = [timed(run, tasks) for run in (acquire, release)]
            if number == 0:
                continue  # the first round warms up
            floors.append(floor)
            for times, all_times in zip(measured, found.values(), strict=True):
                all_times.append(times)
    for name, all_times in found.items():
        ratio = median(median(times) / floor for times, floor in zip(all_times, floors, strict=True))
        everything = [time for times in all_times for time in times]
        p99_us = quantiles(everything, n=100)[98]
        yield Line(name, median(floors), median(everything), p99_us, ratio, GOAL, "")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure leases against one durable commit")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--blocks", type=int, default=24, help="blocks of 200 per row")
    parser.add_argument("--folder", type=Path, help="where to write; a disk, not a memory file system")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        lines = [*leases(folder, chosen.blocks), early_renewal(folder, chosen.blocks)]
        lines += fenced(folder, chosen.blocks)
        lines += through_engine(folder, chosen.blocks)
    print(json.dumps([line._asdict() for line in lines], indent=2) if chosen.json else table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
