"""The PostgreSQL store: the contract, and what only a server can do."""

# ruff: noqa: S608 - the statements are this file's own
from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")

import psycopg
from contract.ledger_store_contract import CREATED, LEDGER, LedgerStoreContract, at, draft
from postgres_server import run

from phasegate.ledger import postgres_schema
from phasegate.ledger.entry import Draft
from phasegate.ledger.errors import (
    AppendError,
    EntryError,
    LedgerError,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreExists,
    StoreFailed,
    StoreMissing,
    StoreReadOnly,
    UnsupportedSchema,
)
from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.postgres_admin import migrate_postgres
from phasegate.ledger.postgres_place import locate, schema_of
from phasegate.ledger.postgres_schema import shipped_lines, stored_lines, text_of
from phasegate.ledger.postgres_verify import verify_postgres
from phasegate.ledger.store import Expect, Projection


@pytest.fixture
def store(dsn):
    store = PostgresStore.create(dsn, LEDGER, at=CREATED)
    yield store
    store.close()


class TestPostgresStore(LedgerStoreContract):
    @pytest.fixture
    def store(self, dsn):
        store = PostgresStore.create(dsn, LEDGER, at=CREATED)
        yield store
        store.close()


@pytest.mark.slow
def test_given_a_tile_of_tiles_then_it_is_stored_too(dsn, store):
    for _ in range(16):
        store.append([draft(n) for n in range(4096)], at=at(1))
    tile = store.tile(1, 0)
    assert tile.hashes[:32] == store.tile(0, 0).root
    assert tile.root == store.frontier().root()
    assert verify_postgres(dsn).root == tile.root


def test_given_places_where_no_tile_can_be_then_there_is_none(store):
    for place in ((-1, 0), (0, -1), (0, 2**70), (2**70, 0)):
        assert store.tile(*place) is None
    assert store.leaves(-5, 2**70) == store.leaves(7, 3) == []


def test_given_a_recorded_tree_of_another_size_then_reading_and_appending_say_so(dsn, store):
    store.append([draft(n) for n in range(10)], at=at(1))
    run(dsn, "UPDATE head SET nodes = nodes || nodes")
    for use in (store.frontier, store.head, lambda: store.append([draft()], at=at(1))):
        with pytest.raises(StoreCorrupt, match="frontier"):
            use()


def test_given_an_entry_missing_under_a_tile_then_the_append_that_fills_it_says_so(dsn, store):
    store.append([draft(n) for n in range(255)], at=at(1))
    run(dsn, "ALTER TABLE entries DISABLE TRIGGER ALL", "DELETE FROM entries WHERE seq = 7")
    with pytest.raises(StoreCorrupt, match="lacks hashes"):
        store.append([draft()], at=at(1))
    assert store.head().size == 255


def test_given_a_schema_there_already_then_create_refuses_and_leaves_it(dsn, store):
    store.append([draft(1)], at=at(1))
    with pytest.raises(StoreExists, match="schema `test_[0-9]+` already"):
        PostgresStore.create(dsn, LEDGER, at=CREATED)
    assert store.head().size == 1


def test_given_a_malformed_id_or_time_or_schema_then_create_leaves_nothing(dsn):
    schema = locate(dsn).schema
    with pytest.raises(EntryError, match="ledger id"):
        PostgresStore.create(dsn, "", at=CREATED)
    with pytest.raises(AppendError, match="not a UTC time"):
        PostgresStore.create(dsn, LEDGER, at="today")
    for schema in ("pg_mine", 'a"b', "1a", "x" * 64, "A"):
        with pytest.raises(StoreFailed, match="cannot be a schema"):
            PostgresStore.create(dsn, LEDGER, at=CREATED, schema=schema)
    assert run(dsn, f"SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'") == [[(0,)]]


def test_given_a_migration_that_fails_then_create_leaves_nothing(dsn, monkeypatch):
    text = postgres_schema.text_of

    def broken(name):
        return text(name) + ("SELECT 1/0;" if name == "0001_ledger.sql" else "")

    monkeypatch.setattr(postgres_schema, "text_of", broken)
    with pytest.raises(StoreFailed, match="division by zero"):
        PostgresStore.create(dsn, LEDGER, at=CREATED)
    with pytest.raises(StoreMissing, match="no ledger"):
        PostgresStore.open(dsn)


