"""Promise: with `--ledger postgresql://...` commands work over a ledger in PostgreSQL, and no password is kept."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from engine_drivers import Ran, cli, validate_checkpoint
from postgres_server import Server, run
from small_processes import with_witness

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.home import DATABASE
from phasegate.engine.core.errors import BadInput

TASK = "PG-1"
SECRET = "s3cret@word"
WORK = """
import os, pathlib
pathlib.Path("junit.xml").write_text(
    '<testsuite tests="1" failures="0" errors="0" skipped="0"><testcase classname="t" name="one"/></testsuite>'
)
print(sorted(os.environ.items()))
"""


@dataclass(frozen=True)
class Place:
    """A home whose ledger is in a database.

    Attributes:
        home: the home.
        dsn: the database, with a password that this server does not ask for.
        files: a folder for what is handed in.
        said: what every command printed.
    """

    home: Path
    dsn: str
    files: Path
    said: list[str]

    def ask(self, *args: str, tail: tuple[str, ...] = (), **environ: str) -> Ran:
        """One command."""
        ran = cli(*args, "--home", str(self.home), *tail, environ=environ)
        self.said.append(ran.out + ran.err)
        return ran

    def do(self, *args: str, tail: tuple[str, ...] = (), **environ: str) -> Ran:
        """One command that takes effect."""
        ran = self.ask(*args, tail=tail, **environ)
        assert ran.code == 0, ran
        return ran

    def hand_in(self, name: str) -> None:
        """Write a file and add it."""
        (self.files / name).write_text('{"on": true}' if name.endswith("json") else f"{name}, at length\n")
        self.do("evidence", "add", TASK, str(self.files / name))


@pytest.fixture(scope="module")
def finished(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Given a task that was done from its opening to its end by the command line, over PostgreSQL."""
    folder = tmp_path_factory.mktemp("work")
    dsn = postgres.database().replace("//postgres:", f"//postgres:{SECRET.replace('@', '%40')}")
    place = Place(folder / "state", dsn, folder, [])
    process = folder / "process.yaml"
    process.write_text(yaml.safe_dump(with_witness().model_dump(mode="json", exclude_defaults=True)))
    place.do("init", "--ledger", dsn)
    place.do("open", TASK, "--process", str(process))
    epoch = place.do("lease", "acquire", TASK, "--json").out
    place.do("lease", "release", TASK, str(json.loads(epoch)[0]["epoch"]))
    place.hand_in("draft.md")
    place.do("advance", TASK)
    command = ("--", sys.executable, "-c", WORK)
    assert place.ask("advance", TASK).code == 1, "the gate is shut without what is to be witnessed"
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        place.do(
            "witness", TASK, "--junit", "junit.xml", tail=command, PGPASSWORD=SECRET, PHASEGATE_LEDGER=dsn
        )
    place.do("advance", TASK)
    place.hand_in("note.md")
    place.hand_in("flag.json")
    place.do("advance", TASK)
    return place


def test_a_whole_task_is_completed_and_told_and_verified(finished: Place) -> None:
    status = finished.do("status", TASK, "--json").json
    audit = validate_checkpoint("--json", "--home", str(finished.home))
    verified = finished.do("ledger", "verify", "--json").json
    elsewhere = finished.do("ledger", "verify", finished.dsn, "--json").json

    assert status["tasks"][0]["status"] == "completed"
    assert (audit.code, audit.json["result"]) == (0, "pass"), audit
    assert not (finished.home / "ledger.db").exists()
    assert verified["entries"] == elsewhere["entries"] == status["ledger"]["entries"]
    assert (verified["head"], elsewhere["kind"]) == (status["ledger"]["head"], "postgres")
    assert "triggers" in " ".join(elsewhere["checked"])
    assert "task completed" in finished.do("history", TASK).out
    assert TASK in cli("--ledger", finished.dsn, "--home", str(finished.home), "status").out


def test_every_export_is_made_of_it_and_holds_elsewhere(finished: Place, tmp_path: Path) -> None:
    finished.do("ledger", "checkpoint")
    note = tmp_path / "note"
    note.write_text(finished.do("ledger", "checkpoint", "--json").json["note"])
    for format_ in ("tiles", "jsonl", "bundle"):
        finished.do("ledger", "export", str(tmp_path / format_), "--format", format_)
        finished.do("ledger", "verify", str(tmp_path / format_), "--checkpoint", str(note))
    finished.do("ledger", "export", str(tmp_path / "ledger.db"), "--format", "sqlite")
    held = finished.do("ledger", "verify", finished.dsn, "--previous", str(note), "--json").json
    assert any("previous checkpoint" in line for line in held["checked"])


def test_a_task_is_exported_from_it_in_every_format(finished: Place, tmp_path: Path) -> None:
    for format_ in ("bundle", "statements", "in-toto"):
        finished.do("task", "export", TASK, str(tmp_path / format_), "--format", format_)
    audited = validate_checkpoint(str(tmp_path / "bundle"), "--json")
    assert [task["task"] for task in audited.json["tasks"]] == [TASK], audited
    assert audited.json["tasks"][0]["faults"] == []
    assert (
        len((tmp_path / "statements").read_bytes().splitlines()) >= 4
    )  # three gates and a witnessed command
    assert sorted(path.suffix for path in (tmp_path / "in-toto").glob("*.l*")) == [".layout", *[".link"] * 3]


