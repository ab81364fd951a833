# ruff: noqa: S608 - the test writes the statements it breaks a database with
"""One thing broken each in a ledger on PostgreSQL: fsck names exactly that, as in a file, and writes nothing."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")

import broken_homes
from broken_homes import codes, rich_home
from engine_drivers import Ran, cli
from postgres_server import Server, run, unguarded

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.fsck.checking import Checked, check_home
from phasegate.engine.app.home import DATABASE, find_home
from phasegate.ledger.errors import StoreFailed, StoreMissing
from phasegate.ledger.fsck import database
from phasegate.ledger.fsck.finding import Level
from phasegate.ledger.postgres_admin import grant_postgres

pytestmark = pytest.mark.attack
TABLES = ("entries", "head", "leases", "migrations", "projections", "tiles")
PLAN = "evidence/T-1/PLAN/plan.md"


@dataclass(frozen=True)
class Place:
    """A home, and where its ledger is.

    Attributes:
        home: the home.
        dsn: the database, with the ledger's id.
    """

    home: Path
    dsn: str

    def found(self) -> Checked:
        """What a check finds."""
        return check_home(find_home(self.home, {}, self.home))

    def ask(self, *args: str, **environ: str) -> Ran:
        """The command."""
        return cli("ledger", "fsck", *args, "--home", str(self.home), environ=environ)

    def contents(self) -> list[Any]:
        """Every row with its place and the transaction that wrote it, and every file."""
        rows = run(self.dsn, *(f"SELECT ctid::text, xmin::text, t.* FROM {name} t" for name in TABLES))
        files = [path for path in sorted(self.home.rglob("*")) if path.is_file()]
        return [*rows, *((path, path.read_bytes()) for path in files)]


@pytest.fixture(scope="module")
def whole(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Given a home with everything in it that is kept beside the entries."""
    home = rich_home(tmp_path_factory.mktemp("rich"), database=postgres.database())
    return Place(home, json.loads((home / DATABASE).read_bytes())["database"])


