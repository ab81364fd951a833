"""Leases in the PostgreSQL store: the contract, and what only a server can do."""

# ruff: noqa: S608 - the statements are this file's own
from __future__ import annotations

import time
from contextlib import closing

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")

import psycopg
from contract.lease_contract import LeaseContract
from contract.ledger_store_contract import CREATED, LEDGER, at, draft
from postgres_server import run

from phasegate.ledger.errors import LeaseHeld, LeaseInvalid, LeaseLost, StoreCorrupt, StoreReadOnly
from phasegate.ledger.leases import LEASE_EPOCH_MAX, Fence
from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.postgres_verify import verify_postgres


@pytest.fixture
def store(dsn):
    store = PostgresStore.create(dsn, LEDGER, at=CREATED)
    yield store
    store.close()


class TestPostgresLeases(LeaseContract):
    @pytest.fixture
    def store(self, dsn):
        store = PostgresStore.create(dsn, LEDGER, at=CREATED)
        yield store
        store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM leases",
        "TRUNCATE leases",
        "UPDATE leases SET epoch = 1",
        "UPDATE leases SET epoch = 4",
        "UPDATE leases SET holder = 'b'",
        "UPDATE leases SET task = 'x'",
        "UPDATE leases SET phase = 'x'",
        "INSERT INTO leases VALUES ('IMP-1', 'PLAN', 1, 'b', 9)",
        "INSERT INTO leases VALUES ('IMP-1', 'PLAN', 3, 'b', 9)",
        "INSERT INTO leases VALUES ('IMP-1', 'SPEC', 2, 'b', 9)",
        "INSERT INTO leases VALUES ('IMP-1', 'PLAN', 3, 'b', 9) ON CONFLICT (task, phase) DO UPDATE SET epoch = 1",
        "SET session_replication_role = replica; DELETE FROM leases",
    ],
)
def test_given_the_triggers_then_no_statement_resets_an_epoch_or_hands_it_on(dsn, store, sql):
    for now_ms in (0, 10):
        lease = store.lease_acquire("IMP-1", "PLAN", "a", now_ms=now_ms, ttl_ms=10)
    with pytest.raises(psycopg.errors.RaiseException, match="epochs never reset"):
        run(dsn, sql)
    assert list(store.leases()) == [lease]
    assert verify_postgres(dsn).ok


def test_given_leases_then_epoch_holder_expiry_and_clock_survive(dsn, store):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=1000, ttl_ms=10)
    lease = store.lease_acquire("IMP-1", "PLAN", "b", now_ms=1010, ttl_ms=10)
    store.close()
    with closing(PostgresStore.open(dsn)) as again:
        found = again.lease("IMP-1", "PLAN")
        assert (found, found.seen_ms) == (lease, 1010)
        with pytest.raises(LeaseLost, match="stale: epoch 2"):
            again.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 1, 0))
        with pytest.raises(LeaseLost, match="has expired"):
            again.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 2, 1020))
    # The time at which it was seen expired was kept, though the append was refused.
    with closing(PostgresStore.open(dsn)) as once_more:
        with pytest.raises(LeaseLost, match="has expired"):
            once_more.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 2, 0))
        assert once_more.head().size == 0


def test_given_two_stores_then_a_lease_of_one_is_seen_by_the_other(dsn, store):
    with closing(PostgresStore.open(dsn)) as other:
        for n in range(5):
            first, second = (store, other) if n % 2 else (other, store)
            lease = first.lease_acquire("IMP-1", "PLAN", f"h-{n}", now_ms=n * 10, ttl_ms=10)
            assert second.lease("IMP-1", "PLAN") == lease
            with pytest.raises(LeaseHeld):
                second.lease_acquire("IMP-1", "PLAN", "x", now_ms=n * 10 + 9, ttl_ms=10)
            second.append([draft(n)], at=at(n), fence=Fence("IMP-1", "PLAN", n + 1, n * 10))
            first.append([draft(n)], at=at(n), fence=Fence("IMP-1", "PLAN", n + 1, n * 10))
    assert verify_postgres(dsn).entries == 10


def test_given_a_refusal_or_an_early_renewal_then_nothing_is_written(dsn, store):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    rows = "SELECT ctid, * FROM leases", "SELECT ctid, * FROM head"
    before = run(dsn, *rows)
    store.lease_renew("IMP-1", "PLAN", "a", 1, now_ms=60, ttl_ms=100, window_ms=20)
    for call in (
        lambda: store.lease_acquire("IMP-1", "PLAN", "b", now_ms=60, ttl_ms=100),
        lambda: store.lease_release("IMP-1", "PLAN", "b", 1, now_ms=60),
        lambda: store.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 2, 60)),
        lambda: store.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", None, 60)),
    ):
        with pytest.raises((LeaseHeld, LeaseLost)):
            call()
    assert run(dsn, *rows) == before


