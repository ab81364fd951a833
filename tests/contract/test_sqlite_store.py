# ruff: noqa: S608 - the statements are this file's own
from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from contract.ledger_store_contract import CREATED, LEDGER, LedgerStoreContract, at, draft

from phasegate.ledger.entry import Draft
from phasegate.ledger.errors import (
    AppendError,
    EntryError,
    LedgerError,
    StoreBusy,
    StoreCorrupt,
    StoreExists,
    StoreFailed,
    StoreMissing,
    StoreReadOnly,
    UnsupportedSchema,
)
from phasegate.ledger.filelock import WriterLock
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite
from phasegate.ledger.store import Expect, Projection


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
        return [connection.execute(sql).fetchall() for sql in statements]
    finally:
        connection.close()


class TestSqliteStore(LedgerStoreContract):
    @pytest.fixture
    def store(self, path):
        store = SqliteStore.create(path, LEDGER, at=CREATED)
        yield store
        store.close()


def test_given_another_writer_then_an_end_it_knows_is_not_given_for_a_later_size(path, store):
    store.append([draft(1)], at=CREATED)
    with closing(SqliteStore.open(path)) as other:
        other.append([draft(2)], at=CREATED)
    assert store.head(at_least=1).size == 1
    assert store.head(at_least=2) == store.head()
    assert store.head().size == 2


def test_given_a_file_there_already_then_create_refuses_and_leaves_it(path):
    path.write_bytes(b"precious")
    with pytest.raises(StoreExists, match="exists already"):
        SqliteStore.create(path, LEDGER, at=CREATED)
    assert path.read_bytes() == b"precious"
    assert list(path.parent.iterdir()) == [path]


def test_given_no_folder_or_a_malformed_id_or_time_then_create_leaves_nothing(tmp_path):
    with pytest.raises(LedgerError, match="folder"):
        SqliteStore.create(tmp_path / "no" / "ledger.db", LEDGER, at=CREATED)
    with pytest.raises(EntryError, match="ledger id"):
        SqliteStore.create(tmp_path / "ledger.db", "", at=CREATED)
    with pytest.raises(AppendError, match="not a UTC time"):
        SqliteStore.create(tmp_path / "ledger.db", LEDGER, at="today")
    assert list(tmp_path.iterdir()) == []


def test_given_nothing_there_then_open_says_so(path):
    with pytest.raises(StoreMissing, match="no ledger"):
        SqliteStore.open(path)
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"x" * 5000, b"SQLite format 3\0" + b"\0" * 4080])
def test_given_a_file_that_is_no_ledger_then_open_says_so(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt):
        SqliteStore.open(path)


@pytest.mark.parametrize("version", ["1", "4", "6", ""])
def test_given_another_schema_version_then_open_asks_for_the_right_release(path, store, version):
    store.close()
    raw(path, f"UPDATE meta SET value = '{version}' WHERE name = 'schema_version'")
    with pytest.raises(UnsupportedSchema, match=f"schema version `{version}` is not 5; use the release"):
        SqliteStore.open(path)


def test_given_a_file_from_before_leases_then_its_version_is_named_and_not_what_it_lacks(path, store):
    store.close()
    raw(
        path,
        "DROP TABLE leases",
        "DELETE FROM meta WHERE name = 'clock_ms'",
        "UPDATE meta SET value = '1' WHERE name = 'schema_version'",
    )
    for opened in (SqliteStore.open, verify_sqlite):
        with pytest.raises(UnsupportedSchema, match="schema version `1`"):
            opened(path)


@pytest.mark.parametrize("row", ["ledger", "created_at", "head", "schema_version", "clock_ms"])
def test_given_a_meta_row_missing_then_open_names_it(path, store, row):
    store.close()
    raw(path, f"DELETE FROM meta WHERE name = '{row}'")
    with pytest.raises(StoreCorrupt, match=row):
        SqliteStore.open(path)


def test_given_two_stores_on_one_file_then_each_builds_on_the_others_entries(path, store):
    other = SqliteStore.open(path)
    for n in range(10):
        (store if n % 2 else other).append([draft(n)], at=at(n))
    assert [e.payload["number"] for e in store.entries()] == list(range(10))
    assert store.head() == other.head()
    assert other.ledger == LEDGER
    other.close()
    assert verify_sqlite(path).ok


