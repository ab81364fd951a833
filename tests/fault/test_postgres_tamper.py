"""Attacks on a ledger in PostgreSQL: each is refused, or is a named problem; none a traceback, none passes."""

# ruff: noqa: S608 - the statements are this file's own
from __future__ import annotations

import random
from contextlib import closing, suppress

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")

import psycopg
from contract.ledger_store_contract import CREATED, LEDGER, at, draft
from postgres_server import run, unguarded

from phasegate.ledger.chain import extend
from phasegate.ledger.entry import ZERO_HASH
from phasegate.ledger.errors import StoreCorrupt, StoreFailed, StoreMissing
from phasegate.ledger.leases import Fence
from phasegate.ledger.postgres import PostgresStore
from phasegate.ledger.postgres_admin import grant_postgres
from phasegate.ledger.postgres_place import locate
from phasegate.ledger.postgres_verify import verify_postgres
from phasegate.ledger.store import Expect, Projection

pytestmark = pytest.mark.attack

ENTRIES = 300
SEED = 8785


@pytest.fixture
def store(dsn):
    store = PostgresStore.create(dsn, LEDGER, at=CREATED)
    store.append(
        [
            draft(n, task=f"T-{n % 3}", payload={"note": f"note {n} of many, é"})
            for n in range(1, ENTRIES + 1)
        ],
        at=at(1),
    )
    yield store
    store.close()


@pytest.fixture
def path(dsn, store):
    """The DSN of a ledger of 300 entries."""
    return dsn


def problem(dsn):
    found = verify_postgres(dsn)
    assert not found.ok
    assert found.problem is not None
    return found.problem


def test_given_nothing_done_then_it_verifies_and_says_what_it_cannot_rule_out(path, store):
    found = verify_postgres(path)
    assert (found.ok, found.entries, found.problem) == (True, ENTRIES, None)
    assert found.root == store.frontier().root()
    assert [item.split(":")[0] for item in found.not_ruled_out] == ["truncation", "rewrite", "fork"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entries SET task = 'x' WHERE seq = 1",
        "UPDATE entries SET bytes = bytes WHERE false",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE false",
        "TRUNCATE entries",
        "TRUNCATE entries, tiles, head CASCADE",
        f"INSERT INTO entries VALUES ({ENTRIES + 2}, 'x', 'x', '')",
        f"INSERT INTO entries VALUES ({ENTRIES}, 'x', 'x', '')",
        "INSERT INTO entries VALUES (0, 'x', 'x', '')",
        "INSERT INTO entries VALUES (-1, 'x', 'x', '')",
        "INSERT INTO entries VALUES (9223372036854775807, 'x', 'x', '')",
        "INSERT INTO entries VALUES (1, 'x', 'x', '') ON CONFLICT (seq) DO UPDATE SET task = 'y'",
        f"INSERT INTO entries SELECT {ENTRIES} + 2 * n, 'x', 'x', '' FROM generate_series(1, 3) n",
        "MERGE INTO entries e USING (SELECT 1 AS n) s ON e.seq = s.n WHEN MATCHED THEN UPDATE SET task = 'y'",
        "MERGE INTO entries e USING (SELECT 1 AS n) s ON e.seq = s.n WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM entries RETURNING 1) SELECT count(*) FROM gone",
        "UPDATE tiles SET root = root",
        "DELETE FROM tiles",
        "TRUNCATE tiles",
        "INSERT INTO tiles SELECT level, number + 2, root, hashes FROM tiles",
        "UPDATE head SET size = 299",
        "UPDATE head SET ledger = 'other'",
        "UPDATE head SET created_at = at",
        "UPDATE head SET clock_ms = clock_ms - 1",
        "DELETE FROM head",
        "TRUNCATE head",
    ],
)
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_given_the_triggers_then_no_statement_of_the_owner_changes_what_is_there(path, sql, role):
    """Not even as a superuser that plays a replica, which ordinary triggers do not fire for."""
    with pytest.raises((psycopg.errors.RaiseException, psycopg.errors.CheckViolation)):
        run(path, f"SET session_replication_role TO {role}", sql)
    assert verify_postgres(path).ok