def test_given_a_readonly_store_then_it_reads_leases_and_takes_none(dsn, store):
    lease = store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    with closing(PostgresStore.open(dsn, readonly=True)) as reader:
        assert reader.lease("IMP-1", "PLAN") == lease
        assert list(reader.leases("IMP-1")) == [lease]
        for call in (
            lambda: reader.lease_acquire("IMP-1", "SPEC", "a", now_ms=0, ttl_ms=100),
            lambda: reader.lease_renew("IMP-1", "PLAN", "a", 1, now_ms=0, ttl_ms=100, window_ms=100),
            lambda: reader.lease_release("IMP-1", "PLAN", "a", 1, now_ms=0),
        ):
            with pytest.raises(StoreReadOnly):
                call()


@pytest.mark.parametrize("clock_ms", [-1, 253_402_300_800_000, 2**62])
def test_given_a_damaged_clock_then_leases_and_fences_say_so_and_appends_go_on(dsn, store, clock_ms):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.RaiseException)):
        run(dsn, f"UPDATE head SET clock_ms = {clock_ms}")
    run(
        dsn,
        "ALTER TABLE head DROP CONSTRAINT head_clock_ms_check",
        "ALTER TABLE head DISABLE TRIGGER head_update",
        f"UPDATE head SET clock_ms = {clock_ms}",
    )
    for call in (
        lambda: store.lease("IMP-1", "PLAN"),
        lambda: list(store.leases()),
        lambda: store.lease_acquire("IMP-1", "SPEC", "a", now_ms=0, ttl_ms=100),
        lambda: store.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 1, 0)),
    ):
        with pytest.raises(StoreCorrupt, match="clock_ms"):
            call()
    assert store.append([draft()], at=at(1))[0].seq == 1


@pytest.mark.parametrize("epoch", [0, -1, 2**53, 2**63 - 1])
def test_given_a_damaged_epoch_then_the_lease_is_not_given_out(dsn, store, epoch):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    run(
        dsn,
        "ALTER TABLE leases DROP CONSTRAINT leases_epoch_check",
        "ALTER TABLE leases DISABLE TRIGGER leases_update",
        f"UPDATE leases SET epoch = {epoch}",
    )
    for call in (
        lambda: list(store.leases()),
        lambda: store.lease_acquire("IMP-1", "PLAN", "b", now_ms=100, ttl_ms=100),
    ):
        with pytest.raises(StoreCorrupt, match="epoch"):
            call()


def test_given_the_last_epoch_then_no_other_follows_and_it_still_holds(dsn, store):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    run(
        dsn,
        "ALTER TABLE leases DISABLE TRIGGER leases_update",
        f"UPDATE leases SET epoch = {LEASE_EPOCH_MAX}",
    )
    store.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", LEASE_EPOCH_MAX, 99))
    with pytest.raises(LeaseInvalid, match="last"):
        store.lease_acquire("IMP-1", "PLAN", "b", now_ms=100, ttl_ms=100)


def test_given_the_servers_time_then_a_caller_whose_clock_is_behind_neither_takes_nor_keeps_too_long(
    dsn, store
):
    with closing(PostgresStore.open(dsn, server_time=True)) as host:
        lease = host.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=60_000)
        assert abs(lease.seen_ms - time.time() * 1000) < 30_000
        assert lease.expires_ms == lease.seen_ms + 60_000
        with pytest.raises(LeaseHeld):
            host.lease_acquire("IMP-1", "PLAN", "b", now_ms=0, ttl_ms=1)
        brief = host.lease_acquire("IMP-2", "PLAN", "a", now_ms=0, ttl_ms=1)
        time.sleep(0.02)
        with pytest.raises(LeaseLost, match="has expired"):
            host.append([draft()], at=at(1), fence=Fence("IMP-2", "PLAN", brief.epoch, 0))
        # A caller ahead of the server is believed, as the port demands.
        ahead = lease.expires_ms + 60_000
        assert host.lease_acquire("IMP-1", "PLAN", "b", now_ms=ahead, ttl_ms=1).taken_from == "a"


def test_given_a_wait_for_the_lock_then_the_servers_time_is_that_after_it(dsn, store):
    import threading

    from phasegate.ledger.postgres_place import locate

    place = locate(dsn)
    with (
        closing(PostgresStore.open(dsn, server_time=True)) as host,
        psycopg.connect(**place.parameters) as holder,
    ):
        holder.execute(f"SELECT 1 FROM {place.schema}.head FOR UPDATE")
        got = []
        waiting = threading.Thread(
            target=lambda: got.append(host.lease_acquire("T", "P", "a", now_ms=0, ttl_ms=10))
        )
        waiting.start()
        time.sleep(0.3)
        released_ms = time.time() * 1000
        holder.rollback()  # without having changed the row
        waiting.join()
    assert got[0].seen_ms >= released_ms - 1