def test_given_nothing_there_then_open_says_so(database):
    for name in ({}, {"ledger": LEDGER}, {"schema": "public"}):
        with pytest.raises(StoreMissing, match="there is no ledger"):
            PostgresStore.open(database, **name)
    with pytest.raises(StoreError, match=r"does not exist"):
        PostgresStore.open(database.replace("/test_", "/nowhere_"))


def test_given_several_ledgers_in_one_database_then_each_is_apart_and_has_to_be_named(database):
    PostgresStore.create(database, LEDGER, at=CREATED).close()
    schema = schema_of(LEDGER)
    with closing(PostgresStore.open(database)) as only:
        assert (only.ledger, only.place.schema) == (LEDGER, schema)
    with closing(PostgresStore.create(database, "Other / one", at=CREATED, schema="elsewhere")) as other:
        other.append([draft(1)], at=at(1))
        assert other.head().size == 1
    with pytest.raises(StoreMissing, match=f"2 ledgers .*`elsewhere`, `{schema}`.*name one"):
        PostgresStore.open(database)
    with pytest.raises(StoreMissing, match="holds the ledger `Other / one`, not `third`"):
        PostgresStore.open(database, "third", schema="elsewhere")
    for opened in (
        PostgresStore.open(database, schema="elsewhere"),
        PostgresStore.open(f"{database}&schema=elsewhere"),
        PostgresStore.open(f"{database}&schema=elsewhere&ledger=Other%20%2F%20one"),
    ):
        with closing(opened):
            assert opened.ledger == "Other / one"
    assert verify_postgres(database, schema="elsewhere").entries == 1
    assert verify_postgres(f"{database}&ledger={LEDGER}").entries == 0


def test_given_ids_that_look_alike_then_their_schemas_differ():
    names = {schema_of(name) for name in ("a b", "a-b", "A b", "a", "é", "ö", "x" * 128, "x" * 127, "_")}
    assert len(names) == 9
    assert all(len(name) <= 63 and locate("", schema=name).schema == name for name in names)


def test_given_a_database_that_a_newer_release_migrated_then_nothing_opens_it(dsn, store):
    run(dsn, "INSERT INTO migrations VALUES (2, 'x')")
    for use in (PostgresStore.open, verify_postgres, migrate_postgres):
        with pytest.raises(UnsupportedSchema, match=r"version 2 .* is newer than 1; use the release"):
            use(dsn)


