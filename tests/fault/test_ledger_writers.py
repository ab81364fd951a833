"""Several processes on one ledger file: nothing lost, nothing forked, nobody starved.

`benchmarks/writers.py` does the same with as many appends as one likes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from contract.ledger_store_contract import CREATED, LEDGER

from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite

WRITERS = 8
APPENDS = 250
LONGEST_WAIT_S = 1.0

WRITER = """
import json, sys, time
from contract.ledger_store_contract import at, draft
from phasegate.ledger.sqlite import SqliteStore
path, name, appends = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = SqliteStore.open(path)
print("ready", flush=True)
sys.stdin.readline()
acknowledged, longest = [], 0.0
for number in range(appends):
    start = time.perf_counter()
    (entry,) = store.append([draft(number, task=name)], at=at(1))
    longest = max(longest, time.perf_counter() - start)
    acknowledged.append([entry.seq, entry.hash])
store.close()
print(json.dumps({"acknowledged": acknowledged, "longest_s": longest}))
"""

RACER = """
import sys
from contract.ledger_store_contract import at, draft
from phasegate.ledger.errors import VersionConflict
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.store import Expect, Projection
path, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = SqliteStore.open(path)
print("ready", flush=True)
wins = []
for number in range(rounds):
    seen = int(sys.stdin.readline())
    try:
        (entry,) = store.append(
            [draft(number, task="IMP-1", type="moved." + name)],
            at=at(1),
            projections=[Projection("task", "IMP-1", name.encode())],
            expect=[Expect("task", "IMP-1", seen)],
        )
        print(entry.seq, flush=True)
    except VersionConflict as conflict:
        print(-conflict.found, flush=True)
"""


def start(script, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def tell(child, line=""):
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ledger.db"
    SqliteStore.create(path, LEDGER, at=CREATED).close()
    return path


def test_given_eight_processes_of_250_appends_then_none_is_lost_or_forked_and_none_waits_a_second(path):
    children = [start(WRITER, path, f"W-{n}", APPENDS) for n in range(WRITERS)]
    try:
        assert [child.stdout.readline() for child in children] == ["ready\n"] * WRITERS
        for child in children:
            tell(child)
        reports = [json.loads(child.communicate(timeout=120)[0]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()

    acknowledged = sorted(pair for report in reports for pair in report["acknowledged"])
    with_store = SqliteStore.open(path, readonly=True)
    stored = [[entry.seq, entry.hash] for entry in with_store.entries()]
    orders = [[e.payload["number"] for e in with_store.entries(task=f"W-{n}")] for n in range(WRITERS)]
    with_store.close()
    assert stored == acknowledged
    assert [seq for seq, _ in stored] == list(range(1, WRITERS * APPENDS + 1))
    assert orders == [list(range(APPENDS))] * WRITERS
    assert verify_sqlite(path).ok
    longest_s = max(report["longest_s"] for report in reports)
    assert longest_s < LONGEST_WAIT_S


def test_given_two_processes_that_decided_on_one_version_then_one_writes_and_the_other_is_refused(path):
    rounds = 60
    children = [start(RACER, path, name, rounds) for name in ("advance", "backtrack")]
    try:
        assert [child.stdout.readline() for child in children] == ["ready\n"] * 2
        version = 0
        for number in range(rounds):
            for child in children if number % 2 else reversed(children):
                tell(child, version)
            answers = [int(child.stdout.readline()) for child in children]
            # Given both saw the same version, then one wrote the next entry and the other was told so.
            assert sorted(answers) == [-(number + 1), number + 1]
            version = max(answers)
    finally:
        for child in children:
            child.kill()
            child.communicate()
    found = verify_sqlite(path)
    assert (found.ok, found.entries) == (True, rounds)
