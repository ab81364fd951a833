"""Leases in a SQLite ledger file: one row each, and the clock by which they are judged in ``meta``.

`settle` and `pass_fence` work inside a transaction that the caller has begun; `find` and `list_all` are
one reading statement each. The rules are those of `leases`; this module reads and writes what they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phasegate.ledger.errors import LeaseLost, StoreCorrupt
from phasegate.ledger.leases import LEASE_CLOCK_MS_MAX, LEASE_EPOCH_MAX, Fence, Lease, check_fence, kept_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import apsw

    from phasegate.ledger.leasing import Rule
    from phasegate.ledger.sqlite_file import SqliteFile

CLOCK_DIGITS_MAX: Final = len(str(LEASE_CLOCK_MS_MAX))

# The clock comes by a subquery, because a join of the two tables takes four times as long.
_FIND: Final = (
    "SELECT (SELECT value FROM meta WHERE name = 'clock_ms'), task, phase, epoch, holder, expires_ms "
    "FROM leases WHERE task = ? AND phase = ?"
)
# The clock first, then the leases, unordered: one statement is cheaper than two, and the order costs more
# than the reading.
_FIND_TASK: Final = (
    "SELECT value, NULL, NULL, NULL, NULL, NULL FROM meta WHERE name = 'clock_ms' "
    "UNION ALL SELECT NULL, task, phase, epoch, holder, expires_ms FROM leases WHERE task = ?"
)
_LIST: Final = (
    "SELECT (SELECT value FROM meta WHERE name = 'clock_ms'), task, phase, epoch, holder, expires_ms "
    "FROM leases ORDER BY task, phase"
)
_LIST_TASK: Final = (
    "SELECT (SELECT value FROM meta WHERE name = 'clock_ms'), task, phase, epoch, holder, expires_ms "
    "FROM leases WHERE task = ? ORDER BY phase"
)
_ADD: Final = "INSERT INTO leases (epoch, holder, expires_ms, task, phase) VALUES (?, ?, ?, ?, ?)"
_CHANGE: Final = "UPDATE leases SET epoch = ?, holder = ?, expires_ms = ? WHERE task = ? AND phase = ?"
_CLOCK: Final = "SELECT value FROM meta WHERE name = 'clock_ms'"
_SET_CLOCK: Final = "UPDATE meta SET value = ? WHERE name = 'clock_ms'"


def find(file: SqliteFile, task: str, phase: str) -> Lease | None:
    """Return the latest lease on a task and phase, or None if there never was one."""
    rows = file.query(_FIND, (task, phase))
    return _lease(rows[0], _clock(rows[0][0])) if rows else None


def list_all(file: SqliteFile, task: str | None) -> Iterator[Lease]:
    """Iterate over the leases, by task and phase; only those of one task if it is given."""
    rows = file.query(_LIST) if task is None else file.query(_LIST_TASK, (task,))
    return (_lease(row, _clock(row[0])) for row in rows)


def settle(cursor: apsw.Cursor, task: str, phase: str, now_ms: int, rule: Rule) -> Lease:
    """Apply a rule to the stored lease and write what it returns, unless it is what was found.

    Raises:
        LeaseError: The rule's.
    """
    clock_ms, found, highest = _read_task(cursor, task, phase)
    time_ms = max(clock_ms, now_ms)
    try:
        lease = rule(found, time_ms, highest)
    except LeaseLost as lost:
        _keep_expiry(cursor, lost, clock_ms)
        raise
    if lease is not found:
        sql = _ADD if found is None else _CHANGE
        cursor.execute(sql, (lease.epoch, lease.holder, lease.expires_ms, task, phase))
        _set_clock(cursor, kept_clock(clock_ms, time_ms, found), clock_ms)
    return lease


def pass_fence(cursor: apsw.Cursor, fence: Fence) -> None:
    """Let an append through its fence, or refuse it.

    Raises:
        LeaseHeld, LeaseLost: See `check_fence`.
    """
    clock_ms, found = _read(cursor, fence)
    if clock_ms is None:
        return
    time_ms = max(clock_ms, fence.now_ms)
    try:
        check_fence(found, fence, time_ms)
    except LeaseLost as lost:
        _keep_expiry(cursor, lost, clock_ms)
        raise
    _set_clock(cursor, kept_clock(clock_ms, time_ms, found), clock_ms)


def _keep_expiry(cursor: apsw.Cursor, lost: LeaseLost, clock_ms: int) -> None:
    """Keep the time at which a lease was seen expired, and nothing else of a refused transaction.

    Without it, a clock that jumps back would find alive what its holder was told is lost.
    """
    if lost.reason == "expired":
        _set_clock(cursor, lost.time_ms, clock_ms)
        cursor.execute("COMMIT")


def _set_clock(cursor: apsw.Cursor, time_ms: int, clock_ms: int) -> None:
    if time_ms > clock_ms:
        cursor.execute(_SET_CLOCK, (str(time_ms),))


def _read_task(cursor: apsw.Cursor, task: str, phase: str) -> tuple[int, Lease | None, int]:
    """Return the clock, the lease if there ever was one, and the task's highest epoch (0 for none).

    All leases of a task are read, for they are few.
    """
    rows: list[tuple[Any, ...]] = cursor.execute(_FIND_TASK, (task,)).fetchall()
    clock_ms = _clock(rows[0][0] if rows else None)
    found = None
    highest = 0
    for row in rows[1:]:
        highest = max(highest, _epoch(row))
        if row[2] == phase:
            found = _lease(row, clock_ms)
    return clock_ms, found, highest


def _stored_clock(cursor: apsw.Cursor) -> int:
    clocks = cursor.execute(_CLOCK).fetchall()
    return _clock(clocks[0][0] if clocks else None)


def _read(cursor: apsw.Cursor, fence: Fence) -> tuple[int | None, Lease | None]:
    """Return the clock, and the lease if there ever was one.

    No clock where there is nothing to judge by it: most tasks never had a lease.
    """
    rows = cursor.execute(_FIND, (fence.task, fence.phase)).fetchall()
    if rows:
        clock_ms = _clock(rows[0][0])
        return clock_ms, _lease(rows[0], clock_ms)
    return (None if fence.epoch is None else _stored_clock(cursor)), None


def _lease(row: tuple[Any, ...], clock_ms: int) -> Lease:
    """Return the lease of a row.

    Raises:
        StoreCorrupt: The row is not what a store writes.
    """
    _, task, phase, _, holder, expires_ms = row
    return Lease(task, phase, _epoch(row), holder, expires_ms, clock_ms)


def _epoch(row: tuple[Any, ...]) -> int:
    """Return the epoch of a row.

    Raises:
        StoreCorrupt: It is none a store writes.
    """
    epoch: int = row[3]  # a strict INTEGER column
    if 1 <= epoch <= LEASE_EPOCH_MAX:
        return epoch
    raise StoreCorrupt(f"the lease on `{row[1]}` `{row[2]}` has epoch {epoch}; restore a good copy")


def _clock(text: object) -> int:
    """Return the clock in a meta row.

    Raises:
        StoreCorrupt: It is none, or there is no such row.
    """
    if isinstance(text, str) and text.isdecimal() and len(text) <= CLOCK_DIGITS_MAX:
        clock_ms = int(text)
        if clock_ms <= LEASE_CLOCK_MS_MAX:
            return clock_ms
    raise StoreCorrupt("the meta row `clock_ms` is not a time; restore a good copy")
