# ruff: noqa: S608 - the test writes the statements it breaks a file with
"""One thing broken each: fsck names exactly that, puts right what is derived, and touches no entry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest
from broken_homes import (
    Break,
    codes,
    copy_of,
    file,
    found,
    mark,
    object_named,
    raw_sql,
    rich_home,
    sql,
)
from typer.testing import CliRunner

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.fsck.checking import repair_home
from phasegate.engine.app.home import Home
from phasegate.engine.cli.app import app
from phasegate.ledger.sqlite_verify import verify_sqlite

pytestmark = pytest.mark.attack
RUN = CliRunner()
ONE_ROW = "(SELECT min(rowid) FROM projections WHERE kind = '{}')"
PLAN = "evidence/T-1/PLAN/plan.md"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = rich_home(tmp_path_factory.mktemp("rich"))
    connection = apsw.Connection(str(home / "ledger.db"))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return home


def _rows(change: str, kind: str) -> Break:
    return sql(f"{change} WHERE rowid = {ONE_ROW.format(kind)}")


DERIVED = {
    "a task's row deleted": (_rows("DELETE FROM projections", "task"), "row_missing", "projections task/T-1"),
    "a task's row edited": (
        _rows("UPDATE projections SET body = x'7b7d'", "task"), "row_differs", "projections task/T-1"),
    "a task's row of an older entry": (
        _rows("UPDATE projections SET seq = seq - 1", "task"), "row_differs", "projections task/T-1"),
    "a task's row made up": (
        sql("INSERT INTO projections VALUES ('task', 'T-9', 3, x'7b7d')"), "row_surplus", "projections task/T-9"),
    "a binding deleted": (
        _rows("DELETE FROM projections", "binding"), "row_missing", "projections binding/"),
    "a flag's row edited": (
        _rows("UPDATE projections SET body = x'7b7d'", "flag"), "row_differs",
        "projections flag/guarded:REVIEW/sections"),
    "a flag made up": (
        sql("INSERT INTO projections VALUES ('flag', 'guarded:PLAN/x', 3, x'7b7d')"), "row_surplus",
        "projections flag/guarded:PLAN/x"),
    "a key's row deleted": (_rows("DELETE FROM projections", "key"), "row_missing", "projections key/"),
    "the due row deleted": (
        _rows("DELETE FROM projections", "checkpoint"), "row_missing", "projections checkpoint/due"),
    "a statement's row of another entry": (
        _rows("UPDATE projections SET seq = seq + 1", "statement"), "row_differs", "projections statement/"),
    "a tile's hashes edited": (
        sql("UPDATE tiles SET hashes = zeroblob(8192) WHERE number = 0"), "tile_differs", "tiles 0/0"),
    "a tile's root edited": (
        sql("UPDATE tiles SET root = zeroblob(32) WHERE number = 0"), "tile_differs", "tiles 0/0"),
    "a tile deleted": (sql("DELETE FROM tiles"), "tile_missing", "tiles 0/0"),
    "a tile made up": (
        sql("INSERT INTO tiles VALUES (0, 1, zeroblob(32), zeroblob(8192))"), "tile_surplus", "tiles 0/1"),
    "the head row edited": (
        sql("UPDATE meta SET value = '5 ' || substr(value, instr(value, ' ') + 1) WHERE name = 'head'"),
        "head", "meta head"),
    "the ledger's id edited": (
        sql("UPDATE meta SET value = 'other' WHERE name = 'ledger'"), "meta", "meta ledger"),
    "the clock made no number": (
        sql("UPDATE meta SET value = 'soon' WHERE name = 'clock_ms'"), "meta", "meta clock_ms"),
    "a lease's epoch put back": (sql("DELETE FROM leases"), "lease", "leases T-3/PLAN"),
    "a guard dropped": (raw_sql("DROP TRIGGER entries_update"), "schema_missing", "trigger entries_update"),
    "a guard weakened": (
        raw_sql("DROP TRIGGER tiles_delete",
                "CREATE TRIGGER tiles_delete BEFORE DELETE ON tiles BEGIN SELECT 1; END"),
        "schema_altered", "trigger tiles_delete"),
    "a trigger of somebody's": (
        raw_sql("CREATE TRIGGER mine AFTER INSERT ON projections BEGIN SELECT 1; END"),
        "schema_foreign", "trigger mine"),
    "an index dropped": (raw_sql("DROP INDEX tiles_by_place"), "schema_missing", "index tiles_by_place"),
    "the mark made unreadable": (mark(b"nonsense"), "mark", "the mark beside the file"),
    "a readable copy edited": (file(lambda home: home / PLAN, b"other"), "copy_differs", PLAN),
    "a readable copy deleted": (file(lambda home: home / PLAN, None), "copy_missing", PLAN),
    "evidence's object deleted": (
        file(object_named("evidence.added", "digest"), None), "object_missing", "objects/sha256/"),
    "evidence's object changed": (
        file(object_named("evidence.added", "digest"), b"x"), "object_changed", "objects/sha256/"),
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVED)
def test_given_something_derived_broken_then_it_is_named_repaired_and_recorded(
    whole: Path, tmp_path: Path, name: str
) -> None:
    breaks, code, place = DERIVED[name]
    home = copy_of(whole, tmp_path)
    before = found(home)
    assert codes(before) == []
    breaks(home)

    (said,) = codes(found(home))
    repaired = repair_home(Home(home.resolve()))

    assert said[0] == code
    assert said[1].startswith(place)
    assert [(item.code, item.place) for item in repaired.repaired] == [said]
    assert repaired.entry == before.store.size + 1
    assert codes(repaired) == codes(found(home)) == []
    assert verify_sqlite(home / "ledger.db").ok
    with Engine.open(home) as engine:
        entry = engine.store.get(repaired.entry)
        assert entry is not None
        assert (entry.type, entry.payload["count"]) == ("ledger.repaired", 1)
        report = json.loads(engine.snapshot(str(entry.payload["report"])) or b"")
        assert report[0]["code"] == code
        assert engine.state("T-1").phase == "REVIEW"


def _late(column: str, value: str) -> Break:
    return sql(f"UPDATE entries SET {column} = {value} WHERE seq = 9")


def _put(name: str, value: str) -> str:
    """The bytes with another value of a field."""
    said = f"json_extract(CAST(bytes AS TEXT), '$.{name}')"
    old = f"'\"{name}\":' || json_quote({said})"
    return f"CAST(replace(CAST(bytes AS TEXT), {old}, '\"{name}\":' || {value}) AS BLOB)"


DAMAGE = {
    "an entry's bytes edited": (_late("bytes", "CAST(replace(CAST(bytes AS TEXT), '\"actor\":\"', "
                                      "'\"actor\":\"x') AS BLOB)"), ["tile_differs", "entry_link"]),
    "an entry's column edited": (_late("task", "'T-9'"), ["entry_column"]),
    "an entry dated on a day that is none": (
        _late("bytes", _put("at", "'\"2026-02-30T00:00:00.000000Z\"'")), ["entry_malformed"]),
    "an entry's attempt beyond all numbers": (
        _late("bytes", _put("attempt", "'9007199254740992'")), ["entry_malformed"]),
    "an entry made no JSON": (_late("bytes", "x'7b'"), ["entry_malformed", "tile_differs", "entry_link"]),
    "an entry deleted": (sql("DELETE FROM entries WHERE seq = 9"),
                         ["entry_missing", "entry_link", "tile_differs"]),
    "the last entries cut, and the head": (
        sql("DELETE FROM entries WHERE seq > 260",
            "UPDATE meta SET value = '260 ' || substr(value, instr(value, ' ') + 1) WHERE name = 'head'"),
        ["head", "entries_cut"]),
    "the clock's creation lost": (sql("DELETE FROM meta WHERE name = 'created_at'"), ["meta"]),
    "another layout": (sql("UPDATE meta SET value = '4' WHERE name = 'schema_version'"), ["schema_version"]),
    "a table renamed": (raw_sql("ALTER TABLE leases RENAME TO releases"), ["schema", "schema_foreign"]),
    "a statement deleted": (_rows("DELETE FROM projections", "statement"), ["statement"]),
    "a statement edited": (_rows("UPDATE projections SET body = x'00'", "statement"), ["statement"]),
    "a definition deleted": (file(object_named("task.opened", "process_digest"), None), ["object_missing"]),
    "another ledger's marker": (
        file(lambda home: home / "home.json", b'{"format": 1, "ledger": "other"}'), ["home"]),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_given_damage_then_it_is_named_and_never_repaired(whole: Path, tmp_path: Path, name: str) -> None:
    breaks, wanted = DAMAGE[name]
    home = copy_of(whole, tmp_path)
    breaks(home)
    leaves = _leaves(home)

    said = codes(found(home))
    ran = RUN.invoke(app, ["ledger", "fsck", "--repair", "--json", "--home", str(home)])

    assert set(wanted) <= {code for code, _ in said}
    assert ran.exit_code == 4
    assert _leaves(home)[: len(leaves)] == leaves
    assert [item for item in codes(found(home)) if item[0] in wanted]


def test_given_the_entries_in_doubt_then_nothing_else_is_repaired(whole: Path, tmp_path: Path) -> None:
    home = copy_of(whole, tmp_path)
    _late("task", "'T-9'")(home)
    _rows("DELETE FROM projections", "task")(home)

    repaired = repair_home(Home(home.resolve()))

    assert "in doubt" in repaired.refused
    assert {"entry_column", "row_missing"} <= {code for code, _ in codes(found(home))}
    assert repaired.exit_code == 4


def test_given_rows_that_an_index_has_lost_then_it_is_made_anew(whole: Path, tmp_path: Path) -> None:
    home = copy_of(whole, tmp_path)
    name = "projections_by_key"
    (kept,) = _asked(
        home, f"SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE name = '{name}'"
    )
    raw_sql(f"DELETE FROM sqlite_schema WHERE name = '{name}'")(home)
    raw_sql(f"UPDATE projections SET rowid = rowid + 9000 WHERE rowid = {ONE_ROW.format('flag')}")(home)
    values = ", ".join(str(item) if isinstance(item, int) else f"'{item}'" for item in kept)
    raw_sql(f"INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ({values})")(home)

    said = codes(found(home))
    repaired = repair_home(Home(home.resolve()))

    assert said == [("index_content", f"index {name}")]
    assert codes(repaired) == []


def test_given_a_frame_of_the_log_damaged_then_the_commits_behind_it_are_named(
    whole: Path, tmp_path: Path
) -> None:
    home = copy_of(whole, tmp_path)
    with Engine.open(home) as engine:
        for _ in range(4):
            engine.advance("T-2", "A")
        kept = tmp_path / "kept"
        shutil.copytree(home, kept)
    log = kept / "ledger.db-wal"
    data = bytearray(log.read_bytes())
    data[32 + 24 + 100] ^= 1
    log.write_bytes(data)

    said = codes(found(kept))

    assert ("log", "ledger.db-wal") in said
    assert repair_home(Home(kept.resolve())).refused


def test_given_files_that_nothing_names_then_they_are_leftovers_and_no_failure(
    whole: Path, tmp_path: Path
) -> None:
    home = copy_of(whole, tmp_path)
    with Engine.open(home) as engine:
        orphan = engine.keep(b"nobody names this")
    (home / "objects" / "sha256" / "litter").write_bytes(b"")
    (home / "evidence" / "T-1" / "surplus.txt").write_bytes(b"")

    checked = found(home)

    assert {item.code for item in checked.findings} == {"object_orphan", "object_litter", "copy_surplus"}
    assert any(orphan in item.place for item in checked.findings)
    assert checked.exit_code == 0


def test_given_a_crash_before_a_repair_was_recorded_then_the_next_one_records_it(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_of(whole, tmp_path)
    _rows("DELETE FROM projections", "task")(home)
    with monkeypatch.context() as patched:
        patched.setattr("phasegate.engine.app.fsck.checking._record", _killed)
        with pytest.raises(KeyboardInterrupt):
            repair_home(Home(home.resolve()))

    said = codes(found(home))
    repaired = repair_home(Home(home.resolve()))

    assert [code for code, _ in said] == ["repair_unrecorded"]
    assert codes(repaired) == []
    assert repaired.entry


def test_given_a_path_that_leads_out_of_the_home_then_no_repair_follows_it(
    whole: Path, tmp_path: Path
) -> None:
    home = copy_of(whole, tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(home / "evidence" / "T-1" / "PLAN")
    (home / "evidence" / "T-1" / "PLAN").symlink_to(outside)

    repaired = repair_home(Home(home.resolve()))

    assert list(outside.iterdir()) == []
    assert ("copy_differs", PLAN) in codes(repaired)


def test_given_a_copy_that_cannot_be_written_then_it_is_not_said_to_be_repaired(
    whole: Path, tmp_path: Path
) -> None:
    home = copy_of(whole, tmp_path)
    _rows("DELETE FROM projections", "task")(home)
    shutil.rmtree(home / "evidence" / "T-1" / "PLAN")
    (home / "evidence" / "T-1" / "PLAN").write_text("a file where a folder must be")

    repaired = repair_home(Home(home.resolve()))

    assert [finding.place for finding in repaired.repaired] == ["projections task/T-1"]
    assert ("copy_missing", PLAN) in codes(repaired) or ("copy_differs", PLAN) in codes(repaired)
    with Engine.open(home, readonly=True) as engine:
        recorded = engine.store.get(repaired.entry)
    assert recorded is not None
    assert (recorded.type, recorded.payload["count"]) == ("ledger.repaired", 1)


def test_given_a_sound_home_then_a_repair_changes_nothing(whole: Path, tmp_path: Path) -> None:
    home = copy_of(whole, tmp_path)
    leaves = _leaves(home)

    ran = RUN.invoke(app, ["ledger", "fsck", "--repair", "--home", str(home)])

    assert ran.exit_code == 0
    assert "no difference" in ran.output
    assert _leaves(home) == leaves


def test_a_name_adds_no_line_to_what_is_printed(whole: Path, tmp_path: Path) -> None:
    home = copy_of(whole, tmp_path)
    lie = "x\nno difference: all of it"
    (home / PLAN).with_name(lie).touch()
    sql(f'CREATE TABLE "{lie}" (a)')(home)

    ran = RUN.invoke(app, ["ledger", "fsck", "--home", str(home)])

    assert ran.exit_code == 4
    assert ran.output.count("x\\nno difference") == 2
    assert not any(line.startswith("no difference") for line in ran.output.splitlines())


def _killed(_home: Home) -> int:
    raise KeyboardInterrupt


def _leaves(home: Path) -> list[Any]:
    return [data for (data,) in _asked(home, "SELECT bytes FROM entries ORDER BY seq")]


def _asked(home: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(home / "ledger.db"))
    try:
        return list(connection.execute(statement))
    finally:
        connection.close()