def test_given_a_table_of_the_same_name_in_front_then_the_trigger_still_sees_the_real_one(path):
    for decoy in (
        "CREATE TEMP TABLE entries (seq bigint)",
        "SET search_path TO pg_temp, public",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="max \\+ 1"):
            run(
                path,
                "CREATE TEMP TABLE entries (seq bigint)",
                decoy if decoy.startswith("SET") else "SELECT 1",
                "INSERT INTO pg_temp.entries VALUES (900)",
                f"INSERT INTO {locate(path).schema}.entries VALUES (901, 'x', 'x', '')",
            )


@pytest.mark.parametrize("seq", [1, 150, ENTRIES - 1, ENTRIES])
def test_given_one_byte_of_an_entry_changed_with_the_triggers_off_then_it_is_named(path, seq):
    chosen = random.Random(SEED + seq)
    ((data,),) = run(path, f"SELECT bytes FROM entries WHERE seq = {seq}")[0]
    for place in sorted(chosen.sample(range(len(data)), 4)):
        changed = bytearray(data)
        changed[place] ^= chosen.randrange(1, 256)
        unguarded(path, f"UPDATE entries SET bytes = '\\x{changed.hex()}' WHERE seq = {seq}")
        # A changed entry that still is canonical JSON shows at the next one, whose link breaks.
        assert problem(path).seq in (seq, seq + 1), (place, changed)
    unguarded(path, f"UPDATE entries SET bytes = '\\x{data.hex()}' WHERE seq = {seq}")
    assert verify_postgres(path).ok


@pytest.mark.parametrize(
    ("statements", "seq", "code"),
    [
        (["DELETE FROM entries"], 1, "truncated"),
        (["UPDATE entries SET type = 'other' WHERE seq = 300"], 300, "column_mismatch"),
        (["UPDATE head SET size = 299, nodes = decode(repeat('ab', 160), 'hex')"], 299, "head_mismatch"),
        ([f"UPDATE head SET hash = '{ZERO_HASH}'"], 300, "head_mismatch"),
        (["UPDATE head SET ledger = 'other'"], 1, "foreign_ledger"),
        (["UPDATE head SET size = 301"], None, "store_corrupt"),
        (["UPDATE head SET nodes = ''"], None, "store_corrupt"),
        (["UPDATE head SET nodes = decode(repeat('ab', 32 * 4), 'hex')"], None, "tree_mismatch"),
        (["UPDATE tiles SET root = decode(repeat('ab', 32), 'hex')"], None, "tile_mismatch"),
        (["UPDATE tiles SET hashes = decode(repeat('ab', 8192), 'hex')"], None, "tile_mismatch"),
        (["DELETE FROM tiles"], None, "tile_mismatch"),
        (["INSERT INTO tiles SELECT 1, 0, root, hashes FROM tiles"], None, "tile_mismatch"),
    ],
)
def test_given_rows_changed_with_the_triggers_off_then_it_is_named(path, statements, seq, code):
    unguarded(path, *statements)
    found = problem(path)
    assert (found.seq, found.code) == (seq, code)


def test_given_another_ledgers_id_asked_for_then_it_is_not_found(path):
    with pytest.raises(StoreMissing, match="holds the ledger"):
        verify_postgres(path, ledger="third")


def test_given_an_entry_inserted_at_the_end_then_the_recorded_head_does_not_know_it(path, store):
    (forged,) = extend(store.head(), [draft(99)], at=at(50), ledger=LEDGER)
    # The triggers allow this one: its number is max + 1.
    run(
        path,
        f"INSERT INTO entries VALUES ({forged.seq}, '{forged.task}', '{forged.type}', '\\x{forged.bytes.hex()}')",
    )
    found = problem(path)
    assert (found.seq, found.code) == (ENTRIES + 1, "head_mismatch")
    with pytest.raises(StoreCorrupt, match="head"):
        store.append([draft(1)], at=at(51))