def test_it_is_published_proven_and_held_by_a_parent(finished: Place, tmp_path: Path) -> None:
    finished.do("ledger", "publish", "--to", str(tmp_path / "published"))
    again = finished.do("ledger", "publish", "--to", str(tmp_path / "published"), "--json").json
    assert again["changed"] is False
    assert finished.do("ledger", "inclusion", "1", "--json").json["hashes"]
    assert finished.do("ledger", "proof", "--from", "1", "--json").json["hashes"]

    parent = ("--home", str(tmp_path / "parent"))
    assert cli("init", *parent).code == 0
    key = finished.do("keys", "show", "--vkey").out.strip()
    held = cli("ledger", "hold", str(tmp_path / "published/checkpoint"), "--log", key, *parent)
    assert held.code == 0, held
    tree = cli("ledger", "verify", "--tree", "--child", str(finished.home), "--json", *parent)
    (child,) = tree.json["children"]
    assert (tree.code, child["standing"]) == (0, "holds")
    assert child["entries"] == child["held"] > 0


def test_what_is_kept_beside_its_entries_is_checked_and_repairs_are_said_to_be_of_files(
    finished: Place,
) -> None:
    checked = finished.do("ledger", "fsck", "--json").json
    assert checked["ok"], checked
    assert checked["entries"] == finished.do("status", "--json").json["ledger"]["entries"]
    ran = finished.ask("ledger", "fsck", "--repair")
    assert (ran.code, "repairs are made in ledger files only" in ran.err) == (3, True), ran


def test_no_password_is_kept_said_or_passed_on(finished: Place) -> None:
    with Engine.open(finished.home, readonly=True) as engine:
        entries = b"".join(row.bytes for row in engine.store.raw())
    kept = b"".join(path.read_bytes() for path in finished.home.rglob("*") if path.is_file())
    said = "".join(finished.said).encode()
    for text in (SECRET, SECRET.replace("@", "%40")):
        assert text.encode() not in entries + kept + said
    assert b"'PATH'" in kept, "the command's environment was printed, and its output kept"
    assert json.loads((finished.home / "ledger.json").read_bytes())["database"].startswith(
        "postgresql://postgres@"
    )


def test_roles_work_in_it_and_one_without_rights_is_told_the_remedy(
    finished: Place, postgres: Server
) -> None:
    writer, stranger = "home_writer", "home_stranger"
    run(postgres.dsn, *(f"CREATE ROLE {role} LOGIN" for role in (writer, stranger)))
    finished.do("ledger", "grant", writer)
    as_role = {role: finished.dsn.replace("//postgres:", f"//{role}:") for role in (writer, stranger)}
    finished.do("open", "PG-2", "--process", "evaluation", PHASEGATE_LEDGER=as_role[writer])
    finished.do("ledger", "verify", PHASEGATE_LEDGER=as_role[writer])

    refused = finished.ask("status", PHASEGATE_LEDGER=as_role[stranger])
    granted = finished.ask("ledger", "grant", stranger, PHASEGATE_LEDGER=as_role[writer])
    assert (refused.code, granted.code) == (3, 3)
    assert "permission denied" in refused.err
    assert "remedy: have the owner grant the role its rights" in refused.err
    assert "connect as its owner" in granted.err


def test_an_owner_migrates_it_and_a_file_has_neither_roles_nor_migrations(
    finished: Place, tmp_path: Path
) -> None:
    assert finished.do("ledger", "migrate").out.startswith("0 migrations")
    cli("init", "--home", str(tmp_path / "state"))
    for command in (("migrate",), ("grant", "anna")):
        ran = cli("ledger", *command, "--home", str(tmp_path / "state"))
        assert (ran.code, "is a file" in ran.err) == (2, True), ran


def test_a_tampered_row_is_named_with_exit_4(postgres: Server, tmp_path: Path) -> None:
    place = Place(tmp_path / "state", f"{postgres.database()}&schema=mine", tmp_path, [])
    place.do("init", "--ledger", place.dsn)
    place.do("open", TASK, "--process", "evaluation")
    run(
        place.dsn, "ALTER TABLE entries DISABLE TRIGGER ALL", "UPDATE entries SET task = 'PG-9' WHERE seq = 1"
    )
    for args in (("ledger", "verify", "--json"), ("ledger", "verify", place.dsn, "--json")):
        ran = place.ask(*args)
        assert (ran.code, ran.json["problem"]["code"]) == (4, "column_mismatch"), ran


def test_a_second_home_does_not_take_a_ledger_that_is_in_use(finished: Place, tmp_path: Path) -> None:
    kept = json.loads((finished.home / "ledger.json").read_bytes())["database"]
    ran = cli("init", "--ledger", kept, "--home", str(tmp_path / "other"))
    assert (ran.code, "is in use by another home" in ran.err) == (2, True), ran
    assert cli("status", "--home", str(tmp_path / "other")).code == 2


