"""Leases on PostgreSQL under torture: the one of `test_lease_torture`, and sessions that are ended beside it."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")

from contract.ledger_store_contract import CREATED, LEDGER
from fault.crew import Crew
from fault.test_lease_torture import (
    ACCEPTED_LEAST,
    DEADLINE_S,
    KILLS_LEAST,
    STALE_ATTEMPTS_LEAST,
    STOPS_LEAST,
    TAKEOVERS,
    stale,
)

from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.postgres_verify import verify_postgres

SEED = 20260103
TAKEOVERS_WITH_ENDED_SESSIONS = 300
SESSIONS_ENDED_EVERY_S = 0.3


def torture(dsn, told, wanted):
    told.touch()
    PostgresStore.create(dsn, LEDGER, at=CREATED).close()
    crew = Crew("fault.postgres_lease_worker", dsn, told, seed=SEED, wanted=wanted, deadline_s=DEADLINE_S)
    try:
        crew.torture()
    finally:
        crew.end()
    return crew


def check(dsn, told, crew):
    """Check what must hold whatever happened; return how many writes were accepted."""
    tally = crew.tally()
    found = verify_postgres(dsn)
    print(f"seed {SEED}: {dict(crew.done)} {dict(tally)}, {found.entries} accepted")
    assert tally["died"] == 0, told.read_text("ascii")
    assert (found.ok, found.problem) == (True, None)
    with closing(PostgresStore.open(dsn, readonly=True)) as store:
        entries = list(store.entries())
    assert tally["STALE ACCEPTED"] == 0
    assert stale(entries) == []
    return len(entries)


@pytest.mark.slow
def test_given_six_processes_killed_and_stopped_then_no_write_with_a_stale_epoch_is_accepted(dsn, tmp_path):
    told = tmp_path / "told"
    crew = torture(dsn, told, TAKEOVERS)
    accepted = check(dsn, told, crew)
    tally = crew.tally()
    assert tally["took over"] >= TAKEOVERS
    assert crew.done["kills"] >= KILLS_LEAST
    assert crew.done["stops"] >= STOPS_LEAST
    assert tally["stale refused"] >= STALE_ATTEMPTS_LEAST
    assert accepted >= ACCEPTED_LEAST


@pytest.mark.slow
def test_given_sessions_ended_by_the_server_besides_then_nobody_dies_and_the_same_holds(
    postgres, dsn, tmp_path
):
    over = threading.Event()
    ended: list[int] = []

    def end_sessions():
        while not over.wait(SESSIONS_ENDED_EVERY_S):
            ended.append(postgres.kill_sessions())

    ender = threading.Thread(target=end_sessions)
    ender.start()
    try:
        crew = torture(dsn, tmp_path / "told", TAKEOVERS_WITH_ENDED_SESSIONS)
    finally:
        over.set()
        ender.join()
    accepted = check(dsn, tmp_path / "told", crew)
    print(f"{sum(ended)} sessions ended")
    assert sum(ended) >= 20
    assert accepted >= 100
