"""Homes with everything that is kept beside the entries in them, and one thing broken at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
from checkpointed_homes import leave, work
from guarded_homes import TASK, guarded_home

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.fsck.checking import Checked, check_home
from phasegate.engine.app.home import Home
from phasegate.engine.core.errors import NotEvaluated
from phasegate.ledger.filelock import LOCK_SUFFIX
from phasegate.ledger.note_keys import NoteSigner
from phasegate.policies.model import FlagMode

Break = Callable[[Path], None]


def rich_home(folder: Path, *, database: str = "") -> Path:
    """A home with tasks, people, a flag, a lease, a checkpoint, one that is due, and more than 256 entries.

    Args:
        folder: where it goes.
        database: DSN of a PostgreSQL database for its ledger; without it that is a file.
    """
    guarded = guarded_home(folder, database=database)
    guarded.open_task()
    guarded.bring_to("REVIEW")
    with guarded.engine() as engine:
        engine.flags.set(guarded.process, "REVIEW/sections", FlagMode.OBSERVE, "try it", guarded.keys["olga"])
        work(engine, folder, "T-2")
        engine.checkpoints.make()
        engine.open_task("T-3", guarded.process)
        engine.leases.release("T-3", engine.leases.acquire("T-3").epoch)
        lease = engine.leases.acquire("T-3")
    with guarded.engine(lease=lease.epoch) as engine:
        assert engine.add_evidence("T-3", [guarded.write("plan.md")]).accepted
    with guarded.engine() as engine:
        for _ in range(230):
            assert not engine.advance("T-2", "A").accepted
        leave(engine, "T-2", folder, "C")
        engine.checkpoints._signer = _no_key
        work(engine, folder, "T-4")
    return guarded.root


def _no_key() -> NoteSigner:
    raise NotEvaluated("the key cannot be reached")


def copy_of(home: Path, folder: Path) -> Path:
    """A copy to break."""
    copy = folder / "copy"
    shutil.copytree(home, copy)
    return copy


def found(home: Path) -> Checked:
    """What a check finds."""
    return check_home(Home(home.resolve()))


def codes(checked: Checked) -> list[tuple[str, str]]:
    """Code and place of all that was found but leftovers."""
    return [(item.code, item.place) for item in checked.findings if item.level != "leftover"]


def sql(*statements: str) -> Break:
    """Edit the file, with the guards of its tables down meanwhile."""

    def broken(home: Path) -> None:
        connection = apsw.Connection(str(home / "ledger.db"))
        guards = list(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, text in guards:
            connection.execute(str(text))
        connection.close()

    return broken


def raw_sql(*statements: str) -> Break:
    """Edit the file as it is; its schema can be written, too."""

    def broken(home: Path) -> None:
        connection = apsw.Connection(str(home / "ledger.db"))
        connection.execute("PRAGMA writable_schema=ON")
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return broken


def mark(content: bytes) -> Break:
    """Write something else into the mark beside the file."""

    def broken(home: Path) -> None:
        Path(f"{home / 'ledger.db'}{LOCK_SUFFIX}").write_bytes(content)

    return broken


def file(place: Callable[[Path], Path], content: bytes | None) -> Break:
    """Change a file of the home, or remove it."""

    def broken(home: Path) -> None:
        path = place(home)
        path.chmod(0o644)
        path.unlink()
        if content is not None:
            path.write_bytes(content)

    return broken


def object_named(kind: str, name: str, task: str = TASK) -> Callable[[Path], Path]:
    """The object that the first such entry of a task names."""

    def place(home: Path) -> Path:
        digest = _first(home, kind, task).payload[name]
        return home / "objects" / "sha256" / str(digest)[:2] / str(digest)

    return place


def _first(home: Path, kind: str, task: str) -> Any:
    with Engine.open(home, readonly=True) as engine:
        return next(engine.store.entries(task=task, type=kind))
