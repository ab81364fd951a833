"""Attacks on a ledger file: each one is a named problem, none a traceback, none passes."""

# ruff: noqa: S608 - the statements are this file's own; seeded randomness is wanted
from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import apsw
import pytest
from contract.ledger_store_contract import CREATED, LEDGER, at, draft

from phasegate.ledger.__main__ import main
from phasegate.ledger.chain import extend
from phasegate.ledger.errors import StoreCorrupt, StoreMissing
from phasegate.ledger.filelock import LOCK_SUFFIX
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite

pytestmark = pytest.mark.attack

ENTRIES = 40
SEED = 8785
TRIGGERS = tuple(
    f"{table}_{verb}" for table in ("entries", "leases", "tiles") for verb in ("insert", "update", "delete")
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A ledger of 40 entries, its log folded into the file."""
    path = tmp_path_factory.mktemp("original") / "ledger.db"
    store = SqliteStore.create(path, LEDGER, at=CREATED)
    for n in range(1, ENTRIES + 1):
        store.append([draft(n, task=f"T-{n % 3}", payload={"note": f"note {n} of many, é"})], at=at(n))
    store.close()
    execute(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def path(original, tmp_path):
    for file in original.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / original.name


def execute(path, *statements, values=()):
    connection = apsw.Connection(str(path))
    try:
        result = None
        for sql in statements:
            result = connection.execute(sql, values if "?" in sql else ()).fetchall()
        return result
    finally:
        connection.close()


def unguarded(path, *statements, values=()):
    """Run statements with the triggers dropped and put back exactly as shipped."""
    shipped = [row[0] for row in execute(path, "SELECT sql FROM sqlite_schema WHERE type = 'trigger'")]
    drops = [f"DROP TRIGGER {name}" for name in TRIGGERS]
    execute(path, *drops, *statements, *shipped, values=values)


def problem(path):
    found = verify_sqlite(path)
    assert not found.ok
    assert found.problem is not None
    assert main(["verify", str(path)]) == 4
    return found.problem


def test_given_nothing_done_then_it_verifies_and_says_what_it_cannot_rule_out(path, capsys):
    found = verify_sqlite(path)
    assert (found.ok, found.entries, found.problem) == (True, ENTRIES, None)
    assert [item.split(":")[0] for item in found.not_ruled_out] == ["truncation", "rewrite", "fork"]
    assert main(["verify", str(path)]) == 0
    assert "none found" in capsys.readouterr().out


def piped(mark):
    mark.unlink()
    os.mkfifo(mark)


@pytest.mark.parametrize("made", [Path.unlink, Path.touch, piped], ids=["gone", "empty", "a pipe"])
def test_given_no_mark_beside_the_file_then_none_is_said_to_be_checked(path, capsys, made):
    mark = path.with_name(f"{path.name}{LOCK_SUFFIX}")
    mark.write_bytes(b"")
    made(mark)
    assert main(["verify", str(path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert not any("mark" in line for line in told if line.startswith("checked"))
    assert "not checked    the mark beside the file: there is none" in told


@pytest.mark.parametrize("seq", [1, 2, 20, ENTRIES - 1, ENTRIES])
def test_given_one_byte_of_an_entry_changed_through_sql_then_it_is_named(path, seq):
    chosen = random.Random(SEED + seq)
    data = execute(path, f"SELECT bytes FROM entries WHERE seq = {seq}")[0][0]
    for place in sorted(chosen.sample(range(len(data)), 12)):
        changed = bytearray(data)
        changed[place] ^= chosen.randrange(1, 256)
        unguarded(path, f"UPDATE entries SET bytes = ? WHERE seq = {seq}", values=(bytes(changed),))
        # A changed entry that still is canonical JSON shows at the next one, whose link breaks.
        assert problem(path).seq in (seq, seq + 1), (place, changed)
    unguarded(path, f"UPDATE entries SET bytes = ? WHERE seq = {seq}", values=(data,))
    assert verify_sqlite(path).ok


def test_given_one_byte_changed_anywhere_in_the_entries_in_the_file_then_it_is_found(path):
    pristine = path.read_bytes()
    rows = execute(path, "SELECT seq, bytes FROM entries")
    path.write_bytes(pristine)
    chosen = random.Random(SEED)
    for seq, data in rows:
        assert pristine.count(data) == 1
        start = pristine.index(data)
        for place in [0, len(data) - 1, *chosen.sample(range(len(data)), 3)]:
            changed = bytearray(pristine)
            changed[start + place] ^= 1 << chosen.randrange(8)
            path.write_bytes(changed)
            assert problem(path).seq == seq, (seq, place)


def test_given_any_byte_of_the_pages_that_hold_entries_changed_then_no_entry_reads_differently(path):
    """Structure included: whatever verifies must read exactly as before."""
    pristine = path.read_bytes()
    before = execute(path, "SELECT seq, task, type, bytes FROM entries ORDER BY seq")
    chosen = random.Random(SEED)
    for place in chosen.sample(range(len(pristine)), 600):
        changed = bytearray(pristine)
        changed[place] ^= 1 << chosen.randrange(8)
        path.write_bytes(changed)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        try:
            found = verify_sqlite(path)
        except StoreCorrupt:  # pragma: no cover - a problem is reported, not raised
            pytest.fail(f"byte {place}: raised instead of reported")
        if found.ok:
            after = execute(path, "SELECT seq, task, type, bytes FROM entries ORDER BY seq")
            assert after == before, place


def test_given_a_byte_changed_in_the_log_then_the_entries_it_drops_are_missed(tmp_path):
    path = tmp_path / "ledger.db"
    store = SqliteStore.create(path, LEDGER, at=CREATED)
    for n in range(20):
        store.append([draft(n)], at=at(n))
    # Copied while it is open, as after a crash: closing would fold the log into the file.
    for suffix in ("", "-wal", "-lock"):
        shutil.copy(f"{path}{suffix}", f"{tmp_path / 'crashed.db'}{suffix}")
    store.close()
    path = tmp_path / "crashed.db"
    log = Path(f"{path}-wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    found = problem(path)
    assert found.code == "truncated"
    assert found.seq is not None
    assert 1 < found.seq <= 20
    with pytest.raises(StoreCorrupt, match="acknowledged"):
        SqliteStore.open(path)


@pytest.mark.parametrize("name", TRIGGERS)
def test_given_a_trigger_dropped_then_that_alone_is_a_problem(path, name):
    execute(path, f"DROP TRIGGER {name}")
    found = problem(path)
    assert (found.code, found.seq) == ("schema_changed", None)
    assert f"`{name}` was dropped" in found.message


def test_given_a_trigger_weakened_then_it_is_a_problem(path):
    sql = execute(path, "SELECT sql FROM sqlite_schema WHERE name = 'entries_update'")[0][0]
    execute(path, "DROP TRIGGER entries_update", sql.replace("BEFORE UPDATE ON", "BEFORE UPDATE OF task ON"))
    found = problem(path)
    assert (found.code, "`entries_update` was altered" in found.message) == ("schema_changed", True)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE extra (x)",
        "CREATE VIEW extra AS SELECT 1",
        "CREATE INDEX extra ON entries (type)",
        "CREATE TRIGGER extra AFTER INSERT ON projections BEGIN SELECT 1; END",
    ],
)
def test_given_a_foreign_object_in_the_file_then_it_is_a_problem(path, sql):
    execute(path, sql)
    found = problem(path)
    assert (found.code, "`extra` does not belong" in found.message) == ("schema_changed", True)


def test_given_the_index_dropped_then_it_is_a_problem(path):
    execute(path, "DROP INDEX entries_by_task")
    assert problem(path).code == "schema_changed"


def test_given_an_index_that_hides_an_entry_then_it_is_a_problem(path):
    root = execute(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'entries_by_task'")[0][0]
    size = execute(path, "PRAGMA page_size")[0][0]
    data = bytearray(path.read_bytes())
    page = data[(root - 1) * size : root * size]
    place = page.index(b"T-1")
    data[(root - 1) * size + place + 2] = ord("9")
    path.write_bytes(data)
    assert problem(path).code == "store_corrupt"


def test_given_the_end_cut_off_and_the_recorded_head_set_back_then_the_mark_misses_it(path):
    data = execute(path, f"SELECT bytes FROM entries WHERE seq = {ENTRIES}")[0][0]
    prev = data.split(b'"prev":"')[1][:64].decode()
    end = f"{ENTRIES - 1} {prev} {at(ENTRIES - 1)}"
    unguarded(
        path,
        f"DELETE FROM entries WHERE seq = {ENTRIES}",
        f"UPDATE meta SET value = '{end}' WHERE name = 'head'",
    )
    found = problem(path)
    assert (found.seq, found.code) == (ENTRIES, "truncated")
    with pytest.raises(StoreCorrupt):
        SqliteStore.open(path)


def test_given_an_entry_inserted_at_the_end_then_the_recorded_head_does_not_know_it(path):
    store = SqliteStore.open(path)
    head = store.head()
    store.close()
    (forged,) = extend(head, [draft(99)], at=at(50), ledger=LEDGER)
    # The triggers allow this one: its number is max + 1.
    execute(
        path,
        "INSERT INTO entries VALUES (?, ?, ?, ?)",
        values=(forged.seq, forged.task, forged.type, forged.bytes),
    )
    found = problem(path)
    assert (found.seq, found.code) == (ENTRIES + 1, "head_mismatch")
    store = SqliteStore.open(path)
    with pytest.raises(StoreCorrupt, match="head"):
        store.append([draft(1)], at=at(51))
    store.close()


def test_given_garbage_inserted_then_it_is_named(path):
    execute(path, f"INSERT INTO entries VALUES ({ENTRIES + 1}, 'T', 't', x'7b7d')")
    found = problem(path)
    assert (found.seq, found.code) == (ENTRIES + 1, "bad_entry")


@pytest.mark.parametrize("column", ["task", "type"])
@pytest.mark.parametrize("seq", [1, 20, ENTRIES])
def test_given_a_plain_column_edited_then_it_is_named(path, column, seq):
    unguarded(path, f"UPDATE entries SET {column} = 'other' WHERE seq = {seq}")
    found = problem(path)
    assert (found.seq, found.code) == (seq, "column_mismatch")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "40",
        f"{ENTRIES} {'0' * 64} {at(1)}",
        f"0 {'0' * 64} {at(1)}",
        f"99 {'0' * 64} {at(1)}",
    ],
)
def test_given_the_recorded_head_edited_then_it_is_a_problem(path, value):
    execute(path, "UPDATE meta SET value = ? WHERE name = 'head'", values=(value,))
    assert problem(path).code in ("head_mismatch", "truncated", "store_corrupt")


def test_given_another_ledgers_id_then_every_entry_is_foreign(path):
    execute(path, "UPDATE meta SET value = 'other' WHERE name = 'ledger'")
    found = problem(path)
    assert (found.seq, found.code) == (1, "foreign_ledger")
    assert verify_sqlite(path, ledger="third").problem.code == "foreign_ledger"


def test_given_projections_forged_then_verify_neither_trusts_nor_needs_them(path):
    execute(path, "INSERT INTO projections VALUES ('task', 'T-1', 999, x'00')")
    assert verify_sqlite(path).ok


def test_given_no_file_or_no_ledger_then_the_command_says_so(tmp_path, capsys):
    with pytest.raises(StoreMissing):
        verify_sqlite(tmp_path / "none.db")
    assert main(["verify", str(tmp_path / "none.db")]) == 2
    assert "no ledger" in capsys.readouterr().err
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"junk" * 2000)
    assert main(["verify", str(junk)]) == 4
    assert "store_corrupt" in capsys.readouterr().out


@pytest.fixture(scope="module")
def tiled(tmp_path_factory):
    """A ledger of two full tiles and a little more."""
    path = tmp_path_factory.mktemp("tiled") / "ledger.db"
    store = SqliteStore.create(path, LEDGER, at=CREATED)
    store.append([draft(n) for n in range(600)], at=at(1))
    store.close()
    execute(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert verify_sqlite(path).ok
    return path


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tiles SET hashes = zeroblob(8192) WHERE number = 1",
        "UPDATE tiles SET root = zeroblob(32) WHERE number = 0",
        "UPDATE tiles SET hashes = x'00' WHERE number = 0",
        "DELETE FROM tiles WHERE number = 0",
        "DELETE FROM tiles",
        "INSERT INTO tiles VALUES (0, 2, zeroblob(32), zeroblob(8192))",
        "INSERT INTO tiles VALUES (1, 0, zeroblob(32), zeroblob(8192))",
        "INSERT INTO tiles VALUES (-1, 0, zeroblob(32), zeroblob(8192))",
    ],
)
def test_given_tiles_changed_taken_away_or_added_then_it_is_a_problem(tiled, tmp_path, sql):
    for file in tiled.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    path = tmp_path / tiled.name
    unguarded(path, sql)
    assert problem(path).code == "tile_mismatch"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tiles SET root = zeroblob(32)",
        "DELETE FROM tiles",
        "INSERT INTO tiles VALUES (0, 3, zeroblob(32), zeroblob(8192))",
        "REPLACE INTO tiles VALUES (0, 1, zeroblob(32), zeroblob(8192))",
    ],
)
def test_given_the_guards_then_no_tile_is_changed_taken_away_or_left_out(tiled, sql):
    with pytest.raises(apsw.ConstraintError):
        execute(tiled, sql)