@pytest.fixture(scope="module")
def file_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a home with its ledger in a file."""
    return rich_home(tmp_path_factory.mktemp("file"))


@pytest.fixture
def place(postgres: Server, whole: Place, tmp_path: Path) -> Place:
    """A copy of it to break."""
    home, (base, _, named) = tmp_path / "copy", whole.dsn.partition("?")
    server, _, original = base.rpartition("/")
    copy = postgres.database().partition("?")[0].rpartition("/")[2]
    run(postgres.dsn, f"DROP DATABASE {copy}", f"CREATE DATABASE {copy} TEMPLATE {original}")
    shutil.copytree(whole.home, home)
    (home / DATABASE).write_text(json.dumps({"database": f"{server}/{copy}?{named}"}))
    return Place(home, f"{server}/{copy}?{named}")


def test_given_a_sound_home_then_nothing_differs_and_nothing_is_written(place: Place) -> None:
    before = place.contents()

    ran = place.ask("--json")
    again = place.ask()

    assert (ran.code, ran.json["findings"], ran.json["not_checked"]) == (0, [], []), ran
    assert (again.code, "no difference" in again.out) == (0, True), again
    assert place.contents() == before
    with Engine.open(place.home, readonly=True) as engine:
        assert (ran.json["entries"], ran.json["ledger"]) == (engine.store.head().size, engine.store.ledger)
        assert ran.json["root"] == engine.store.frontier().root().hex()


def test_given_a_role_that_may_only_read_then_it_checks_as_well(place: Place) -> None:
    run(place.dsn, "DROP ROLE IF EXISTS fsck_auditor", "CREATE ROLE fsck_auditor LOGIN")
    as_auditor = place.dsn.replace("//postgres@", "//fsck_auditor@")

    refused = place.ask(PHASEGATE_LEDGER=as_auditor)
    grant_postgres(place.dsn, "fsck_auditor", reading=True)
    ran = place.ask(PHASEGATE_LEDGER=as_auditor)
    run(place.dsn, "DROP OWNED BY fsck_auditor", "DROP ROLE fsck_auditor")

    assert (refused.code, "remedy: have the owner grant the role its rights" in refused.err) == (3, True), (
        refused
    )
    assert (ran.code, "no difference" in ran.out) == (0, True), ran


def test_given_a_writer_meanwhile_then_one_moment_is_checked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = database.Database.meta

    def written_behind(self: database.Database) -> dict[str, str]:
        said = head(self)
        with Engine.open(place.home) as engine:
            engine.advance("T-2", "A")
        return said

    monkeypatch.setattr(database.Database, "meta", written_behind)

    assert codes(place.found()) == []


def _one(change: str, kind: str) -> str:
    return (
        f"{change} WHERE kind = '{kind}' AND key = (SELECT min(key) FROM projections WHERE kind = '{kind}')"
    )


DERIVED = {
    "a task's row deleted": (_one("DELETE FROM projections", "task"), "row_missing", "projections task/T-1"),
    "a task's row edited": (
        _one("UPDATE projections SET body = '{}'", "task"), "row_differs", "projections task/T-1"),
    "a task's row of an older entry": (
        _one("UPDATE projections SET seq = seq - 1", "task"), "row_differs", "projections task/T-1"),
    "a task's row made up": (
        "INSERT INTO projections VALUES ('task', 'T-9', 3, '{}')", "row_surplus", "projections task/T-9"),
    "a binding deleted": (_one("DELETE FROM projections", "binding"), "row_missing", "projections binding/"),
    "a flag's row edited": (
        _one("UPDATE projections SET body = '{}'", "flag"), "row_differs",
        "projections flag/guarded:REVIEW/sections"),
    "a flag made up": (
        "INSERT INTO projections VALUES ('flag', 'guarded:PLAN/x', 3, '{}')", "row_surplus",
        "projections flag/guarded:PLAN/x"),
    "a key's row deleted": (_one("DELETE FROM projections", "key"), "row_missing", "projections key/"),
    "the due row deleted": (
        _one("DELETE FROM projections", "checkpoint"), "row_missing", "projections checkpoint/due"),
    "a statement's row of another entry": (
        _one("UPDATE projections SET seq = seq + 1", "statement"), "row_differs", "projections statement/"),
    "a tile's hashes edited": (
        "UPDATE tiles SET hashes = decode(repeat('00', 8192), 'hex')", "tile_differs", "tiles 0/0"),
    "a tile's root edited": (
        "UPDATE tiles SET root = decode(repeat('00', 32), 'hex')", "tile_differs", "tiles 0/0"),
    "a tile deleted": ("DELETE FROM tiles", "tile_missing", "tiles 0/0"),
    "a tile made up": ("INSERT INTO tiles SELECT 0, 1, root, hashes FROM tiles", "tile_surplus", "tiles 0/1"),
    "the frontier edited": ("UPDATE head SET nodes = decode(repeat('00', 32), 'hex')", "head", "meta nodes"),
    "the ledger's id edited": ("UPDATE head SET ledger = 'other'", "meta", "meta ledger"),
    "a lease's epoch lowered": ("UPDATE leases SET epoch = 1 WHERE task = 'T-3'", "lease", "leases T-3/PLAN"),
    "a lease deleted": ("DELETE FROM leases", "lease", "leases T-3/PLAN"),
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVED)
def test_given_something_derived_broken_then_it_is_named_and_nothing_is_written(
    place: Place, name: str
) -> None:
    statement, code, where = DERIVED[name]
    unguarded(place.dsn, statement)
    before = place.contents()

    found = place.found()
    ran = place.ask("--json")

    ((said, at),) = codes(found)
    assert (said, at[: len(where)]) == (code, where)
    (finding,) = found.findings
    assert (finding.level, finding.repairable, "--repair" in finding.remedy) == (Level.DERIVED, False, False)
    assert (ran.code, [item["code"] for item in ran.json["findings"]]) == (4, [code]), ran
    assert place.contents() == before


LATE = "UPDATE entries SET {} WHERE seq = 9"
DAMAGE = {
    "an entry's bytes edited": (
        LATE.format("""bytes = convert_to(replace(convert_from(bytes, 'UTF8'), '"actor":"', '"actor":"x'), 'UTF8')"""),
        {"tile_differs", "entry_link"}),
    "an entry's task edited": (LATE.format("task = 'T-9'"), {"entry_column"}),
    "an entry's type edited": (LATE.format("type = 'task.opened'"), {"entry_column"}),
    "an entry made no JSON": (LATE.format("bytes = '{'"), {"entry_malformed", "tile_differs", "entry_link"}),
    "an entry deleted": (
        "DELETE FROM entries WHERE seq = 9", {"entry_missing", "entry_link", "tile_differs"}),
    "an entry copied to the end": (
        "INSERT INTO entries SELECT max(seq) + 1, 'T-1', 'x', (SELECT bytes FROM entries WHERE seq = 9) FROM entries",
        {"entry_number", "entry_link", "entry_column", "head"}),
    "the last entries cut": (
        "DELETE FROM entries WHERE seq > 260", {"entries_cut", "head"}),
    "the head row edited": ("UPDATE head SET size = 5", {"head"}),
    "the head row's hash edited": ("UPDATE head SET hash = repeat('0', 64)", {"head"}),
    "the head row deleted": ("DELETE FROM head", {"head", "meta"}),
    "the time of creation lost": ("UPDATE head SET created_at = ''", {"meta"}),
    "another layout": ("INSERT INTO migrations VALUES (2, 'x')", {"schema_version"}),
    "a table renamed": ("ALTER TABLE leases RENAME TO releases", {"schema_changed", "structure"}),
    "the entries' table renamed": (
        "ALTER TABLE entries RENAME TO others", {"schema_changed", "entry_unreadable"}),
    "the head's table renamed": ("ALTER TABLE head RENAME TO ends", {"schema_changed", "head", "meta"}),
    "the tiles' columns of another type": (
        "ALTER TABLE tiles ALTER number TYPE numeric", {"schema_changed", "structure"}),
    "an entry without a task": (
        "ALTER TABLE entries ALTER task DROP NOT NULL; UPDATE entries SET task = NULL WHERE seq = 9",
        {"schema_changed", "entry_unreadable"}),
    "an index dropped": ("DROP INDEX entries_by_task", {"schema_changed"}),
    "a trigger of somebody's": (
        "CREATE TRIGGER mine BEFORE UPDATE ON projections FOR EACH STATEMENT EXECUTE FUNCTION refuse('no')",
        {"schema_changed"}),
    "a right given away": ("GRANT UPDATE ON tiles TO PUBLIC", {"privileges_changed"}),
    "a statement deleted": (_one("DELETE FROM projections", "statement"), {"statement"}),
    "a statement edited": (_one("UPDATE projections SET body = 'x'", "statement"), {"statement"}),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_given_damage_then_it_is_named_and_nothing_is_written(place: Place, name: str) -> None:
    statement, wanted = DAMAGE[name]
    unguarded(place.dsn, statement)

    found = place.found()
    ran = place.ask("--json")

    assert wanted <= {code for code, _ in codes(found)}
    assert [item for item in found.findings if item.level is Level.DAMAGE]
    assert ran.code == 4, ran
    assert not any(finding.repairable for finding in found.findings)


ALIKE = (
    "UPDATE entries SET task = 'T-9' WHERE seq = 9",
    "UPDATE entries SET bytes = (SELECT bytes FROM entries WHERE seq = 8) WHERE seq = 9",
    "DELETE FROM entries WHERE seq IN (9, 10)",
    "DELETE FROM entries WHERE seq > 200",
    "DELETE FROM tiles",
    "UPDATE tiles SET number = 7",
    "DELETE FROM leases",
    "UPDATE leases SET holder = '' WHERE task = 'T-3'",
    "UPDATE leases SET phase = 'BUILD' WHERE task = 'T-3'",
    "DELETE FROM projections WHERE kind IN ('flag', 'operator')",
    "UPDATE projections SET seq = 1",
    "UPDATE projections SET key = 'T-7' WHERE kind = 'task' AND key = 'T-1'",
    "UPDATE projections SET kind = 'repair' WHERE kind = 'key'",
    "DELETE FROM projections",
)


@pytest.mark.parametrize("statement", ALIKE)
def test_given_the_same_break_in_a_file_then_the_same_is_found(
    place: Place, file_home: Path, tmp_path: Path, statement: str
) -> None:
    file = broken_homes.copy_of(file_home, tmp_path / "file")
    broken_homes.sql(statement)(file)
    unguarded(place.dsn, statement)

    in_file, here = broken_homes.found(file), place.found()

    # A file keeps no frontier, a database no mark.
    own = {"meta nodes", "the mark beside the file"}
    assert [item for item in _kinds(here) if item[2] not in own] == [
        item for item in _kinds(in_file) if item[2] not in own
    ]
    assert [bool(said) for said in here.unchecked] == [bool(said) for said in in_file.unchecked]


def _kinds(checked: Checked) -> list[tuple[str, str, str]]:
    """Level, code and place of what was found; digests, which differ between two homes, are left out."""
    return sorted(
        (str(item.level), item.code, re.sub("[0-9a-f]{64}|[^ /]*[+][0-9a-f]{8}", "*", item.place))
        for item in checked.findings
    )


def test_given_guards_that_are_down_then_each_is_named(place: Place) -> None:
    run(place.dsn, "ALTER TABLE tiles DISABLE TRIGGER ALL")

    found = place.found()

    assert {code for code, _ in codes(found)} == {"schema_changed"}
    told = " ".join(finding.found for finding in found.findings)
    assert all(f"trigger D CREATE TRIGGER tiles_{what}" in told for what in ("insert", "update", "delete"))


def test_given_files_of_the_home_broken_then_they_are_named_with_what_to_do(place: Place) -> None:
    (place.home / PLAN).unlink()
    (place.home / "home.json").write_text('{"format": 1, "ledger": "other"}')

    found = {finding.code: finding for finding in place.found().findings}

    assert found.keys() == {"copy_missing", "home"}
    assert found["copy_missing"].remedy.startswith("copy `objects/sha256/")


def test_given_a_repair_is_asked_for_then_it_is_refused_and_nothing_is_written(place: Place) -> None:
    unguarded(place.dsn, DERIVED["a task's row deleted"][0])
    before = place.contents()

    ran = place.ask("--repair")

    assert (ran.code, "remedy: `engine ledger fsck` without `--repair`" in ran.err) == (3, True), ran
    assert place.contents() == before


def test_given_no_server_then_nothing_is_said_of_the_ledger(place: Place) -> None:
    ran = place.ask(PHASEGATE_LEDGER="postgresql://anna:s3cret@127.0.0.1:1/x")

    assert (ran.code, "check the server" in ran.err, ran.out) == (3, True, ""), ran
    assert "s3cret" not in ran.err


def test_given_no_driver_then_the_way_to_install_it_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("phasegate.ledger.fsck.database", "phasegate.ledger.postgres_driver"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    ran = place.ask()

    assert (ran.code, "remedy: run `pip install 'phasegate[postgres]'`" in ran.err) == (3, True), ran


def test_given_a_database_without_the_ledger_then_that_is_damage(place: Place, postgres: Server) -> None:
    ran = place.ask(PHASEGATE_LEDGER=postgres.database())

    assert (ran.code, "there is no ledger" in ran.err) == (4, True), ran


@pytest.mark.parametrize("read", ["meta", "schema", "tile", "frontier", "entries", "leases"])
def test_given_the_server_is_lost_in_between_then_that_is_no_damage(
    place: Place, postgres: Server, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    original: Callable[..., Any] = getattr(database.Database, read)

    def lost_before(self: database.Database, *values: int) -> Any:
        postgres.kill_sessions()
        return original(self, *values)

    monkeypatch.setattr(database.Database, read, lost_before)

    with pytest.raises(StoreFailed, match="check the server"):
        place.found()


def test_given_a_marker_that_is_damaged_then_what_the_dsn_names_is_checked(place: Place) -> None:
    (place.home / "home.json").write_text("{")

    assert [code for code, _ in codes(place.found())] == ["home"]


def test_given_neither_marker_nor_name_then_the_only_ledger_is_checked(
    place: Place, postgres: Server
) -> None:
    bare = place.dsn.partition("&ledger=")[0]
    (place.home / DATABASE).write_text(json.dumps({"database": bare}))
    assert codes(place.found()) == []
    (place.home / "home.json").write_text("{")
    assert [code for code, _ in codes(place.found())] == ["home"]
    (place.home / DATABASE).write_text(json.dumps({"database": postgres.database()}))
    with pytest.raises(StoreMissing):
        place.found()
