"""Kill -9 at random moments: every acknowledged entry is there afterwards, and the ledger verifies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from contract.ledger_store_contract import CREATED, LEDGER, at, draft

from phasegate.ledger.errors import StoreBusy
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite
from phasegate.ledger.verify import verify_chain

KILLS = 50
STOPS = 25
LIVES, LIVES_MAX = 3, 60
BOTH = {"written", "told"}
SEED = 20260101
LONGEST_LIFE_S = 0.03

# The parent process imports once and forks a writer per kill: a kill then costs milliseconds, not an
# interpreter start. Each writer opens the ledger anew, appends single entries and groups with a
# projection, and acknowledges each by one line on the pipe, in one write.
NURSERY = """
import os, sys
from contract.ledger_store_contract import at, draft
from phasegate.ledger.errors import StoreBusy
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.store import Projection
path = sys.argv[1]
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        store = SqliteStore.open(path)
        os.write(1, b"pid %d\\n" % os.getpid())
        number = 0
        while True:
            number += 1
            entries = store.append(
                [draft(number, payload={"x": "y" * (number * 37 % 4000)})] * (1 + number % 3),
                at=at(1),
                projections=lambda sealed: [Projection("task", "IMP-1", sealed[-1].hash.encode())],
            )
            os.write(1, b"".join(b"%d %s\\n" % (e.seq, e.hash.encode()) for e in entries))
    os.waitpid(pid, 0)
    os.write(1, b"dead\\n")
"""


@pytest.fixture
def nursery(tmp_path):
    path = tmp_path / "ledger.db"
    SqliteStore.create(path, LEDGER, at=CREATED).close()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", NURSERY, str(path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield path, child
    finally:
        # The writer too, which a failed test may have left standing still.
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def born(child):
    """Begin a writer; its process id."""
    child.stdin.write(b"\n")
    child.stdin.flush()
    return int(child.stdout.readline().split()[1])


def live_and_die(child, life_s):
    """Let a writer live that long; return what it acknowledged."""
    pid = born(child)
    time.sleep(life_s)
    return die(child, pid)


def die(child, pid):
    """Kill a writer; return what it acknowledged."""
    os.kill(pid, signal.SIGKILL)
    acknowledged = {}
    for line in iter(child.stdout.readline, b"dead\n"):
        seq, digest = line.split()
        acknowledged[int(seq)] = digest.decode()
    return acknowledged


def test_given_kill_9_at_random_moments_then_no_acknowledged_entry_is_lost(nursery):
    path, child = nursery
    moments = random.Random(SEED)
    print(f"seed {SEED}")
    acknowledged: dict[int, str] = {}
    for kill in range(KILLS):
        acknowledged |= live_and_die(child, moments.uniform(0, LONGEST_LIFE_S))
        # Then another process finds all of it and can go on at once.
        store = SqliteStore.open(path)
        rows = list(store.raw())
        found = verify_chain(rows, ledger=LEDGER, known=acknowledged)
        assert found.ok, (kill, found.problem)
        row = store.projection("task", "IMP-1")
        if row is not None:
            entry = store.get(row.seq)
            assert entry is not None
            assert row.body.decode() == entry.hash
        (entry,) = store.append([draft(kill)], at=at(2))
        assert entry.seq == found.entries + 1
        acknowledged[entry.seq] = entry.hash
        store.close()
    assert len(acknowledged) > KILLS
    assert verify_sqlite(path).ok


def test_given_a_writer_killed_while_it_holds_the_lock_then_the_next_one_need_not_wait(nursery):
    path, child = nursery
    for _ in range(5):
        live_and_die(child, 0.005)
        store = SqliteStore.open(path, lock_wait_ms=500)
        assert store.append([draft()], at=at(1))
        store.close()


def test_given_a_writer_stopped_at_random_moments_then_others_write_or_are_told_and_it_goes_on(nursery):
    path, child = nursery
    moments = random.Random(SEED)
    acknowledged: dict[int, str] = {}
    outcomes = set()
    store = SqliteStore.open(path, lock_wait_ms=20)
    # As many lives as it takes to stop one both with the lock and without it.
    lives = 0
    while lives < LIVES or (outcomes != BOTH and lives < LIVES_MAX):
        lives += 1
        pid = born(child)
        for number in range(STOPS):
            time.sleep(moments.uniform(0, LONGEST_LIFE_S / 3))
            os.kill(pid, signal.SIGSTOP)
            try:
                (entry,) = store.append([draft(number)], at=at(2))
                acknowledged[entry.seq] = entry.hash
                outcomes.add("written")
            except StoreBusy:
                outcomes.add("told")
            # Reading waits for no writer, but for one that stands still amid changing the log's index.
            with suppress(StoreBusy):
                assert store.head().size >= max(acknowledged, default=0)
            os.kill(pid, signal.SIGCONT)
        acknowledged |= die(child, pid)
    store.close()
    assert outcomes == BOTH
    with closing(SqliteStore.open(path)) as reopened:
        found = verify_chain(reopened.raw(), ledger=LEDGER, known=acknowledged)
    assert found.ok, found.problem
    assert verify_sqlite(path).ok
