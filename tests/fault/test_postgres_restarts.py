"""Sessions that the server ends, and servers that crash and come back, in the middle of several writers' work:
no acknowledged entry is lost, and none is there twice."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from functools import partial

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")

import psycopg
from contract.ledger_store_contract import CREATED, LEDGER, at, draft
from postgres_server import run

from phasegate.ledger import postgres_transact
from phasegate.ledger.errors import StoreFailed
from phasegate.ledger.leases import Fence
from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.postgres_verify import verify_postgres
from phasegate.ledger.store import Expect, Projection

SEED = 20260104
WRITERS = 4
LONGEST_S = 60
SHORT_RECONNECT_MS = 200


@pytest.fixture
def store(dsn):
    store = PostgresStore.create(dsn, LEDGER, at=CREATED)
    yield store
    store.close()


class Writers:
    """Threads, each with a store of its own, that append numbered entries until told to stop.

    Attributes:
        acknowledged: (seq, hash) by writer and number.
        errors: what was raised, which should be nothing.
    """

    def __init__(self, dsn):
        self.dsn = dsn
        self.over = threading.Event()
        self.acknowledged: dict[tuple[str, int], tuple[int, str]] = {}
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self.work, args=(f"W-{n}",)) for n in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def work(self, name):
        try:
            with closing(PostgresStore.open(self.dsn, lock_wait_ms=LONGEST_S * 1000)) as store:
                seen, number = 0, 0
                while not self.over.is_set():
                    group = [draft(number + n, task=name) for n in range(1 + number % 3)]
                    entries = store.append(
                        group,
                        at=at(1),
                        projections=[Projection("task", name, b"%d" % number)],
                        # A repeated append that was committed before would be refused here.
                        expect=[Expect("task", name, seen)],
                    )
                    for n, entry in enumerate(entries):
                        self.acknowledged[name, number + n] = entry.seq, entry.hash
                    seen, number = entries[-1].seq, number + len(group)
        except BaseException as error:  # noqa: BLE001 - the test must hear of it
            self.errors.append(error)

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(LONGEST_S)


def check(dsn, writers):
    assert writers.errors == []
    found = verify_postgres(dsn)
    assert (found.ok, found.problem) == (True, None)
    with closing(PostgresStore.open(dsn, readonly=True)) as store:
        entries = list(store.entries())
    there = {(entry.task, entry.payload["number"]): (entry.seq, entry.hash) for entry in entries}
    assert len(there) == len(entries), "no entry is there twice"
    assert there == writers.acknowledged, (
        "each that is there was acknowledged, and each acknowledged is there"
    )
    return len(entries)


@pytest.mark.slow
def test_given_sessions_ended_at_random_moments_then_no_entry_is_lost_or_doubled(postgres, dsn, store):
    moments = random.Random(SEED)
    writers = Writers(dsn)
    ended = 0
    try:
        for _ in range(60):
            time.sleep(moments.uniform(0.01, 0.1))
            ended += postgres.kill_sessions()
    finally:
        writers.finish()
    entries = check(dsn, writers)
    print(f"seed {SEED}: {ended} sessions ended, {entries} entries")
    assert ended >= 60
    assert entries >= 100


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_given_a_server_that_restarts_in_mid_work_then_no_entry_is_lost_or_doubled(
    postgres, dsn, store, mode
):
    moments = random.Random(SEED)
    writers = Writers(dsn)
    try:
        for _ in range(4):
            time.sleep(moments.uniform(0.3, 0.8))
            postgres.restart(mode)
        time.sleep(1.5)
    finally:
        writers.finish()
    entries = check(dsn, writers)
    print(f"seed {SEED}: {entries} entries")
    assert entries >= 100


def breaking(monkeypatch, dsn, moment):
    """Have the session end once: before the commit arrives, after it was done, or with a rival in between."""
    finish = postgres_transact._finish
    broken = []

    def once(link, plan, transaction):
        if broken:
            return finish(link, plan, transaction)
        broken.append(moment)
        pid = link.connection().info.backend_pid
        if moment == "after":
            finish(link, plan, transaction)
        run(dsn, f"SELECT pg_terminate_backend({pid}, 5000)")
        if moment == "rival":
            with closing(PostgresStore.open(dsn)) as rival:
                rival.append([draft(1)], at=at(1))
        if moment == "after":
            # The answer is lost, as the client sees it.
            error = psycopg.OperationalError("the connection is lost")
            link.drop()
            raise postgres_transact._Unsettled(plan, transaction, error)
        return finish(link, plan, transaction)

    monkeypatch.setattr(postgres_transact, "_finish", once)
    return broken


@pytest.mark.parametrize(
    ("moment", "seqs"), [("before", [1]), ("after", [1]), ("rival", [1, 2])], ids=["before", "after", "rival"]
)
def test_given_a_commit_of_unknown_outcome_then_it_is_settled_by_what_stands(
    monkeypatch, dsn, store, moment, seqs
):
    """The rival writes the very same bytes at the same place: they are its own, not a proof of ours."""
    broken = breaking(monkeypatch, dsn, moment)
    (entry,) = store.append([draft(1)], at=at(1))
    assert broken == [moment]
    assert entry.seq == seqs[-1]
    assert [found.seq for found in store.entries()] == seqs
    assert store.get(entry.seq) == entry
    assert verify_postgres(dsn).entries == len(seqs)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_given_a_lease_of_unknown_outcome_then_it_is_acquired_once(monkeypatch, dsn, store, moment):
    breaking(monkeypatch, dsn, moment)
    lease = store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    assert (lease.epoch, lease.holder) == (1, "a")
    assert store.lease("IMP-1", "PLAN") == lease
    monkeypatch.undo()
    breaking(monkeypatch, dsn, moment)
    assert store.lease_release("IMP-1", "PLAN", "a", 1, now_ms=1).released


def test_given_an_old_session_that_lives_on_then_the_outcome_waits_for_its_end(monkeypatch, dsn):
    """The network broke, and the server does not know it yet: nothing is settled while it may still commit."""
    with closing(PostgresStore.create(dsn, LEDGER, at=CREATED, lock_wait_ms=50)) as store:
        abandoned = []

        def once(link, plan, transaction):
            monkeypatch.undo()
            connection = link.connection()
            for sql, values in plan.writes:
                connection.execute(sql, values)
            abandoned.append(connection)
            link._connection = None
            later = threading.Timer(0.4, connection.execute, ["COMMIT"])
            later.start()
            abandoned.append(later)
            raise postgres_transact._Unsettled(plan, transaction, psycopg.OperationalError("gone"))

        monkeypatch.setattr(postgres_transact, "_finish", once)
        began = time.monotonic()
        (entry,) = store.append([draft(1)], at=at(1))
        assert time.monotonic() - began > 0.3
        abandoned[1].join()
        abandoned[0].close()
        assert (entry.seq, store.head().size) == (1, 1)
        assert store.get(1) == entry


def test_given_a_transaction_number_that_the_server_never_wrote_down_then_it_was_not_committed(dsn, store):
    connection = store._writer.connection()
    assert not postgres_transact._committed(connection, str(2**40 + 1000))
    (row,) = store._writer.query("SELECT pg_current_xact_id()::text")
    assert postgres_transact._committed(connection, row[0])


@pytest.mark.parametrize("moment", ["before", "after"])
def test_given_a_server_that_does_not_come_back_then_the_message_says_what_is_known(
    monkeypatch, postgres, dsn, store, moment
):
    store.append([draft(0)], at=at(1))
    with closing(PostgresStore.open(dsn, reconnect_ms=SHORT_RECONNECT_MS)) as impatient:
        begin, finish = postgres_transact._begin, postgres_transact._finish

        def stop(step, *arguments):
            if postgres_transact._begin is not begin or moment == "after":
                monkeypatch.undo()
                postgres.stop()
            return step(*arguments)

        if moment == "before":
            monkeypatch.setattr(postgres_transact, "_begin", partial(stop, begin))
        else:
            monkeypatch.setattr(postgres_transact, "_finish", partial(stop, finish))
        known = "nothing was written" if moment == "before" else "is not known; when it is back, read"
        try:
            with pytest.raises(StoreFailed, match=rf"did not come back within 0.2 s .*{known}"):
                impatient.append([draft(1)], at=at(1))
            with pytest.raises(StoreFailed, match="nothing was read"):
                impatient.head()
        finally:
            postgres.start()
        (entry,) = impatient.append([draft(2)], at=at(1))
        assert entry.seq == store.head().size == 2


def test_given_a_restart_between_two_uses_then_nothing_shows(postgres, dsn, store):
    lease = store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    iterator = store.entries()
    store.append([draft(n) for n in range(600)], at=at(1))
    assert next(iterator).seq == 1
    postgres.restart()
    assert sum(1 for _ in iterator) == 599
    assert store.lease("IMP-1", "PLAN") == lease
    (entry,) = store.append([draft(1)], at=at(1), fence=Fence("IMP-1", "PLAN", 1, 0))
    assert entry.seq == 601