def test_an_init_that_was_killed_is_repeated_on_the_ledger_it_had_made(database: str, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr("phasegate.engine.app.engine.mark_home", killed)
        with pytest.raises(KeyboardInterrupt):
            Engine.init(tmp_path / "state", ledger=database)
    with Engine.init(tmp_path / "state", ledger=database) as engine:
        assert engine.store.head().size == 0
    ((count,),) = run(database, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ledger_%'")[0]
    assert count == 1


def test_an_empty_ledger_that_its_owner_made_is_taken(database: str, tmp_path: Path) -> None:
    from phasegate.ledger.postgres import PostgresStore

    PostgresStore.create(f"{database}&schema=acme", "acme/app", at="2026-01-01T00:00:00.000000Z").close()
    with Engine.init(tmp_path / "state", ledger=f"{database}&schema=acme") as engine:
        assert engine.store.ledger == "acme/app"
    with Engine.open(tmp_path / "state") as engine:
        assert engine.store.ledger == "acme/app"


@pytest.mark.parametrize(
    ("dsn", "code", "told"),
    [
        ("postgresql://anna:s3cret@127.0.0.1:1/x", 3, "check the server"),
        ("mysql://anna:s3cret@127.0.0.1:1/x", 2, "is no database"),
        ("host=127.0.0.1 password=s3cret", 2, "is no database"),
        ("postgresql://anna:s3cret@[/x", 3, "the DSN is not one"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_and_no_home_is_made(
    tmp_path: Path, dsn: str, code: int, told: str
) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")
    for ran in (
        cli("init", "--ledger", dsn, "--home", str(tmp_path / "state")),
        cli("init", "--home", str(tmp_path / "state"), environ={"PHASEGATE_LEDGER": dsn}),
    ):
        assert (ran.code, told in ran.err, "remedy" in ran.err) == (code, True, True), ran
        assert "s3cret" not in ran.err + ran.out
    assert cli("status", "--home", str(tmp_path / "state")).code == 2


def test_after_an_init_that_came_to_nothing_the_next_may_choose_a_file(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -e '.[dev]'")
    at = ("--home", str(tmp_path / "state"))
    assert cli("init", "--ledger", "postgresql://anna@127.0.0.1:1/x", *at).code == 3
    assert cli("init", *at).code == 0
    assert cli("status", *at).code == 0
    assert (tmp_path / "state" / "ledger.db").exists()


def test_a_server_that_is_away_is_told_and_decides_nothing(
    finished: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = "postgresql://anna:s3cret@127.0.0.1:1/x"
    for args in (("status",), ("advance", TASK), ("ledger", "verify"), ("ledger", "verify", away)):
        ran = finished.ask(*args, PHASEGATE_LEDGER=away)
        assert (ran.code, "check the server" in ran.err) == (3, True), ran
        assert "s3cret" not in ran.err + ran.out


def test_without_the_extra_the_way_to_install_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if "psycopg" in name or "ledger.postgres" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    ran = cli("init", "--ledger", "postgresql://anna@db.example/x", "--home", str(tmp_path / "state"))
    assert ran.code == 3
    assert "psycopg is not installed" in ran.err
    assert "remedy: run `pip install 'phasegate[postgres]'`" in ran.err


def test_what_the_home_keeps_is_refused_when_damaged(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state"):
        pass
    (tmp_path / "state" / "ledger.json").write_text('{"database": 5}')
    ran = cli("status", "--home", str(tmp_path / "state"))
    assert (ran.code, "is damaged" in ran.err) == (4, True), ran
    with pytest.raises(BadInput):
        Engine.open(tmp_path / "state", ledger="sqlite:///x")


def test_a_child_whose_database_does_not_answer_is_not_evaluated_and_one_that_is_not_named_is_damaged(
    finished: Place, tmp_path: Path
) -> None:
    parent, note = tmp_path / "parent", tmp_path / "child.note"
    Engine.init(parent).close()
    with Engine.open(finished.home) as engine:
        note.write_text(engine.checkpoints.make().note.encoded())
        key = engine.keys.engine_vkey().vkey
    held = cli("ledger", "hold", str(note), "--log", key, "--from", str(finished.home), "--home", str(parent))
    assert held.code == 0, held

    kept = finished.home / DATABASE
    said = kept.read_text()
    try:
        kept.write_text(json.dumps({"database": "postgresql:///gone?host=/nowhere&ledger=x"}))
        assert tree_of(parent) == (3, "unknown")
        kept.write_text("{")
        assert tree_of(parent) == (4, "damaged")
    finally:
        kept.write_text(said)


def tree_of(parent: Path) -> tuple[int, str]:
    """The exit code of verifying a tree, and how its one child stands."""
    ran = cli("ledger", "verify", "--tree", "--json", "--home", str(parent))
    (child,) = ran.json["children"]
    return ran.code, child["standing"]
