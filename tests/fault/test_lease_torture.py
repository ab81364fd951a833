"""Leases under torture: six processes, killed and stopped at random moments, on three tasks.

What is asserted is read from the ledger alone, afterwards. Each accepted write carries the epoch it was
made under, when its call began, and when the acquisition of that epoch had returned, all by one clock of
the machine. A write under epoch 6 that began after the acquisition of epoch 7 had returned is the one
thing that must never be there.
"""

from __future__ import annotations

import pytest
from contract.ledger_store_contract import CREATED, LEDGER, at, draft
from fault.crew import Crew

from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite

TAKEOVERS = 1_500
SEED = 20260102
KILLS_LEAST = 40
STOPS_LEAST = 300
STALE_ATTEMPTS_LEAST = 500
ACCEPTED_LEAST = 500
DEADLINE_S = 90


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ledger.db"
    SqliteStore.create(path, LEDGER, at=CREATED).close()
    return path


@pytest.mark.slow
def test_given_six_processes_killed_and_stopped_then_no_write_with_a_stale_epoch_is_accepted(path, tmp_path):
    told = tmp_path / "told"
    told.touch()
    crew = Crew("fault.lease_worker", path, told, seed=SEED, wanted=TAKEOVERS, deadline_s=DEADLINE_S)
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
