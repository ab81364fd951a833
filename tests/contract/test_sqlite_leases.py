"""Leases in the SQLite store: the contract, and what only a file can do."""

# ruff: noqa: S608 - the statements are this file's own
from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from contract.lease_contract import LeaseContract
from contract.ledger_store_contract import CREATED, LEDGER, at, draft

from phasegate.ledger.errors import LeaseHeld, LeaseInvalid, LeaseLost, StoreCorrupt, StoreReadOnly
from phasegate.ledger.leases import LEASE_EPOCH_MAX, Fence
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path):
    store = SqliteStore.create(path, LEDGER, at=CREATED)
    yield store
    store.close()


def raw(path, *statements):
    connection = apsw.Connection(str(path))
    try:
        for sql in statements:
            connection.execute(sql).fetchall()
    finally:
        connection.close()


class TestSqliteLeases(LeaseContract):
    @pytest.fixture
    def store(self, path):
        store = SqliteStore.create(path, LEDGER, at=CREATED)
        yield store
        store.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM leases",
        "UPDATE leases SET epoch = 1",
        "UPDATE leases SET epoch = 4",
        "UPDATE leases SET holder = 'b'",
        "UPDATE leases SET task = 'x'",
        "UPDATE OR REPLACE leases SET phase = 'x'",
        "REPLACE INTO leases VALUES ('IMP-1', 'PLAN', 1, 'b', 9)",
        "INSERT OR REPLACE INTO leases VALUES ('IMP-1', 'PLAN', 3, 'b', 9)",
        "INSERT INTO leases VALUES ('IMP-1', 'SPEC', 2, 'b', 9)",
        "INSERT INTO leases VALUES ('IMP-1', 'PLAN', 1, 'b', 9) ON CONFLICT DO UPDATE SET epoch = 1",
    ],
)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_given_the_triggers_then_no_statement_resets_an_epoch_or_hands_it_on(path, store, sql, recursive):
    for now_ms in (0, 10):
        lease = store.lease_acquire("IMP-1", "PLAN", "a", now_ms=now_ms, ttl_ms=10)
    with pytest.raises(apsw.ConstraintError, match="epochs never reset"):
        raw(path, f"PRAGMA recursive_triggers={recursive}", sql)
    assert list(store.leases()) == [lease]
    assert verify_sqlite(path).ok


def test_given_leases_then_epoch_holder_expiry_and_clock_survive_in_the_file(path, store):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=1000, ttl_ms=10)
    lease = store.lease_acquire("IMP-1", "PLAN", "b", now_ms=1010, ttl_ms=10)
    store.close()
    again = SqliteStore.open(path)
    found = again.lease("IMP-1", "PLAN")
    assert (found, found.seen_ms) == (lease, 1010)
    with pytest.raises(LeaseLost, match="stale: epoch 2"):
        again.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 1, 0))
    with pytest.raises(LeaseLost, match="has expired"):
        again.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 2, 1020))
    again.close()
    # The time at which it was seen expired was kept, though the append was refused.
    once_more = SqliteStore.open(path)
    with pytest.raises(LeaseLost, match="has expired"):
        once_more.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 2, 0))
    assert once_more.head().size == 0
    once_more.close()


def test_given_two_stores_on_one_file_then_a_lease_of_one_is_seen_by_the_other(path, store):
    other = SqliteStore.open(path)
    for n in range(5):
        first, second = (store, other) if n % 2 else (other, store)
        lease = first.lease_acquire("IMP-1", "PLAN", f"h-{n}", now_ms=n * 10, ttl_ms=10)
        assert second.lease("IMP-1", "PLAN") == lease
        with pytest.raises(LeaseHeld):
            second.lease_acquire("IMP-1", "PLAN", "x", now_ms=n * 10 + 9, ttl_ms=10)
        second.append([draft(n)], at=at(n), fence=Fence("IMP-1", "PLAN", n + 1, n * 10))
        first.append([draft(n)], at=at(n), fence=Fence("IMP-1", "PLAN", n + 1, n * 10))
    other.close()
    assert verify_sqlite(path).entries == 10


def test_given_a_refusal_or_an_early_renewal_then_the_file_is_not_written(path, store):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    log = Path(f"{path}-wal")
    before = log.read_bytes()
    store.lease_renew("IMP-1", "PLAN", "a", 1, now_ms=60, ttl_ms=100, window_ms=20)
    for call in (
        lambda: store.lease_acquire("IMP-1", "PLAN", "b", now_ms=60, ttl_ms=100),
        lambda: store.lease_release("IMP-1", "PLAN", "b", 1, now_ms=60),
        lambda: store.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", 2, 60)),
        lambda: store.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", None, 60)),
    ):
        with pytest.raises((LeaseHeld, LeaseLost)):
            call()
    assert log.read_bytes() == before


def test_given_a_readonly_store_then_it_reads_leases_and_takes_none(path, store):
    lease = store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    reader = SqliteStore.open(path, readonly=True)
    assert reader.lease("IMP-1", "PLAN") == lease
    assert list(reader.leases("IMP-1")) == [lease]
    for call in (
        lambda: reader.lease_acquire("IMP-1", "SPEC", "a", now_ms=0, ttl_ms=100),
        lambda: reader.lease_renew("IMP-1", "PLAN", "a", 1, now_ms=0, ttl_ms=100, window_ms=100),
        lambda: reader.lease_release("IMP-1", "PLAN", "a", 1, now_ms=0),
    ):
        with pytest.raises(StoreReadOnly):
            call()
    reader.close()


@pytest.mark.parametrize("clock", ["", "-1", "soon", "1.5", "9" * 15, "9" * 40, None])
def test_given_a_damaged_clock_then_leases_and_fences_say_so_and_appends_go_on(path, store, clock):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    set_to = "DELETE FROM meta" if clock is None else f"UPDATE meta SET value = '{clock}'"
    raw(path, f"{set_to} WHERE name = 'clock_ms'")
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
def test_given_a_damaged_epoch_then_the_lease_is_not_given_out(path, store, epoch):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    raw(path, "DROP TRIGGER leases_update", f"UPDATE leases SET epoch = {epoch}")
    for call in (
        lambda: list(store.leases()),
        lambda: store.lease_acquire("IMP-1", "PLAN", "b", now_ms=100, ttl_ms=100),
    ):
        with pytest.raises(StoreCorrupt, match="epoch"):
            call()


def test_given_the_last_epoch_then_no_other_follows_and_it_still_holds(path, store):
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    raw(path, "DROP TRIGGER leases_update", f"UPDATE leases SET epoch = {LEASE_EPOCH_MAX}")
    store.append([draft()], at=at(1), fence=Fence("IMP-1", "PLAN", LEASE_EPOCH_MAX, 99))
    with pytest.raises(LeaseInvalid, match="last"):
        store.lease_acquire("IMP-1", "PLAN", "b", now_ms=100, ttl_ms=100)


def test_given_leases_and_appends_in_turn_then_the_head_is_not_read_again(store):
    store.append([draft(1)], at=at(1))
    statements: list[str] = []
    connection = store._file.cursor().connection
    connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: statements.append(event["sql"]))
    store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
    store.append([draft(2)], at=at(1), fence=Fence("IMP-1", "PLAN", 1, 1))
    connection.trace_v2(0, None)
    assert sum(sql == "COMMIT" for sql in statements) == 2
    assert not any("DESC LIMIT 1" in sql for sql in statements)
