"""The file around the ledger: SQLite's version, the shipped schema, the writers' lock, the package."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

import phasegate.ledger
from phasegate.ledger.errors import StoreBusy, StoreCorrupt, StoreFailed, UnsupportedSqlite
from phasegate.ledger.filelock import WriterLock, read_mark
from phasegate.ledger.schema import (
    OBJECTS,
    check_sqlite,
    read_head,
    shipped_objects,
    statement,
    translate,
    write_head,
)


def test_given_a_writer_that_stands_still_amid_the_log_s_index_then_it_is_busy_and_nothing_is_broken():
    assert isinstance(translate(apsw.ProtocolError("locking protocol"), Path("l.db")), StoreBusy)


@pytest.mark.parametrize(
    "version",
    ["3.6.23", "3.7.0", "3.40.1", "3.44.5", "3.45.0", "3.50.6", "3.51.0", "3.51.2", "3.43.9", "2.8.17"],
)
def test_given_a_sqlite_that_can_lose_writes_then_it_is_refused(version):
    with pytest.raises(UnsupportedSqlite, match=version):
        check_sqlite(version)


@pytest.mark.parametrize(
    "version", ["3.44.6", "3.50.7", "3.51.3", "3.52.0", "4.0.0", apsw.sqlite_lib_version()]
)
def test_given_a_sound_sqlite_then_a_store_opens(version, tmp_path, monkeypatch):
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    store = phasegate.ledger.SqliteStore.create(tmp_path / "l.db", "L", at="2026-01-01T00:00:00.000000Z")
    assert store.head().size == 0
    store.close()


def test_given_an_unsound_library_then_no_store_opens(tmp_path, monkeypatch):
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(UnsupportedSqlite):
        phasegate.ledger.SqliteStore.create(tmp_path / "l.db", "L", at="2026-01-01T00:00:00.000000Z")
    assert list(tmp_path.iterdir()) == []


def test_given_the_shipped_schema_then_each_file_holds_one_object_of_its_name():
    named = {f"{kind}_{name}": (kind, name) for kind, name, _, _ in shipped_objects()}
    assert set(named) == set(OBJECTS)
    for name in OBJECTS:
        assert statement(name).count("CREATE ") == 1


@pytest.mark.parametrize(
    "text", ["", "1", "1 2 3", f"01 {'0' * 64} 2026-01-01T00:00:00.000000Z", f"1 {'0' * 63} x", "1 " * 50]
)
def test_given_a_head_that_is_not_one_then_it_is_refused(text):
    with pytest.raises(StoreCorrupt, match="head"):
        read_head(text)


def test_given_a_head_then_it_survives_being_written():
    head = phasegate.ledger.Head(7, "ab" * 32, "2026-01-01T00:00:00.000000Z")
    assert read_head(write_head(head)) == head


def test_given_a_lock_held_then_another_waits_gives_up_and_gets_it_later(tmp_path):
    first, second = WriterLock(tmp_path / "lock"), WriterLock(tmp_path / "lock")
    first.acquire(0)
    with pytest.raises(StoreBusy, match="more than 20 ms"):
        second.acquire(20)
    # The wait that was given up must not take the lock behind everybody's back.
    first.release()
    second.acquire(10_000)
    with pytest.raises(StoreBusy):
        first.acquire(0)
    second.release()
    # An abandoned wait may hold it for the moment it needs to drop it.
    first.acquire(10_000)
    first.close()
    second.acquire(10_000)
    second.close()
    second.close()


def test_given_a_lock_then_every_waiter_gets_it_once_from_any_thread(tmp_path):
    holder = WriterLock(tmp_path / "lock")
    holder.acquire(0)
    order = []

    def work(number):
        lock = WriterLock(tmp_path / "lock")
        lock.acquire(60_000)
        order.append(number)
        lock.release()
        lock.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    assert order == []
    holder.release()
    for thread in threads:
        thread.join()
    assert sorted(order) == list(range(6))
    holder.close()


def test_given_a_mark_then_it_is_read_back_and_a_shorter_one_replaces_it(tmp_path):
    lock = WriterLock(tmp_path / "lock")
    assert read_mark(tmp_path / "lock") == b""
    lock.write_mark(b"a long mark")
    lock.write_mark(b"short")
    assert read_mark(tmp_path / "lock") == b"short"
    lock.close()
    assert read_mark(tmp_path / "none") == b""


def test_given_no_folder_for_the_lock_then_it_says_so(tmp_path):
    with pytest.raises(StoreFailed, match="cannot open"):
        WriterLock(tmp_path / "no" / "lock")
    with pytest.raises(StoreFailed, match="cannot read"):
        read_mark(tmp_path)


def test_given_the_package_then_it_offers_what_it_names_and_loads_nothing_before_it_is_asked():
    for name in phasegate.ledger.__all__:
        assert getattr(phasegate.ledger, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        phasegate.ledger.nothing_of_the_kind  # noqa: B018
    script = "import sys, phasegate.ledger as p; print({'apsw', 'orjson'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_given_every_module_of_the_ledger_then_none_of_ours_above_it_is_loaded(tmp_path):
    script = (
        "import sys, phasegate.ledger as p\n"
        "[getattr(p, n) for n in p.__all__]\n"
        "import phasegate.ledger.__main__\n"
        "print(sorted(m for m in sys.modules if m.startswith('phasegate.') and not m.startswith('phasegate.ledger')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ},
    )
    assert done.stdout.strip() == "[]"


def test_given_the_pure_modules_then_they_load_no_database(tmp_path):
    script = (
        "import sys\n"
        "import phasegate.ledger.canonical, phasegate.ledger.entry, phasegate.ledger.chain\n"
        "import phasegate.ledger.store, phasegate.ledger.memory, phasegate.ledger.verify\n"
        "print({'apsw', 'sqlite3', 'socket', 'subprocess'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "set()"
