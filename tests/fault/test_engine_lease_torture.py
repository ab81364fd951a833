"""Leases under torture through `Engine`: six processes over one home, killed and stopped at random moments.

What is asserted is read from the ledger afterwards: each accepted entry names the epoch of the lease that its
own commit checked. On a task and phase that epoch never goes down, and a stop or a kill never lets an epoch
that was taken over before write again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from fault.crew import Crew
from fault.engine_lease_worker import TASKS
from guarded_homes import assert_sound, guarded

from phasegate.engine.app.engine import Engine
from phasegate.ledger.entry import Draft, Entry
from phasegate.ledger.sqlite_verify import verify_sqlite
from phasegate.policies.model import LeaseRule

TAKEOVERS = 1_500
SEED = 20260131
KILLS_LEAST = 40
STOPS_LEAST = 300
STALE_LEAST = 200
WORKED_LEAST = 200
DEADLINE_S = 90


Place = tuple[str, str]


def overtaken(told: Path) -> dict[tuple[Place, int], int]:
    """Size of the ledger when the acquisition of a later epoch had returned, by place and epoch.

    What follows in the ledger was committed after it.
    """
    heads: dict[Place, dict[int, int]] = {}
    for line in told.read_text("ascii").splitlines():
        what, _, rest = line.partition(": ")
        if what in {"took over", "acquired"}:
            task, phase, epoch, head = rest.split()
            heads.setdefault((task, phase), {})[int(epoch)] = int(head)
    found: dict[tuple[Place, int], int] = {}
    for place, epochs in heads.items():
        earliest = 2**63
        for epoch in sorted(epochs, reverse=True):
            found[place, epoch] = earliest
            earliest = min(earliest, epochs[epoch])
    return found


def stale(entries: Iterable[Entry], after: Mapping[tuple[Place, int], int]) -> list[Entry]:
    """Entries of an epoch that was no longer the latest of its task and phase when they were committed.

    Either a later epoch has written before, or its acquisition had returned before (`overtaken`).
    """
    highest: dict[Place, int] = {}
    found = []
    for entry in entries:
        if "lease" not in entry.payload:
            continue
        place, epoch = (entry.task, entry.phase), int(entry.payload["lease"])
        if epoch < highest.get(place, 0) or entry.seq > after.get((place, epoch), 2**63):
            found.append(entry)
        highest[place] = max(epoch, highest.get(place, 0))
    return found


@pytest.mark.slow
@pytest.mark.attack
def test_given_six_processes_killed_and_stopped_then_nothing_is_done_under_a_stale_lease(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told"
    told.touch()
    with Engine.init(tmp_path / "home") as engine:
        root = engine.home.root
        for task in TASKS:
            assert engine.open_task(task, guarded(lease=LeaseRule(required=True))).accepted
    crew = Crew("fault.engine_lease_worker", root, told, seed=SEED, wanted=TAKEOVERS, deadline_s=DEADLINE_S)
    start = time.monotonic()
    try:
        crew.torture()
    finally:
        crew.end()
    took_s = time.monotonic() - start

    tally = crew.tally()
    with Engine.open(root) as engine:
        entries = list(engine.store.entries())
        notes = [entry for entry in entries if entry.type == "journal.noted"]
        print(f"seed {SEED}: {took_s:.0f} s, {dict(crew.done)} {dict(tally)}, {len(notes)} accepted")
        # Given a torture worth the name ...
        assert tally["took over"] >= TAKEOVERS
        assert crew.done["kills"] >= KILLS_LEAST
        assert crew.done["stops"] >= STOPS_LEAST
        assert tally["stale refused"] >= STALE_LEAST
        assert tally["died"] == 0, told.read_text("ascii")
        # ... then the ledger stands, replay finds nothing wrong,
        assert verify_sqlite(engine.home.ledger).ok
        assert_sound(engine)
        # everything that was accepted names the lease it was done under, and no stale one,
        assert len(notes) >= WORKED_LEAST
        assert all("lease" in entry.payload for entry in notes)
        assert tally["STALE ACCEPTED"] == 0
        assert stale(entries, overtaken(told)) == []
        # and every refusal is counted where the task stands.
        for task in TASKS:
            recorded = [e for e in entries if (e.task, e.type) == (task, "violation.recorded")]
            assert sum(engine.state(task).violations.values()) == len(recorded)
            assert not [e for e in recorded if "lease" in e.payload], "a refusal is made under no lease"


def test_given_an_entry_of_a_stale_epoch_then_the_check_of_the_ledger_finds_it(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "home") as engine:
        for task in TASKS[:2]:
            engine.open_task(task, guarded())
        written = []
        for task, epoch in ((TASKS[0], 1), (TASKS[1], 1), (TASKS[0], 3), (TASKS[0], 2), (TASKS[1], 2)):
            body = {"summary": "ab" * 32, "chars": 1, "decisions": [], "links": [], "lease": str(epoch)}
            new = Draft(task, "PLAN", 1, "journal.noted", "key:one", "", body)
            written += engine.store.append([new], at=engine.clock.now())
        told = tmp_path / "told"
        told.write_text(f"acquired: {TASKS[1]} PLAN 1 0\ntook over: {TASKS[1]} PLAN 2 {written[1].seq - 1}\n")
        assert stale(engine.store.entries(), {}) == [written[3]]
        assert stale(engine.store.entries(), overtaken(told)) == [written[1], written[3]]