def test_given_a_readonly_store_then_it_reads_what_others_write_and_writes_nothing(path, store):
    reader = SqliteStore.open(path, readonly=True)
    store.append([draft(1)], at=at(1), projections=[Projection("task", "IMP-1", b"1")])
    assert reader.head() == store.head()
    assert reader.projection("task", "IMP-1") == store.projection("task", "IMP-1")
    with pytest.raises(StoreReadOnly, match="reading"):
        reader.append([draft(2)], at=at(2))
    reader.close()
    assert store.head().size == 1


def test_given_a_reader_in_the_middle_of_its_iteration_then_writers_go_on(path, store):
    store.append([draft(n) for n in range(2000)], at=at(1))
    reader = SqliteStore.open(path, readonly=True)
    iterator = reader.entries()
    assert next(iterator).seq == 1
    for n in range(20):
        store.append([draft(n)], at=at(2))
    assert sum(1 for _ in iterator) == 1999
    reader.close()


def test_given_a_closed_ledger_then_the_log_stays_for_readers_of_another_user(path, store):
    store.append([draft()], at=at(1))
    store.close()
    assert Path(f"{path}-wal").exists()


def in_child(work):
    """Run in a forked child; return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_given_a_user_who_may_only_read_then_reading_and_verifying_work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    store = SqliteStore.create(folder / "ledger.db", LEDGER, at=CREATED)
    store.append([draft(n) for n in range(5)], at=at(1))
    store.close()
    for file in folder.iterdir():
        file.chmod(0o444)
    public = Path(tempfile.gettempdir())
    modes = [(p, stat.S_IMODE(p.stat().st_mode)) for p in (folder, *folder.parents) if public in p.parents]

    def read():
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        with SqliteStoreReading(folder / "ledger.db") as reader:
            if reader.head().size != 5:
                return 1
        return 0 if verify_sqlite(folder / "ledger.db").ok else 2

    try:
        for parent, _ in modes:
            parent.chmod(0o555)
        assert in_child(read) == 0
    finally:
        for parent, mode in modes:
            parent.chmod(mode)


class SqliteStoreReading:
    def __init__(self, path):
        self.store = SqliteStore.open(path, readonly=True)

    def __enter__(self):
        return self.store

    def __exit__(self, *_):
        self.store.close()


def test_given_only_a_copy_of_the_file_then_it_opens_for_reading(path, store, tmp_path):
    store.append([draft()], at=at(1))
    raw(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "copy" / "ledger.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    with SqliteStoreReading(copy) as reader:
        assert reader.head() == store.head()
    assert verify_sqlite(copy).ok


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_given_a_fork_then_parent_and_child_both_go_on(path, store):
    store.append([draft(0)], at=at(0))

    def work():
        for n in range(20):
            store.append([draft(n, task="CHILD")], at=at(1))
        return 0

    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    for n in range(20):
        store.append([draft(n, task="PARENT")], at=at(1))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(list(store.entries(task="CHILD"))) == len(list(store.entries(task="PARENT"))) == 20
    assert verify_sqlite(path).ok


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_given_a_forked_child_that_ends_the_ordinary_way_then_the_parents_store_is_unharmed(path):
    script = f"""
import os, sys
from contract.ledger_store_contract import *
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite
store = SqliteStore.create({str(path)!r}, LEDGER, at=CREATED)
store.append([draft(1)], at=at(1))
if os.fork() == 0:
    sys.exit(0)
os.wait()
store.append([draft(2)], at=at(2))
assert store.head().size == 2
store.close()
assert verify_sqlite({str(path)!r}).entries == 2
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_given_a_lock_held_elsewhere_then_the_append_gives_up_after_its_limit(path):
    store = SqliteStore.create(path, LEDGER, at=CREATED, lock_wait_ms=50)
    holder = WriterLock(Path(f"{path}-lock"))
    holder.acquire(0)
    with pytest.raises(StoreBusy, match="50 ms"):
        store.append([draft(1)], at=at(1))
    assert store.head().size == 0
    holder.release()
    holder.close()
    store.append([draft(2)], at=at(2))
    assert store.head().size == 1
    store.close()


