"""Promise: whoever changes the ledger behind the engine's back is shown by `engine ledger verify`."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import autopilot_artifacts as artifacts
import pytest
from engine_drivers import NINE_PHASES, cli, cli_process

from phasegate.engine.app.engine import Engine

pytestmark = pytest.mark.attack

TASK = "IMP-9"
SEED = 20_260_131
TRIGGERS = ("entries_insert", "entries_update", "entries_delete")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Given a home whose ledger tells of a task in THINK and one refusal; its log is folded into the file."""
    folder = tmp_path_factory.mktemp("original")
    with Engine.init(folder / "state") as engine:
        engine.open_task(TASK, NINE_PHASES)
        artifacts.drive(engine, folder, TASK, "THINK")
        engine.advance(TASK, "MONITOR")
    sql(folder / "state", "PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "state"


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(original, tmp_path / "state"))


def sql(home: Path, *statements: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Run statements past the engine; values go to those that take any."""
    connection = apsw.Connection(str(home / "ledger.db"))
    rows: list[tuple[object, ...]] = []
    try:
        for statement in statements:
            rows = list(connection.execute(statement, values if "?" in statement else ()))
    finally:
        connection.close()
    return rows


def unguarded(home: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    """Run statements with the entries' triggers dropped and put back as they were."""
    kept = sql(home, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'entries'")
    drops = [f"DROP TRIGGER {name}" for name, _ in kept]
    sql(home, *drops, *statements, *(str(text) for _, text in kept), values=values)


def size(home: Path) -> int:
    """Number of entries."""
    ((count,),) = sql(home, "SELECT count(*) FROM entries")
    assert isinstance(count, int)
    return count


def assert_named(home: Path, *seqs: int | None) -> None:
    """`engine ledger verify` ends with 4 and names one of these entries, in JSON and in words."""
    at = ("--home", str(home))
    ran, told = cli("ledger", "verify", "--json", *at), cli("ledger", "verify", *at)

    assert (ran.code, told.code) == (4, 4), (ran, told)
    problem = ran.json["problem"]
    assert ran.json["ok"] is False
    assert problem["seq"] in seqs, problem
    place = f"entry {problem['seq']}" if problem["seq"] else "the ledger"
    assert "the ledger does not hold" in told.out
    assert f"first bad: {place} ({problem['code']})" in told.out


def test_an_untouched_ledger_verifies_and_says_what_was_not_ruled_out(home: Path) -> None:
    ran, told = (cli("ledger", "verify", *more, "--home", str(home)) for more in (["--json"], []))

    assert (ran.code, told.code) == (0, 0)
    assert ran.json["entries"] == size(home)
    assert [item.partition(":")[0] for item in ran.json["not_ruled_out"]] == ["truncation", "rewrite", "fork"]
    assert "not ruled out: truncation" in told.out


def test_status_and_verify_print_the_trust_mode(home: Path) -> None:
    at = ("--home", str(home))

    assert cli("ledger", "verify", "--json", *at).json["trust"] == "embedded"
    assert "trust: embedded" in cli("ledger", "verify", *at).out
    assert cli("status", "--json", *at).json["trust"] == "embedded"
    assert "trust: embedded" in cli("status", *at).out
    assert "trust: embedded" in cli("status", TASK, *at).out


def test_one_byte_changed_in_any_entry_is_named(home: Path) -> None:
    rng = random.Random(SEED)
    count = size(home)

    for seq in range(1, count + 1):
        ((data,),) = sql(home, "SELECT bytes FROM entries WHERE seq = ?", values=(seq,))
        assert isinstance(data, bytes)
        place = rng.randrange(len(data))
        changed = data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]
        unguarded(home, "UPDATE entries SET bytes = ? WHERE seq = ?", values=(changed, seq))
        # A changed link may be told of either entry it joins.
        assert_named(home, seq, seq + 1)
        unguarded(home, "UPDATE entries SET bytes = ? WHERE seq = ?", values=(data, seq))

    assert cli("ledger", "verify", "--home", str(home)).code == 0


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_byte_changed_in_the_file_itself_is_named(home: Path, place: str) -> None:
    seq = {"first": 1, "middle": size(home) // 2, "last": size(home)}[place]
    ((data,),) = sql(home, "SELECT bytes FROM entries WHERE seq = ?", values=(seq,))
    assert isinstance(data, bytes)
    file = home / "ledger.db"
    whole = file.read_bytes()
    at = whole.index(data[-60:]) + 10
    file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    assert_named(home, seq, seq + 1)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_dropped_trigger_is_named(home: Path, trigger: str) -> None:
    sql(home, f"DROP TRIGGER {trigger}")

    assert_named(home, None)
    assert trigger in cli("ledger", "verify", "--home", str(home)).out


def _deleted(home: Path) -> tuple[int, ...]:
    unguarded(home, "DELETE FROM entries WHERE seq = 4")
    return (4,)


def _cut_off(home: Path) -> tuple[int, ...]:
    last = size(home)
    unguarded(home, "DELETE FROM entries WHERE seq = ?", values=(last,))
    return (last,)


def _appended(home: Path) -> tuple[int, ...]:
    last = size(home)
    sql(
        home,
        "INSERT INTO entries SELECT seq + 1, task, type, bytes FROM entries WHERE seq = ?",
        values=(last,),
    )
    return (last + 1,)


@pytest.mark.parametrize("tamper", [_deleted, _cut_off, _appended])
def test_rows_deleted_cut_off_or_added_are_named(
    home: Path, tamper: Callable[[Path], tuple[int, ...]]
) -> None:
    (seq,) = tamper(home)

    assert_named(home, seq)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET task = 'X' WHERE seq = 3",
        "DELETE FROM entries WHERE seq = 3",
        "REPLACE INTO entries SELECT 3, task, type, bytes FROM entries WHERE seq = 4",
        "INSERT INTO entries SELECT 900, task, type, bytes FROM entries WHERE seq = 4",
    ],
)
def test_with_its_triggers_the_file_refuses_the_careless(home: Path, statement: str) -> None:
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        sql(home, statement)

    assert cli("ledger", "verify", "--home", str(home)).code == 0


def test_a_tampered_ledger_is_told_the_same_by_a_process_of_its_own(home: Path, tmp_path: Path) -> None:
    (seq,) = _deleted(home)

    ran = cli_process("ledger", "verify", "--home", str(home), cwd=tmp_path)

    assert ran.code == 4
    assert f"first bad: entry {seq}" in ran.out
