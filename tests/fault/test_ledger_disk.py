"""Every system call that writes a ledger file failed in turn: what was acknowledged is there, and nothing twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from contract.ledger_store_contract import CREATED, LEDGER, at, draft
from failing_disk import Disk, Failure, failing_disk

from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import StoreError, VersionConflict
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite
from phasegate.ledger.store import Expect, Projection

BEFORE = 3
CALLS_MAX = 80
UNKNOWN = "whether it was committed is not known"


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A disk that is sound until it is told otherwise."""
    with failing_disk() as disk:
        yield disk


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A ledger of three entries that is in use: its log is not folded into the file."""
    path = tmp_path / "original" / "ledger.db"
    path.parent.mkdir()
    with closing(SqliteStore.create(path, LEDGER, at=CREATED)) as store:
        for number in range(1, BEFORE + 1):
            write(store, number)
        copy(path.parent, tmp_path / "open")
    return tmp_path / "open" / "ledger.db"


def copy(source: Path, to: Path) -> Path:
    """What is on the disk at this moment; shared memory is not."""
    to.mkdir()
    for file in source.glob("ledger.db*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, to / file.name)
    return to / "ledger.db"


def write(store: SqliteStore, number: int) -> tuple[Entry, ...]:
    """Append two entries, if as many of these pairs stand as there should."""
    row = store.projection("task", "IMP-1")
    return store.append(
        [draft(number, payload={"number": number, "half": half, "long": "x" * 3000}) for half in (1, 2)],
        at=at(number),
        projections=[Projection("task", "IMP-1", b"%d" % number)],
        expect=[Expect("task", "IMP-1", row.seq if row else 0)],
    )


def on(disk: Disk, path: Path) -> SqliteStore:
    """The ledger, opened on a disk."""
    with disk.under():
        return SqliteStore.open(path)


def numbers(path: Path) -> list[int]:
    """The pairs that stand; the ledger verifies, and no pair is halved."""
    found = verify_sqlite(path)
    assert found.ok, found.problem
    with closing(SqliteStore.open(path)) as store:
        halves = [entry.payload["number"] for entry in store.entries()]
    assert halves == sorted(halves)
    assert halves[::2] == halves[1::2]
    return halves[::2]


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("failure", Failure)
def test_given_any_write_of_an_append_that_fails_then_it_is_refused_or_holds_and_nothing_is_doubled(
    disk: Disk, original: Path, tmp_path: Path, failure: Failure, lasting: object
) -> None:
    kinds = set()
    for at_call in range(1, CALLS_MAX):
        path = copy(original.parent, tmp_path / f"{at_call}")
        told, holds = "", [*range(1, BEFORE + 1)]
        with closing(on(disk, path)) as store:
            disk.reset(failure, at_call, lasting=bool(lasting))
            try:
                for number in (BEFORE + 1, BEFORE + 2):
                    write(store, number)
                    holds.append(number)
            except StoreError as error:
                told = str(error)
            failed = len(disk.calls) >= at_call
            kinds |= set(disk.calls[at_call - 1 : at_call])
            disk.reset()

            # What another process finds if this one dies now.
            refused = holds[-1] + 1
            crashed = numbers(copy(path.parent, tmp_path / f"crashed-{at_call}"))
            assert crashed in (holds, [*holds, refused]) if told else crashed == holds, (at_call, told)
            assert crashed == holds or UNKNOWN in told, (at_call, told)

            # It goes on, and does again what it was refused.
            with suppress(VersionConflict):
                write(store, refused)
            write(store, refused + 1)
        assert numbers(path) == [*range(1, refused + 2)], (at_call, told)
        if not failed:
            break
    assert not failed, "there are more calls than were tried"
    assert kinds == {"write log", "sync log", "write mark"}


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("failure", Failure)
def test_given_any_write_of_a_close_that_fails_then_nothing_is_lost(
    disk: Disk, original: Path, tmp_path: Path, failure: Failure, lasting: object
) -> None:
    kinds = set()
    for at_call in range(1, CALLS_MAX):
        path = copy(original.parent, tmp_path / f"{at_call}")
        store = on(disk, path)
        write(store, BEFORE + 1)
        disk.reset(failure, at_call, lasting=bool(lasting))
        with suppress(StoreError):
            store.close()
        kinds |= set(disk.calls[at_call - 1 : at_call])
        failed = len(disk.calls) >= at_call
        disk.reset()
        assert numbers(path) == [*range(1, BEFORE + 2)], at_call
        if not failed:
            break
    assert not failed, "there are more calls than were tried"
    assert {"write file", "sync file"} <= kinds