def test_given_a_migration_that_is_missing_then_the_owner_applies_it_once(dsn, store, monkeypatch):
    text = postgres_schema.text_of
    monkeypatch.setattr(postgres_schema, "MIGRATIONS", ("0001_ledger", "0002_more"))
    monkeypatch.setattr(
        postgres_schema,
        "text_of",
        lambda name: "CREATE TABLE @schema@.more (n integer)" if name == "0002_more.sql" else text(name),
    )
    with pytest.raises(UnsupportedSchema, match="older than 2; have the owner run `engine ledger migrate`"):
        PostgresStore.open(dsn)
    done = []
    threads = [threading.Thread(target=lambda: done.append(migrate_postgres(dsn))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 0, 0, 1]
    PostgresStore.open(dsn).close()
    assert run(dsn, "SELECT version FROM migrations ORDER BY 1", "SELECT count(*) FROM more") == [
        [(1,), (2,)],
        [(0,)],
    ]


def test_given_a_fresh_ledger_then_its_description_is_the_shipped_one_whatever_the_schemas_name(database):
    for schema in (None, "user", "entries"):
        with closing(PostgresStore.create(database, LEDGER, at=CREATED, schema=schema)) as store:
            assert stored_lines(store._reader.connection(), store.place.schema) == shipped_lines()
            assert verify_postgres(database, LEDGER, schema=store.place.schema).ok


def test_given_the_shipped_files_then_nothing_in_them_is_left_to_a_search_path():
    for name in ("0001_ledger.sql", "grant_writing.sql", "grant_reading.sql"):
        text = text_of(name)
        for table in ("entries", "leases", "head", "tiles", "projections", "migrations"):
            for word in ("ON", "FROM", "TABLE", "INTO", "UPDATE", "JOIN"):
                assert f"{word} {table}" not in text


@pytest.mark.parametrize("row", ["head", "migrations"])
def test_given_a_row_missing_then_open_says_so(dsn, store, row):
    run(dsn, f"ALTER TABLE {row} DISABLE TRIGGER ALL", f"DELETE FROM {row}")
    with pytest.raises((StoreCorrupt, UnsupportedSchema)):
        PostgresStore.open(dsn)


def test_given_two_stores_then_each_builds_on_the_others_entries(dsn, store):
    with closing(PostgresStore.open(dsn)) as other:
        for n in range(10):
            (store if n % 2 else other).append([draft(n)], at=at(n))
        assert [e.payload["number"] for e in store.entries()] == list(range(10))
        assert store.head() == other.head()
        assert store.head(at_least=10).size == 10
    assert verify_postgres(dsn).ok


def test_given_a_readonly_store_then_it_reads_what_others_write_and_writes_nothing(dsn, store):
    with closing(PostgresStore.open(dsn, readonly=True)) as reader:
        store.append([draft(1)], at=at(1), projections=[Projection("task", "IMP-1", b"1")])
        assert reader.head() == store.head()
        assert reader.projection("task", "IMP-1") == store.projection("task", "IMP-1")
        with pytest.raises(StoreReadOnly, match="reading"):
            reader.append([draft(2)], at=at(2))
        with pytest.raises(StoreReadOnly):
            reader._reader.query("DELETE FROM projections RETURNING 1")
    assert store.head().size == 1


def test_given_another_writer_in_the_way_then_the_append_gives_up_after_its_limit(dsn, store):
    with (
        closing(PostgresStore.open(dsn, lock_wait_ms=50)) as impatient,
        psycopg.connect(**locate(dsn).parameters) as holder,
    ):
        holder.execute(f"SELECT 1 FROM {locate(dsn).schema}.head FOR UPDATE")
        with pytest.raises(StoreBusy, match="another writer"):
            impatient.append([draft(1)], at=at(1))
        # Readers of the same object do not wait.
        assert impatient.head().size == 0
        holder.rollback()
        impatient.append([draft(2)], at=at(1))
    assert store.head().size == 1


def test_given_a_writer_that_stops_within_its_transaction_then_the_server_ends_it(dsn, store):
    assert store._writer.query("SHOW idle_in_transaction_session_timeout") == [("10s",)]
    store._writer.connection().execute("SET idle_in_transaction_session_timeout TO 50")
    entered = []

    def slow(entries):
        entered.append(1)
        if len(entered) == 1:
            threading.Event().wait(0.3)
        return [Projection("task", "IMP-1", b"1")]

    (entry,) = store.append([draft(1)], at=at(1), projections=slow)
    assert (entry.seq, store.head().size, len(entered)) == (1, 1, 2)


def test_given_an_open_ledger_then_its_commits_are_durable_whatever_the_default(database):
    PostgresStore.create(database, LEDGER, at=CREATED).close()
    name = locate(database).parameters["dbname"]
    for default, expected in (("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")):
        run(database, f"ALTER DATABASE {name} SET synchronous_commit TO {default}")
        with closing(PostgresStore.open(database)) as again:
            assert again._writer.query("SHOW synchronous_commit") == [(expected,)]


def test_given_a_default_of_serializable_or_a_strange_path_then_appends_go_on_alike(database):
    name = locate(database).parameters["dbname"]
    run(
        database,
        f"ALTER DATABASE {name} SET default_transaction_isolation TO 'serializable'",
        f"ALTER DATABASE {name} SET search_path TO public",
        f"ALTER DATABASE {name} SET timezone TO 'Asia/Kathmandu'",
        f"ALTER DATABASE {name} SET bytea_output TO 'escape'",
    )

    PostgresStore.create(database, LEDGER, at=CREATED).close()

    def work(name):
        with closing(PostgresStore.open(database)) as own:
            for n in range(20):
                own.append([draft(n, task=name)], at=at(1))

    threads = [threading.Thread(target=work, args=(f"T-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verify_postgres(database)
    assert (found.ok, found.entries) == (True, 60)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_given_a_fork_then_parent_and_child_both_go_on(dsn, store):
    store.append([draft(0)], at=at(0))
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            for n in range(20):
                store.append([draft(n, task="CHILD")], at=at(1))
            store.close()
            code = 0
        finally:
            os._exit(code)
    for n in range(20):
        store.append([draft(n, task="PARENT")], at=at(1))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(list(store.entries(task="CHILD"))) == len(list(store.entries(task="PARENT"))) == 20
    assert verify_postgres(dsn).ok


def test_given_writes_that_evade_the_store_then_the_next_append_refuses_to_build_on_them(dsn, store):
    store.append([draft(1), draft(2)], at=at(1))
    run(dsn, "INSERT INTO entries VALUES (3, 'x', 'x', '\\x00')")
    with pytest.raises(StoreCorrupt, match="recorded head"):
        store.append([draft(3)], at=at(2))
    assert store.head().size == 2


def test_given_a_strange_but_valid_draft_then_it_survives_the_server(store):
    strange = Draft("Äß-1 ✓", "PHASE", 0, "t", "a" * 256, "t" * 128, {"": None, "t": "\0\x1f\x7f\u2028é😀"})
    (entry,) = store.append([strange], at=at(1))
    assert store.get(1) == entry
    assert list(store.entries(task="Äß-1 ✓")) == [entry]


def test_given_a_time_on_the_server_then_entries_keep_the_one_that_was_given(store):
    (entry,) = store.append([draft()], at=at(1))
    assert entry.at == at(1)


def test_given_a_failing_write_then_nothing_is_written_and_the_store_goes_on(dsn, store):
    store.append([draft(1)], at=at(1))
    run(dsn, "ALTER TABLE projections ADD CONSTRAINT never CHECK (key <> 'bad')")
    with pytest.raises(StoreCorrupt, match="something else wrote"):
        store.append([draft(2)], at=at(2), projections=[Projection("task", "bad", b"secret body")])
    (entry,) = store.append([draft(3)], at=at(3), expect=[Expect("task", "bad", 0)])
    assert entry.seq == 2


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://anna:s3cret@/%zz",
        "postgresql://anna:s3cret@localhost:notaport/x",
        "postgresql://anna:s3cret@localhost:1/x?what=1",
        "postgresql://anna:s3cret@127.0.0.1:1/x",
        "host=127.0.0.1 port=1 user=anna password=s3cret dbname=x",
        "host=127.0.0.1 port=1 user=anna password='s3cret dbname=x",
        "postgresql:/anna:s3cret@x",
        "anna:s3cret@x",
    ],
)
def test_given_a_dsn_that_leads_nowhere_then_no_message_holds_its_password(dsn):
    for use in (
        PostgresStore.open,
        verify_postgres,
        lambda dsn: PostgresStore.create(dsn, LEDGER, at=CREATED),
    ):
        with pytest.raises(LedgerError) as caught:
            use(dsn)
        error = caught.value
        assert "s3cret" not in f"{error!r} {error} {error.__cause__}"
        assert error.__suppress_context__ or error.__context__ is None


def test_given_a_place_then_what_is_printed_of_it_has_no_password():
    place = locate("postgresql://anna:s3cret@db.example:5433/ledgers?schema=mine&sslmode=require")
    assert (place.schema, place.parameters["sslmode"]) == ("mine", "require")
    assert place.label == "anna@db.example:5433/ledgers"
    assert "s3cret" not in repr(place)
    assert place.clean("FATAL:  s3cret\nis wrong") == "fatal: *** is wrong"


def test_given_a_server_that_refuses_then_no_parameter_of_a_statement_is_told(dsn, store):
    run(dsn, "DROP TABLE projections")
    with pytest.raises(StoreCorrupt) as caught:
        store.append([draft()], at=at(1), projections=[Projection("task", "x", b"secret body")])
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_given_no_driver_then_the_remedy_is_told_and_nothing_else_needs_it():
    script = """
import sys
sys.modules["psycopg"] = None
import phasegate.ledger
from phasegate.ledger.errors import StoreFailed
assert phasegate.ledger.SqliteStore and phasegate.ledger.verify_sqlite
for name in ("PostgresStore", "verify_postgres", "grant_postgres", "migrate_postgres"):
    try:
        getattr(phasegate.ledger, name)
    except StoreFailed as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.count("pip install 'phasegate[postgres]'") == 4


def test_given_the_rest_of_the_ledger_then_it_does_not_load_the_driver():
    script = "import sys, phasegate.ledger.sqlite, phasegate.ledger.verify; print('psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
