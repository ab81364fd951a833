"""A worker over a home: takes leases through `Engine`, works under them, and goes on when it should not.

Runs in a process of its own until it is killed. Imported by the torture test's nursery.
"""

from __future__ import annotations

import os
import random
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.home import find_home
from phasegate.engine.app.leases import Leases
from phasegate.engine.core.commands import NoteJournal
from phasegate.engine.core.errors import Conflict
from phasegate.engine.core.ids import TaskId
from phasegate.ledger.leases import Lease
from phasegate.ledger.sqlite import SqliteStore

TASKS = ("IMP-1", "IMP-2", "IMP-3")
SHORTEST_TTL_MS = 4
LONGEST_TTL_MS = 14
CLOCKS_APART_MS = 4
LOCK_WAIT_MS = 60_000
OPENED_S = 1_770_000_000
"""What the clocks of all workers count from, seconds."""


class Clock:
    """The machine's steady clock, somewhat ahead of the others', and now and then set back."""

    def __init__(self, chance: random.Random) -> None:
        self.random = chance
        self.ahead_ms = chance.randrange(CLOCKS_APART_MS)

    def now(self) -> str:
        """The time, RFC 3339."""
        if self.random.random() < 0.01:
            self.ahead_ms = self.random.randrange(CLOCKS_APART_MS)
        time_ms = time.monotonic_ns() // 1_000_000 + self.ahead_ms
        moment = datetime.fromtimestamp(OPENED_S + time_ms / 1000, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class ShortLeases(Leases):
    """Leases of milliseconds, where a process's are of whole seconds; nothing else is different."""

    def acquire_for_ms(self, task: str, ttl_ms: int) -> Lease:
        """Acquire the lease on the current phase."""
        phase = self._path.state(task).phase
        return self._settled(
            task,
            phase,
            lambda: self._store.lease_acquire(
                task, phase, self._path.holder, now_ms=self._now_ms(), ttl_ms=ttl_ms
            ),
        )


class Worker:
    """One life: its engine, its clock, and the tokens it holds or once held."""

    def __init__(self, root: str, told: str, seed: int) -> None:
        self.told = os.open(told, os.O_WRONLY | os.O_APPEND)
        self.random = random.Random(seed)
        self.name = f"pid-{os.getpid()}"
        home = find_home(Path(root), {}, Path(root))
        clock = Clock(self.random)
        store = SqliteStore.open(home.ledger, lock_wait_ms=LOCK_WAIT_MS)
        self.engine = Engine(home, store, clock=clock, label=self.name)
        self.leases = ShortLeases(self.engine._path, store, clock)
        self.tokens: dict[str, int] = {}

    def tell(self, what: str) -> None:
        os.write(self.told, f"{what}\n".encode("ascii"))

    def round(self) -> None:
        task = self.random.choice(TASKS)
        old = self.tokens.get(task)
        try:
            ttl_ms = self.random.randint(SHORTEST_TTL_MS, LONGEST_TTL_MS)
            lease = self.leases.acquire_for_ms(task, ttl_ms)
        except Conflict:
            self.tell("contended")
            time.sleep(self.random.uniform(0, 2) / 1000)
            return
        self.tokens[task] = lease.epoch
        # Told before anything is written under it: whatever follows this head in the ledger came after.
        what, head = "took over" if lease.taken_over else "acquired", self.engine.store.head().size
        self.tell(f"{what}: {task} {lease.phase} {lease.epoch} {head}")
        if old is not None and self.random.random() < 0.5:
            self.work(task, old, stale=True)
        self.hold(task, lease.epoch)

    def hold(self, task: str, epoch: int) -> None:
        """Work under the lease for a while, too long sometimes; release it sometimes."""
        for _ in range(self.random.randrange(1, 4)):
            if not self.work(task, epoch):
                return
            if self.random.random() < 0.3:
                time.sleep(self.random.uniform(0, LONGEST_TTL_MS) / 1000)
        if self.random.random() < 0.1:
            try:
                self.leases.release(task, epoch)
            except Conflict:
                self.tell("lost")

    def work(self, task: str, epoch: int, *, stale: bool = False) -> bool:
        """One command under an epoch; tells whether it was accepted."""
        self.engine._path.epoch = epoch
        # A stop between here and the store's transaction hurts most.
        body = f"{task} {epoch} {self.random.getrandbits(128)}".encode().hex().ljust(64, "0")[:64]
        result = self.engine._path.run(TaskId(task), NoteJournal(body, 1, (), ()))
        if result.violation is None:
            self.tell("STALE ACCEPTED" if stale else "worked")
            return True
        kind = str(result.violation.violation)
        known = kind == "stale_lease"
        self.tell(("stale refused" if stale else "lost") if known else f"died: {result.violation.message!r}")
        return False


def work(root: str, told: str, seed: int) -> None:
    """Live until killed."""
    worker = Worker(root, told, seed)
    try:
        while True:
            worker.round()
    except BaseException:  # noqa: BLE001 - whatever it is, the test must hear of it
        worker.tell(f"died: {traceback.format_exc()!r}")
    finally:
        os._exit(1)
