"""A tree of ledgers verified: each child against every checkpoint that its parent holds of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.children.holding import Held, held_in
from phasegate.engine.app.home import MARKER, database_of
from phasegate.engine.app.paths import decode_path
from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.ledger.errors import LedgerError, NoteError, StoreBusy, StoreFailed, StoreMissing
from phasegate.ledger.note_keys import check_signed
from phasegate.ledger.notes import parse_note
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import kind_of, verify_path
from phasegate.ledger.rotation import ROTATED, key_chain
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.store import Store

DEPTH_MAX: Final = 16
EXIT_NOT_EVALUATED, EXIT_INTEGRITY = 3, 4


class Standing(StrEnum):
    """How a child stands to what is held of it.

    Attributes:
        HOLDS: it begins with every checkpoint held.
        BEHIND: it has fewer entries than a checkpoint held: it was cut or put back.
        FORKED: it has another root at a size held: it was rewritten, or has forked.
        MISSING: there is no ledger where it was.
        DAMAGED: its entries do not hold, or it is another ledger.
        KEY: a checkpoint held is signed by a key that its own entries do not lead to, or not signed.
        UNKNOWN: nobody said where it is, or its database did not answer.
    """

    HOLDS = "holds"
    BEHIND = "behind"
    FORKED = "forked"
    MISSING = "missing"
    DAMAGED = "damaged"
    KEY = "key"
    UNKNOWN = "unknown"


_STANDINGS: Final = {
    "truncated": Standing.BEHIND,
    "checkpoint_mismatch": Standing.FORKED,
    "two_roots": Standing.FORKED,
}


@dataclass(slots=True)
class Child:
    """A child as it was found.

    Attributes:
        ledger: its id.
        place: where it was looked for.
        held: entries that the last checkpoint held covers.
        entries: entries it has; 0 where it could not be read.
        detail: what is wrong, or what was not looked at, in words.
        children: its own, if it is a parent.
    """

    ledger: str
    standing: Standing
    held: int
    place: str = ""
    entries: int = 0
    detail: str = ""
    children: list[Child] = field(default_factory=list)

    @property
    def uncovered(self) -> int:
        """Entries that came since the last checkpoint held."""
        return max(self.entries - self.held, 0)

    def json(self) -> dict[str, Any]:
        """As plain data."""
        said = {**asdict(self), "standing": str(self.standing), "uncovered": self.uncovered}
        return {**said, "children": [child.json() for child in self.children]}

    def every(self) -> Iterator[Child]:
        """This one and all below it."""
        yield self
        for child in self.children:
            yield from child.every()


def exit_code(children: Sequence[Child]) -> int:
    """0 when every child holds, 3 when one was not looked at, 4 when one does not hold."""
    found = {one.standing for child in children for one in child.every()} - {Standing.HOLDS}
    if not found:
        return 0
    return EXIT_NOT_EVALUATED if found == {Standing.UNKNOWN} else EXIT_INTEGRITY


def verify_children(store: Store, places: Mapping[str, Path], above: tuple[str, ...] = ()) -> list[Child]:
    """Verify the children of a ledger and theirs in turn, by their ids.

    Args:
        store: the parent; its own entries were verified by the caller.
        places: where children are, by id, for those that are no longer where they were.
        above: ids of the ledgers above, in which a tree must not end up again.
    """
    held: dict[str, list[Held]] = {}
    for item in held_in(store):
        held.setdefault(item.child, []).append(item)
    path = (*above, store.ledger)
    return [_child(items, places, path) for _, items in sorted(held.items())]


def _child(held: list[Held], places: Mapping[str, Path], above: tuple[str, ...]) -> Child:
    name, last = held[-1].child, held[-1].checkpoint.size
    fault = _unsigned(held)
    if fault:
        return Child(name, Standing.KEY, last, detail=fault)
    if name in above or len(above) > DEPTH_MAX:
        return Child(name, Standing.DAMAGED, last, detail="the tree leads back to it, or is too deep")
    place = places.get(name) or (decode_path(held[-1].place) if held[-1].place else None)
    if place is None:
        return Child(name, Standing.UNKNOWN, last, detail="nobody said where it is: `--child PATH`")
    found = Child(name, Standing.HOLDS, last, str(place))
    try:
        ledger = database_of(place, {}) or (place / "ledger.db" if (place / MARKER).is_file() else place)
        if isinstance(ledger, Path) and not ledger.exists():
            found.standing, found.detail = Standing.MISSING, "there is no ledger any more"
        else:
            _look(found, ledger, held, places, above)
    except _Unreached as error:
        found.standing, found.detail = Standing.UNKNOWN, str(error)
    except StoreMissing as error:
        found.standing, found.detail = Standing.MISSING, str(error)
    except (LedgerError, OSError) as error:
        found.standing, found.detail = Standing.DAMAGED, str(error)
    except IntegrityError as error:
        found.standing, found.detail = Standing.DAMAGED, error.message
    return found


class _Unreached(Exception):
    """A database that does not answer: its ledger may hold."""


def _look(
    found: Child, ledger: Path | str, held: list[Held], places: Mapping[str, Path], above: tuple[str, ...]
) -> None:
    """Look at a child in a file or a folder of tiles, or in the database of a DSN."""
    notes = tuple(dict.fromkeys(item.note.encode() for item in held))
    try:
        report = verify_path(ledger, Terms(ledger=found.ledger, previous=notes))
    except (StoreFailed, StoreBusy, ModuleNotFoundError) as error:
        if isinstance(ledger, Path):
            raise
        raise _Unreached(f"its database was not looked at: {error}") from None
    found.entries = report.chain.entries
    problem = report.chain.problem
    if problem is not None:
        found.standing = _STANDINGS.get(problem.code, Standing.DAMAGED)
        found.detail = f"{problem.code}: {problem.message}"
        return
    store = _store_of(ledger, found.ledger)
    if store is None:
        found.detail = "not looked at: its keys and children, which only a ledger and no export tells of"
        return
    try:
        fault = _key_fault(store, held)
        if fault:
            found.standing, found.detail = Standing.KEY, fault
        found.children = verify_children(store, places, above)
    finally:
        store.close()


def _store_of(ledger: Path | str, name: str) -> Store | None:
    """The ledger, to be read; None for an export."""
    if isinstance(ledger, Path):
        return SqliteStore.open(ledger, readonly=True) if kind_of(ledger) == "sqlite" else None
    from phasegate.ledger.postgres import PostgresStore  # noqa: PLC0415 - an extra

    return PostgresStore.open(ledger, name, readonly=True)


def _unsigned(held: Sequence[Held]) -> str:
    """What is wrong with what the parent itself holds."""
    for item in held:
        try:
            check_signed(parse_note(item.note.encode()), item.log)
        except NoteError as error:
            return f"entry {item.seq} of the parent: {error}"
        if item.checkpoint.origin != item.child:
            return f"entry {item.seq} of the parent holds a checkpoint of another ledger than it names"
    return ""


def _key_fault(store: Store, held: Sequence[Held]) -> str:
    """Whether the child's entries lead from the first key to every later one."""
    try:
        chain = key_chain(store.ledger, store.entries(task=LEDGER_STREAM, type=ROTATED), held[0].log)
        for item in held:
            chain.check(parse_note(item.note.encode()), store.ledger)
    except NoteError as error:
        return str(error)
    return ""