def test_given_a_wait_in_the_queue_then_readers_of_the_same_object_do_not_wait(path):
    store = SqliteStore.create(path, LEDGER, at=CREATED, lock_wait_ms=60_000)
    holder = WriterLock(Path(f"{path}-lock"))
    holder.acquire(0)
    writer = threading.Thread(target=lambda: store.append([draft(1)], at=at(1)))
    writer.start()
    assert store.head().size == 0
    holder.release()
    holder.close()
    writer.join()
    assert store.head().size == 1
    store.close()


def test_given_writes_that_evade_the_store_then_the_next_append_refuses_to_build_on_them(path, store):
    store.append([draft(1), draft(2)], at=at(1))
    raw(
        path,
        "DROP TRIGGER entries_update",
        "UPDATE entries SET bytes = replace(CAST(bytes AS TEXT), '\"number\":2', '\"number\":3') WHERE 0",
        "UPDATE meta SET value = replace(value, '2 ', '1 ') WHERE name = 'head'",
    )
    with pytest.raises(StoreCorrupt, match="head"):
        store.append([draft(3)], at=at(2))
    assert store.head().size == 2


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE entries SET task = 'x' WHERE seq = 1", "no update"),
        ("UPDATE OR REPLACE entries SET seq = 2 WHERE seq = 1", "no update"),
        ("DELETE FROM entries", "no delete"),
        ("INSERT INTO entries VALUES (2, 'x', 'x', x'00')", "max \\+ 1"),
        ("INSERT INTO entries VALUES (5, 'x', 'x', x'00')", "max \\+ 1"),
        ("INSERT INTO entries VALUES (0, 'x', 'x', x'00')", "max \\+ 1"),
        ("INSERT INTO entries (task, type, bytes) VALUES ('x', 'x', x'00')", "max \\+ 1"),
        ("INSERT INTO entries VALUES (9223372036854775807, 'x', 'x', x'00')", "max \\+ 1"),
        ("REPLACE INTO entries VALUES (2, 'x', 'x', x'00')", "max \\+ 1"),
        ("INSERT OR IGNORE INTO entries VALUES (1, 'x', 'x', x'00')", "max \\+ 1"),
        (
            "INSERT INTO entries VALUES (1, 'x', 'x', x'00') ON CONFLICT (seq) DO UPDATE SET task = 'y'",
            "max \\+ 1",
        ),
    ],
)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_given_the_triggers_then_no_statement_changes_what_is_there(path, store, sql, message, recursive):
    store.append([draft(n) for n in range(3)], at=at(1))
    with pytest.raises(apsw.ConstraintError, match=message):
        raw(path, f"PRAGMA recursive_triggers={recursive}", sql)
    assert verify_sqlite(path).ok


def test_given_filters_then_the_index_answers_for_a_task_and_the_key_for_the_rest(path, store):
    def plan(where):
        sql = f"EXPLAIN QUERY PLAN SELECT seq FROM entries WHERE seq > 1 AND seq <= 9{where} ORDER BY seq LIMIT 512"
        return " ".join(row[3] for row in raw(path, sql)[0])

    assert "entries_by_task" in plan(" AND task = 'x'")
    assert "INTEGER PRIMARY KEY" in plan("")
    assert "TEMP B-TREE" not in plan(" AND task = 'x'") + plan("") + plan(" AND type = 'x'")


def test_given_a_disk_without_room_then_nothing_is_written_and_the_store_recovers(path, store):
    store.append([draft(1)], at=at(1))
    connection = store._file.cursor().connection
    pages = connection.execute("PRAGMA page_count").fetchall()[0][0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreFailed, match="full"):
        store.append([draft(n, payload={"x": "a" * 60_000}) for n in range(5)], at=at(2))
    connection.execute("PRAGMA max_page_count=1000000")
    (entry,) = store.append([draft(2)], at=at(3), expect=[Expect("task", "IMP-1", 0)])
    assert entry.seq == 2
    assert verify_sqlite(path).ok


def test_given_a_strange_but_valid_draft_then_it_survives_the_file(store):
    strange = Draft("Äß-1 ✓", "PHASE", 0, "t", "a" * 256, "t" * 128, {"": None, "t": "\0\x1f\x7f\u2028é😀"})
    (entry,) = store.append([strange], at=at(1))
    assert store.get(1) == entry
    assert list(store.entries(task="Äß-1 ✓")) == [entry]


def test_given_an_open_ledger_then_its_commits_are_durable(path, store):
    cursor = store._file.cursor()
    assert cursor.execute("PRAGMA synchronous").fetchall() == [(2,)]
    assert cursor.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
