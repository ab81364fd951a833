"""A home checked from its entries, and what is derived from them made anew on request.

    1. Under the writers' lock: check, then put objects and readable copies back or erase them. What the disk
       refuses is not said to be repaired. A crash here leaves the rest to the next repair.
    2. The file is repaired in one commit, with a row that says what was put right there and before.
    3. The repair is recorded as an entry, which takes the row away. A crash before leaves the row, which the
       next check finds and the next repair records.

A ledger in a database is checked and not repaired: its owner would have to take the guards down for that.

Entries are never changed. Where they are in doubt, nothing is: what is derived from them would be as wrong.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.fsck.kept import Kept
from phasegate.engine.app.fsck.rows import STATEMENT, Rows
from phasegate.engine.app.home import Home, marked_ledger
from phasegate.engine.core.errors import IntegrityError, NotEvaluated
from phasegate.engine.core.ledger_events import REPAIRS_IN_ENTRY_MAX, LedgerRepaired
from phasegate.ledger.filelock import LOCK_SUFFIX, read_mark
from phasegate.ledger.fsck.file_check import check_file
from phasegate.ledger.fsck.finding import Finding, Level, damage
from phasegate.ledger.fsck.repairing import REPAIR_ROW, alone, repair_file
from phasegate.ledger.fsck.store_check import StoreCheck, Watchers, WatchersOf
from phasegate.ledger.fsck.stored import StoredRow
from phasegate.ledger.objects import ObjectStore
from phasegate.ledger.store import Projection
from phasegate.ledger.witness import replace_durably

EXIT_INTEGRITY: Final = 4
PLACE_CHARS_MAX: Final = 300
_UNREAD: Final = ("entry_malformed", "entry_missing", "entry_unreadable", "entry_number")
_RECORD: Final = "`engine ledger fsck --repair` records it"


@dataclass(slots=True)
class Checked:
    """What a check found, and what a repair did.

    Attributes:
        store: the check of the stored ledger; its findings are among `findings`.
        findings: every difference that stands.
        repaired: those that were put right, as they were found.
        refused: why nothing was repaired; empty where nothing was refused.
        entry: number of the entry that records the repair; 0 without one.
    """

    store: StoreCheck
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    repaired: list[Finding] = field(default_factory=list)
    refused: str = ""
    entry: int = 0

    @property
    def exit_code(self) -> int:
        """0 when nothing but leftovers was found, else 4."""
        found = {finding.level for finding in self.findings}
        return EXIT_INTEGRITY if found - {Level.LEFTOVER} or self.unchecked else 0

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "ok": not self.exit_code,
            "ledger": self.store.ledger,
            "entries": self.store.size,
            "root": self.store.root.hex(),
            "findings": [finding.json() for finding in self.findings],
            "counts": dict(Counter(str(finding.level) for finding in self.findings)),
            "not_checked": self.unchecked,
            "repaired": [finding.json() for finding in self.repaired],
            "refused": self.refused,
            "entry": self.entry,
        }


def check_home(home: Home) -> Checked:
    """Check a home, reading only.

    Raises:
        IntegrityError: there is no ledger in it.
        StoreError: the database with its ledger cannot be reached, has it no more, or refuses.
    """
    if home.database:
        found = _checked(home, lambda watchers: _check_database(home, watchers))
        found.findings = [finding.by_hand() for finding in found.findings]
        return found
    _demand_file(home)
    # Before the snapshot: the mark is written behind a commit, so it is never ahead of what follows.
    mark = read_mark(Path(f"{home.ledger}{LOCK_SUFFIX}"))
    return _checked(home, lambda watchers: check_file(home.ledger, mark, watchers))


def repair_home(home: Home) -> Checked:
    """Check a home, make anew what is derived, record that, and check again.

    Raises:
        NotEvaluated: its ledger is in a database.
        IntegrityError: there is no ledger in it.
        StoreFailed: the file cannot be written; nothing was changed.
        StoreBusy: it is being written all the time.
    """
    if home.database:
        raise NotEvaluated(
            "the ledger of this home is in PostgreSQL, and repairs are made in ledger files only",
            "`engine ledger fsck` without `--repair` names every difference and what to do about it",
        )
    _demand_file(home)
    with alone(home.ledger) as (lock, mark):
        before = _checked(home, lambda watchers: check_file(home.ledger, mark, watchers))
        todo = [finding for finding in before.findings if finding.level is Level.DERIVED]
        if not before.store.leaves_hold or before.unchecked:
            before.refused = "the entries are in doubt, and all that could be repaired is made from them"
            return before
        if not todo:
            return before
        made = [finding for finding in todo if finding.code != "repair_unrecorded" and _put(home, finding)]
        report = orjson.dumps([finding.json() for finding in made]) if made else b""
        repair_file(home.ledger, made, report, before.store.size)
        lock.write_mark(before.store.end.encode())
    entry = _record(home)
    after = check_home(home)
    after.repaired, after.entry = made, entry
    return after


def _demand_file(home: Home) -> None:
    if not home.ledger.is_file():
        text = f"`{home.root}` is a home, and its ledger is gone"
        raise IntegrityError(text, "restore the home from a backup")


def _check_database(home: Home, watchers: WatchersOf) -> StoreCheck:
    from phasegate.ledger.fsck.database import check_database  # noqa: PLC0415 - an extra

    try:
        ledger = marked_ledger(home)
    except IntegrityError:
        ledger = None  # found below, and what the DSN names is checked all the same
    return check_database(home.database, ledger, watchers)


def _checked(home: Home, check: Callable[[WatchersOf], StoreCheck]) -> Checked:
    kept, rows = Kept(home.root), list[Rows]()

    def watchers(stored: list[StoredRow]) -> Watchers:
        rows.append(Rows(_Definitions(home), _statements(stored)))
        return (rows[0].take, kept.take)

    store = check(watchers)
    found = Checked(store, [*store.findings], [*store.unchecked])
    unread = {finding.code for finding in store.findings}.intersection(_UNREAD)
    if unread:
        found.unchecked.append("rows and objects: entries that tell of them cannot be read")
    elif rows and not store.unchecked:
        found.unchecked += rows[0].unchecked
        found.findings += rows[0].findings(store.rows)
        found.findings += kept.findings(row.body for row in store.rows)
    found.findings += [_unrecorded(row) for row in store.rows if row.kind == REPAIR_ROW]
    found.findings += _marker(home, store)
    return found


def _statements(stored: Sequence[StoredRow]) -> Mapping[str, bytes]:
    """The signed envelopes that are what their digest says."""
    rows = [row for row in stored if row.kind == STATEMENT]
    return {row.key: row.body for row in rows if hashlib.sha256(row.body).hexdigest() == row.key}


def _unrecorded(row: StoredRow) -> Finding:
    text = "a repair that no entry tells of"
    return Finding(
        Level.DERIVED, "repair_unrecorded", f"projections repair/{row.key}", "nothing", text, _RECORD
    )


def _marker(home: Home, store: StoreCheck) -> list[Finding]:
    try:
        marked = marked_ledger(home)
    except IntegrityError as error:
        marked = error.message
    if not store.ledger or marked == store.ledger:
        return []
    return [damage("home", "home.json", store.ledger, marked, "restore the home from a backup")]


def _put(home: Home, finding: Finding) -> bool:
    """Put the file of a finding back, or erase it; whether it is as it should be, or there is none to write.

    What is not is found again by the check that follows.
    """
    if finding.writes is None:
        return True
    target, source = (home.root / part if part else None for part in finding.writes)
    if target is None or target.parent.resolve() != target.parent:
        return False  # a folder on the way leads out of the home
    try:
        if source is None:
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Objects are read-only, copies are what people read.
            mode = 0o444 if finding.code.startswith("object") else 0o644
            replace_durably(target, source.read_bytes(), mode)
    except OSError:
        return False
    return True


def _record(home: Home) -> int:
    """Record every repair that no entry tells of; returns the number of the last entry."""
    objects, seq = ObjectStore(home.objects), 0
    with Engine.open(home.root) as engine:
        for row in list(engine.store.projections(REPAIR_ROW)):
            places = [f"{item['code']} {item['place']}"[:PLACE_CHARS_MAX] for item in orjson.loads(row.body)]
            event = LedgerRepaired(
                count=len(places), first=tuple(places[:REPAIRS_IN_ENTRY_MAX]), report=objects.put(row.body)
            )
            seq = engine.record_repair(event, Projection(REPAIR_ROW, row.key, None)).seq
    return seq


class _Definitions:
    """Reads process definitions, each once."""

    def __init__(self, home: Home) -> None:
        self._root = home.objects
        self._known: dict[str, Mapping[str, Any] | None] = {}

    def __call__(self, digest: str) -> Mapping[str, Any] | None:
        if digest not in self._known:
            self._known[digest] = self._read(digest)
        return self._known[digest]

    def _read(self, digest: str) -> Mapping[str, Any] | None:
        try:
            data = (self._root / "sha256" / digest[:2] / digest).read_bytes()
            said = orjson.loads(data)
        except (OSError, ValueError):
            return None
        right = hashlib.sha256(data).hexdigest() == digest and isinstance(said, dict)
        return said if right else None
