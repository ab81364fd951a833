"""Several processes on one ledger in PostgreSQL, killed at random moments or left alone: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")

from contract.ledger_store_contract import CREATED, LEDGER, at, draft

from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.postgres_verify import verify_postgres

WRITERS = 4
APPENDS = 300
LONGEST_WAIT_S = 2.0
KILLS = 20
LONGEST_LIFE_S = 0.15
SEED = 20260105

WRITER = """
import json, sys, time
from contract.ledger_store_contract import at, draft
from phasegate.ledger.postgres import PostgresStore
dsn, name, appends = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = PostgresStore.open(dsn)
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

MORTAL = """
import os, sys
from contract.ledger_store_contract import at, draft
from phasegate.ledger.postgres import PostgresStore
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        store = PostgresStore.open(sys.argv[1])
        os.write(1, b"pid %d\\n" % os.getpid())
        number = 0
        while True:
            number += 1
            entries = store.append([draft(number)] * (1 + number % 3), at=at(1))
            os.write(1, b"".join(b"%d %s\\n" % (e.seq, e.hash.encode()) for e in entries))
    os.waitpid(pid, 0)
    os.write(1, b"dead\\n")
"""


def start(script, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_given_four_processes_of_300_appends_then_none_is_lost_or_forked_and_none_waits_long(dsn):
    PostgresStore.create(dsn, LEDGER, at=CREATED).close()
    children = [start(WRITER, dsn, f"W-{n}", APPENDS) for n in range(WRITERS)]
    try:
        assert [child.stdout.readline() for child in children] == ["ready\n"] * WRITERS
        for child in children:
            child.stdin.write("\n")
            child.stdin.flush()
        reports = [json.loads(child.communicate(timeout=120)[0]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    acknowledged = sorted(pair for report in reports for pair in report["acknowledged"])
    with closing(PostgresStore.open(dsn, readonly=True)) as store:
        stored = [[entry.seq, entry.hash] for entry in store.entries()]
        orders = [[e.payload["number"] for e in store.entries(task=f"W-{n}")] for n in range(WRITERS)]
    assert stored == acknowledged
    assert orders == [list(range(APPENDS))] * WRITERS
    assert verify_postgres(dsn).ok
    assert max(report["longest_s"] for report in reports) < LONGEST_WAIT_S


def test_given_kill_9_at_random_moments_then_no_acknowledged_entry_is_lost_and_the_next_need_not_wait(dsn):
    PostgresStore.create(dsn, LEDGER, at=CREATED).close()
    moments = random.Random(SEED)
    acknowledged: dict[int, str] = {}
    child = start(MORTAL, dsn)
    try:
        for kill in range(KILLS):
            child.stdin.write("\n")
            child.stdin.flush()
            pid = int(child.stdout.readline().split()[1])
            time.sleep(moments.uniform(0, LONGEST_LIFE_S))
            os.kill(pid, signal.SIGKILL)
            for line in iter(child.stdout.readline, "dead\n"):
                seq, digest = line.split()
                acknowledged[int(seq)] = digest
            with closing(PostgresStore.open(dsn, lock_wait_ms=2000)) as store:
                (entry,) = store.append([draft(kill)], at=at(2))
                acknowledged[entry.seq] = entry.hash
                stored = {found.seq: found.hash for found in store.entries()}
                assert acknowledged.items() <= stored.items(), f"seed {SEED}, kill {kill}"
    finally:
        child.kill()
        child.communicate()
    assert len(acknowledged) > KILLS
    assert verify_postgres(dsn).ok
