"""A worker that acquires leases, writes under them, and goes on writing when it should not.

Runs in a process of its own until it is killed. Imported by the torture test's nursery.
"""

from __future__ import annotations

import os
import random
import time
import traceback

from contract.ledger_store_contract import at, draft

from phasegate.ledger.errors import LeaseHeld, LeaseLost
from phasegate.ledger.leases import Fence
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.store import Store

TASKS = ("IMP-1", "IMP-2", "IMP-3")
PHASE = "IMPLEMENT"
SHORTEST_TTL_MS = 4
LONGEST_TTL_MS = 12
CLOCKS_APART_MS = 4
LOCK_WAIT_MS = 60_000


class Worker:
    """One life: its tokens, its clock, its store."""

    shortest_ttl_ms = SHORTEST_TTL_MS
    longest_ttl_ms = LONGEST_TTL_MS

    def __init__(self, path: str, told: str, seed: int) -> None:
        self.store = self.opened(path)
        self.told = os.open(told, os.O_WRONLY | os.O_APPEND)
        self.random = random.Random(seed)
        self.name = f"pid-{os.getpid()}"
        self.ahead_ms = self.random.randrange(CLOCKS_APART_MS)
        self.tokens: dict[str, tuple[int, int]] = {}

    def opened(self, path: str) -> Store:
        return SqliteStore.open(path, lock_wait_ms=LOCK_WAIT_MS)

    def now_ms(self) -> int:
        """A clock of its own: ahead of the others', and now and then set back."""
        if self.random.random() < 0.01:
            self.ahead_ms = self.random.randrange(CLOCKS_APART_MS)
        return time.monotonic_ns() // 1_000_000 + self.ahead_ms

    def tell(self, what: str) -> None:
        os.write(self.told, f"{what}\n".encode("ascii"))

    def round(self) -> None:
        task = self.random.choice(TASKS)
        try:
            lease = self.store.lease_acquire(
                task,
                PHASE,
                self.name,
                now_ms=self.now_ms(),
                ttl_ms=self.random.randint(self.shortest_ttl_ms, self.longest_ttl_ms),
            )
        except LeaseHeld as held:
            if task in self.tokens and held.epoch != self.tokens[task][0]:
                self.write_stale(task, held.epoch)
            time.sleep(min(held.wait_ms, 2) / 1000)
            return
        self.tell("took over" if lease.taken_over else "acquired")
        old = self.tokens.get(task)
        self.tokens[task] = lease.epoch, time.monotonic_ns()
        if old is not None:
            self.write_stale(task, lease.epoch, old)
        self.hold(task, lease.epoch)

    def hold(self, task: str, epoch: int) -> None:
        """Write under the lease for a while, too long sometimes; renew or release it sometimes."""
        try:
            for _ in range(self.random.randrange(1, 12)):
                self.write(task)
                if self.random.random() < 0.2:
                    ttl_ms = self.random.randint(self.shortest_ttl_ms, self.longest_ttl_ms)
                    self.store.lease_renew(
                        task, PHASE, self.name, epoch, now_ms=self.now_ms(), ttl_ms=ttl_ms, window_ms=5
                    )
                if self.random.random() < 0.2:
                    time.sleep(self.random.uniform(0, self.longest_ttl_ms) / 1000)
            if self.random.random() < 0.1:
                self.store.lease_release(task, PHASE, self.name, epoch, now_ms=self.now_ms())
        except LeaseLost:
            self.tell("lost")

    def write(self, task: str) -> None:
        epoch, taken_ns = self.tokens[task]
        self.append(task, epoch, taken_ns, self.now_ms())

    def write_stale(self, task: str, latest: int, token: tuple[int, int] | None = None) -> None:
        """Try a token that is known to be stale, with a clock set far back."""
        epoch, taken_ns = token or self.tokens[task]
        try:
            self.append(task, epoch, taken_ns, 0)
        except LeaseLost as lost:
            # The refusal names an epoch that is at least as late as the one the worker knows of.
            self.tell("stale refused" if lost.found >= latest > epoch else f"died: {lost}")
        else:
            self.tell("STALE ACCEPTED")

    def append(self, task: str, epoch: int, taken_ns: int, now_ms: int) -> None:
        # A stop between here and the store's transaction hurts most.
        began_ns = time.monotonic_ns()
        payload = {"epoch": epoch, "taken_ns": str(taken_ns), "began_ns": str(began_ns)}
        new = draft(task=task, phase=PHASE, payload=payload)
        self.store.append([new], at=at(1), fence=Fence(task, PHASE, epoch, now_ms))


def work(path: str, told: str, seed: int) -> None:
    """Live until killed."""
    live(Worker(path, told, seed))


def live(worker: Worker) -> None:
    """Do rounds until killed."""
    try:
        while True:
            worker.round()
    except BaseException:  # noqa: BLE001 - whatever it is, the test must hear of it
        worker.tell(f"died: {traceback.format_exc()!r}")
    finally:
        os._exit(1)
