"""Leases under torture: six processes, killed and stopped at random moments, on three tasks.

What is asserted is read from the ledger alone, afterwards. Each accepted write carries the epoch it was
made under, when its call began, and when the acquisition of that epoch had returned, all by one clock of
the machine. A write under epoch 6 that began after the acquisition of epoch 7 had returned is the one
thing that must never be there.
"""

from __future__ import annotations

import heapq
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from contract.ledger_store_contract import CREATED, LEDGER, at, draft

from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite

PROCESSES = 6
TAKEOVERS = 1_500
SEED = 20260102
LONGEST_RUN_S = 0.04
LONGEST_STOP_S = 0.01
KILL_CHANCE = 0.08
KILLS_LEAST = 40
STOPS_LEAST = 300
STALE_ATTEMPTS_LEAST = 500
ACCEPTED_LEAST = 500
DEADLINE_S = 90

# The nursery imports once and forks a worker for each line it reads, so that a kill costs no interpreter
# start. Workers tell what happened by single writes to a file opened for appending: whole lines, in
# order, even if the next instruction is the last one.
NURSERY = """
import os, signal, sys
from fault import lease_worker
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    seed = int(line)
    pid = os.fork()
    if pid == 0:
        lease_worker.work(sys.argv[1], sys.argv[2], seed)
    os.write(1, b"%d\\n" % pid)
"""


class Crew:
    """The workers, and their torturer."""

    def __init__(self, path: Path, told: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-W", "ignore", "-c", NURSERY, str(path), str(told)]
        self.nursery = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.told = told
        self.random = random.Random(SEED)
        self.pids = [self.born() for _ in range(PROCESSES)]
        self.done: Counter[str] = Counter()

    def born(self) -> int:
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(f"{self.random.getrandbits(32)}\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())

    def torture(self) -> None:
        """Stop, continue and kill each worker again and again until there were enough takeovers."""
        start = time.monotonic()
        due = [(start + self.random.uniform(0, LONGEST_RUN_S), n, "hit") for n in range(PROCESSES)]
        heapq.heapify(due)
        while time.monotonic() < start + DEADLINE_S and not self.enough():
            moment, number, what = heapq.heappop(due)
            time.sleep(max(0.0, moment - time.monotonic()))
            heapq.heappush(due, self.step(number, what))

    def step(self, number: int, what: str) -> tuple[float, int, str]:
        if what == "go on":
            os.kill(self.pids[number], signal.SIGCONT)
        elif self.random.random() < KILL_CHANCE:
            os.kill(self.pids[number], signal.SIGKILL)
            self.pids[number] = self.born()
            self.done["kills"] += 1
        else:
            os.kill(self.pids[number], signal.SIGSTOP)
            self.done["stops"] += 1
            return time.monotonic() + self.random.uniform(0, LONGEST_STOP_S), number, "go on"
        return time.monotonic() + self.random.uniform(0, LONGEST_RUN_S), number, "hit"

    def enough(self) -> bool:
        return (self.done["kills"] + self.done["stops"]) % 50 == 0 and self.tally()["took over"] >= TAKEOVERS

    def tally(self) -> Counter[str]:
        return Counter(line.partition(":")[0] for line in self.told.read_text("ascii").splitlines())

    def end(self) -> None:
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        self.nursery.kill()
        self.nursery.communicate()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ledger.db"
    SqliteStore.create(path, LEDGER, at=CREATED).close()
    return path


@pytest.mark.slow
def test_given_six_processes_killed_and_stopped_then_no_write_with_a_stale_epoch_is_accepted(path, tmp_path):
    told = tmp_path / "told"
    told.touch()
    crew = Crew(path, told)
    try:
        crew.torture()
    finally:
        crew.end()

    tally = crew.tally()
    found = verify_sqlite(path)
    print(f"seed {SEED}: {dict(crew.done)} {dict(tally)}, {found.entries} accepted")
    # Given a torture worth the name ...
    assert tally["took over"] >= TAKEOVERS
    assert crew.done["kills"] >= KILLS_LEAST
    assert crew.done["stops"] >= STOPS_LEAST
    assert tally["stale refused"] >= STALE_ATTEMPTS_LEAST
    assert tally["died"] == 0, told.read_text("ascii")
    # ... then the ledger stands, whole,
    assert (found.ok, found.problem) == (True, None)
    # and no stale write is in it.
    entries = entries_of(path)
    assert len(entries) >= ACCEPTED_LEAST
    assert tally["STALE ACCEPTED"] == 0
    assert stale(entries) == []


def entries_of(path):
    store = SqliteStore.open(path, readonly=True)
    try:
        return list(store.entries())
    finally:
        store.close()


def test_given_writes_past_the_fence_then_the_check_of_the_ledger_finds_them():
    store = MemoryStore(LEDGER, at=CREATED)

    def write(epoch, taken_ns, began_ns, task="IMP-1"):
        payload = {"epoch": epoch, "taken_ns": str(taken_ns), "began_ns": str(began_ns)}
        (entry,) = store.append([draft(task=task, payload=payload)], at=at(1))
        return entry

    write(1, 10, 11)
    write(1, 10, 19, task="IMP-2")
    late = write(1, 10, 21)
    write(2, 20, 22)
    behind = write(1, 10, 12)
    write(4, 40, 41)
    between = write(2, 20, 42)
    assert stale(list(store.entries())) == [late, behind, between]


def stale(entries):
    """Return the entries that were written under an epoch that was no longer the latest.

    Either a later epoch has written before them, or their call began after a later epoch's acquisition
    had returned.
    """
    taken_ns: dict[tuple[str, int], int] = {}
    for entry in entries:
        taken_ns[entry.task, entry.payload["epoch"]] = int(entry.payload["taken_ns"])
    highest: dict[str, int] = {}
    overtaken_ns = overtaken(taken_ns)
    found = []
    for entry in entries:
        epoch = entry.payload["epoch"]
        began_ns = int(entry.payload["began_ns"])
        if epoch < highest.get(entry.task, 0) or began_ns > overtaken_ns[entry.task, epoch]:
            found.append(entry)
        highest[entry.task] = max(epoch, highest.get(entry.task, 0))
    return found


def overtaken(taken_ns):
    """Return, for each task and epoch, when the first acquisition of any later epoch had returned."""
    times: dict[tuple[str, int], int] = {}
    for task in {task for task, _ in taken_ns}:
        earliest = 2**63
        for epoch in sorted((epoch for name, epoch in taken_ns if name == task), reverse=True):
            times[task, epoch] = earliest
            earliest = min(earliest, taken_ns[task, epoch])
    return times
