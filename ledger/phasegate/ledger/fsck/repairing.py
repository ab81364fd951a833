"""Repairs of a ledger file: what is derived is made anew in one commit, no entry is touched.

    1. The writers' lock: nobody commits between the check and the repair.
    2. The check. Where the entries are in doubt, nothing is repaired.
    3. One transaction: the guards of tiles and leases down, the steps, the guards and indices up again, and a
       row that says what was repaired. A crash before its commit leaves all as it was.

Whoever repairs then records the row as an entry, which takes it away; a crash in between leaves the row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from phasegate.ledger.errors import StoreFailed
from phasegate.ledger.filelock import LOCK_SUFFIX, WriterLock, read_mark
from phasegate.ledger.fsck.finding import Finding, Step
from phasegate.ledger.fsck.layout import shipped
from phasegate.ledger.fsck.raw_file import READ_ERRORS
from phasegate.ledger.fsck.stored import row_step

REPAIR_ROW: Final = "repair"
LOCK_WAIT_MS: Final = 60_000
_GUARDED: Final = (
    "tiles_insert",
    "tiles_update",
    "tiles_delete",
    "leases_insert",
    "leases_update",
    "leases_delete",
)
_NAMES: Final = "SELECT name FROM sqlite_schema"


@contextmanager
def alone(path: Path) -> Iterator[tuple[WriterLock, bytes]]:
    """Hold the writers' lock of a ledger file; gives it, and the mark that is kept in it.

    Raises:
        StoreBusy: Somebody else held it for a minute.
    """
    place = Path(f"{path}{LOCK_SUFFIX}")
    lock = WriterLock(place)
    try:
        lock.acquire(LOCK_WAIT_MS)
        yield lock, read_mark(place)
    finally:
        lock.close()


def repair_file(path: Path, findings: Sequence[Finding], report: bytes, size: int) -> None:
    """Do what repairs the file, in one commit; the writers' lock is held.

    Args:
        path: The ledger file.
        findings: What was found; those without steps are passed over.
        report: What the row that tells of the repair holds.
        size: How many entries there are.

    Raises:
        StoreFailed: The database refused; nothing was changed.
    """
    steps = [step for finding in findings for step in finding.steps]
    if not steps and not report:
        return
    made_last = [step for step in steps if step.sql.startswith(("CREATE", "REINDEX"))]
    others = [step for step in steps if step not in made_last]
    if report:
        others.append(row_step(REPAIR_ROW, hashlib.sha256(report).hexdigest(), size, report))
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(10_000)
            connection.execute("PRAGMA synchronous=FULL")
            with connection:
                _apply(connection, others, made_last)
        finally:
            connection.close()
    except READ_ERRORS as error:
        raise StoreFailed(f"`{path}` was not repaired: {str(error).lower()}; restore a good copy") from error


def _apply(connection: apsw.Connection, others: Sequence[Step], made_last: Sequence[Step]) -> None:
    touched = {table for table in ("tiles", "leases") for sql, _ in others if f" {table} " in sql}
    stored = {str(name) for (name,) in connection.execute(_NAMES)}
    lifted = [name for name in _GUARDED if name in stored and name.partition("_")[0] in touched]
    for name in lifted:
        connection.execute(f"DROP TRIGGER {name}")
    # What does not belong into the file first, so that no trigger of somebody's sees the rest.
    for sql, values in sorted(others, key=lambda step: not step.sql.startswith("DROP")):
        connection.execute(sql, values)
    # After the rows: a unique index can only be made over rows that are right.
    for sql, _ in made_last:
        connection.execute(sql)
    stored = {str(name) for (name,) in connection.execute(_NAMES)}
    for name in lifted:
        if name not in stored:
            connection.execute(shipped()[name][1])