def test_given_garbage_inserted_then_it_is_named(path):
    run(path, f"INSERT INTO entries VALUES ({ENTRIES + 1}, 'T', 't', '{{}}')")
    found = problem(path)
    assert (found.seq, found.code) == (ENTRIES + 1, "bad_entry")


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("DROP TRIGGER entries_update ON entries", "entries_update"),
        ("ALTER TABLE entries DISABLE TRIGGER entries_delete", "entries_delete"),
        ("ALTER TABLE entries ENABLE TRIGGER entries_delete", "entries_delete"),
        ("ALTER TABLE entries ENABLE REPLICA TRIGGER entries_insert", "entries_insert"),
        ("ALTER TABLE leases DISABLE TRIGGER ALL", "leases"),
        ("DROP TRIGGER tiles_truncate ON tiles", "tiles_truncate"),
        (
            "CREATE OR REPLACE FUNCTION @.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "refuse",
        ),
        ("ALTER FUNCTION @.entries_follow() SECURITY DEFINER", "entries_follow"),
        ("ALTER FUNCTION @.entries_follow() SET search_path TO public", "entries_follow"),
        ("CREATE RULE skip AS ON INSERT TO entries DO INSTEAD NOTHING", "skip"),
        ("ALTER TABLE entries ENABLE ROW LEVEL SECURITY", "entries"),
        ("CREATE POLICY hide ON entries USING (seq < 5)", "hide"),
        ("ALTER TABLE entries DROP CONSTRAINT entries_pkey", "entries_pkey"),
        ("ALTER TABLE leases DROP CONSTRAINT leases_epoch_check", "leases_epoch_check"),
        ("DROP INDEX entries_by_task", "entries_by_task"),
        ("CREATE INDEX more ON entries (type)", "more"),
        ("CREATE TABLE extra (n integer)", "extra"),
        ("CREATE VIEW looking AS SELECT 1", "looking"),
        ("CREATE TABLE more () INHERITS (entries)", "more"),
        ("ALTER TABLE entries ADD COLUMN note text", "note"),
        ("ALTER TABLE entries ALTER COLUMN seq SET DEFAULT 5", "seq of entries"),
        ("ALTER TABLE projections SET UNLOGGED", "projections"),
        (
            "CREATE TRIGGER a_first BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION @.refuse('no')",
            "a_first",
        ),
        ("UPDATE migrations SET digest = 'x'", "other migrations"),
    ],
)
def test_given_the_schema_changed_then_verify_names_what(path, sql, named):
    run(path, sql.replace("@", locate(path).schema))
    found = problem(path)
    assert (found.seq, found.code) == (None, "schema_changed")
    assert named in found.message


def test_given_a_ledger_in_pieces_then_verify_says_so_and_raises_nothing(path):
    for sql in ("ALTER TABLE entries RENAME COLUMN bytes TO octets", "DROP TABLE entries CASCADE"):
        run(path, sql)
        assert problem(path).code == "store_corrupt"
    run(path, "ALTER TABLE head DISABLE TRIGGER ALL", "DELETE FROM head")
    assert problem(path).code == "store_corrupt"


@pytest.fixture
def roles(postgres, dsn):
    """Names of an owner that may make schemas, a writer and a reader."""
    names = {name: f"{locate(dsn).schema}_{name}" for name in ("owner", "writer", "reader", "stranger")}
    run(postgres.dsn, *(f"CREATE ROLE {name} LOGIN" for name in names.values()))
    run(postgres.dsn, f"GRANT CREATE ON DATABASE postgres TO {names['owner']}")
    yield names
    for name in names.values():
        run(postgres.dsn, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@pytest.fixture
def ledger(dsn, roles):
    """A ledger of one entry with its rights granted: a DSN for each role."""
    dsns = {name: dsn.replace("//postgres:", f"//{role}:") for name, role in roles.items()}
    with closing(PostgresStore.create(dsns["owner"], LEDGER, at=CREATED)) as store:
        store.append([draft(1)], at=at(1))
    grant_postgres(dsns["owner"], roles["writer"])
    grant_postgres(dsns["owner"], roles["reader"], reading=True)
    return dsns


def test_given_a_writer_then_it_does_all_that_a_store_does_and_no_more(ledger):
    with closing(PostgresStore.open(ledger["writer"])) as store:
        lease = store.lease_acquire("IMP-1", "PLAN", "a", now_ms=0, ttl_ms=100)
        store.append(
            [draft(n) for n in range(300)],
            at=at(1),
            projections=[Projection("task", "IMP-1", b"1")],
            expect=[Expect("task", "IMP-1", 0)],
            fence=Fence("IMP-1", "PLAN", lease.epoch, 1, "a"),
        )
        store.append([draft()], at=at(1), projections=[Projection("task", "IMP-1", None)])
        store.lease_release("IMP-1", "PLAN", "a", lease.epoch, now_ms=2)
        assert store.tile(0, 0) is not None
    for sql in (
        "UPDATE entries SET task = 'x'",
        "DELETE FROM entries",
        "TRUNCATE entries",
        "UPDATE tiles SET root = root",
        "DELETE FROM tiles",
        "DELETE FROM head",
        "UPDATE head SET ledger = 'x'",
        "UPDATE head SET created_at = at",
        "DELETE FROM leases",
        "UPDATE leases SET task = 'x'",
        "INSERT INTO migrations VALUES (9, 'x')",
        "ALTER TABLE entries DISABLE TRIGGER ALL",
        "SET session_replication_role TO replica",
        "DROP TRIGGER entries_update ON entries",
        "CREATE TABLE more (n integer)",
        "CREATE TRIGGER mine BEFORE INSERT ON entries EXECUTE FUNCTION refuse()",
        "BEGIN; LOCK TABLE entries IN ACCESS EXCLUSIVE MODE",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(ledger["writer"], sql)
    for name in ("owner", "writer", "reader"):
        assert verify_postgres(ledger[name]).ok


def test_given_a_reader_then_it_reads_and_verifies_and_writes_nothing(ledger):
    with closing(PostgresStore.open(ledger["reader"], readonly=True)) as store:
        assert (store.head().size, store.frontier().size, store.lease("T", "P")) == (1, 1, None)
    with closing(PostgresStore.open(ledger["reader"])) as store:
        with pytest.raises(StoreFailed, match="have the owner grant"):
            store.append([draft(2)], at=at(1))
        with pytest.raises(StoreFailed, match="have the owner grant"):
            store.lease_acquire("T", "P", "a", now_ms=0, ttl_ms=1)
        assert store.head().size == 1


def test_given_a_stranger_then_nothing_is_shown_and_the_remedy_is_told(ledger, roles):
    for use in (PostgresStore.open, verify_postgres):
        with pytest.raises(StoreFailed, match="permission denied.*have the owner grant"):
            use(ledger["stranger"])
    with pytest.raises(StoreFailed, match="permission denied"):
        grant_postgres(ledger["writer"], roles["stranger"])
    with pytest.raises(StoreFailed, match="there is no role `nobody_at_all`"):
        grant_postgres(ledger["owner"], "nobody_at_all")
    with pytest.raises(StoreMissing, match="there is no ledger"):
        grant_postgres(ledger["owner"], roles["reader"], schema="elsewhere")


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("GRANT UPDATE ON entries TO {writer}", "`UPDATE` on `entries`"),
        ("GRANT UPDATE (task) ON entries TO {writer}", "`UPDATE` on `entries.task`"),
        ("GRANT DELETE ON entries TO PUBLIC", "`DELETE` on `entries`"),
        ("GRANT TRUNCATE ON entries TO {reader}", "`TRUNCATE` on `entries`"),
        ("GRANT TRIGGER ON entries TO {writer}", "`TRIGGER` on `entries`"),
        ("GRANT UPDATE ON head TO {writer}", "`UPDATE` on `head`"),
        ("GRANT DELETE ON leases TO {writer}", "`DELETE` on `leases`"),
        ("GRANT CREATE ON SCHEMA {schema} TO {writer}", "`CREATE` on `schema`"),
        ("ALTER TABLE entries OWNER TO {writer}", "`OWNER` on `entries"),
        ("ALTER FUNCTION {schema}.refuse() OWNER TO {writer}", "`OWNER` on `refuse`"),
    ],
)
def test_given_more_rights_than_a_writer_needs_then_verify_names_them(dsn, ledger, roles, sql, named):
    run(dsn, sql.format(schema=locate(dsn).schema, **roles))
    found = problem(dsn)
    assert found.code == "privileges_changed"
    assert named in found.message


def test_given_a_role_whose_name_needs_quoting_then_it_is_granted_its_rights(postgres, dsn):
    PostgresStore.create(dsn, LEDGER, at=CREATED).close()
    with suppress(psycopg.Error):
        run(postgres.dsn, 'CREATE ROLE "x"";y @schema@" LOGIN')
    grant_postgres(dsn, 'x";y @schema@')
    (rows,) = run(dsn, """SELECT has_table_privilege('x";y @schema@', 'entries', 'INSERT')""")
    assert rows == [(True,)]
    run(postgres.dsn, 'DROP OWNED BY "x"";y @schema@"', 'DROP ROLE "x"";y @schema@"')
