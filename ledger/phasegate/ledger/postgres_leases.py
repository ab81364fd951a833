"""Leases in a PostgreSQL ledger: one row each, and the clock by which they are judged in the head row.

The rules are those of `leases`; this module says what is read for them and what is written after them. Every
transaction holds the head row, so that of two that want the same lease the second sees what the first did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phasegate.ledger.errors import LeaseLost, StoreCorrupt
from phasegate.ledger.leases import LEASE_CLOCK_MS_MAX, LEASE_EPOCH_MAX, Fence, Lease, check_fence, kept_clock
from phasegate.ledger.postgres_transact import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phasegate.ledger.leasing import Rule
    from phasegate.ledger.postgres_driver import Rows
    from phasegate.ledger.postgres_link import Link
    from phasegate.ledger.postgres_transact import Moment, Statement

_OF_TASK: Final = "SELECT task, phase, epoch, holder, expires_ms FROM leases WHERE task = %s"
_FIND: Final = (
    "SELECT task, phase, epoch, holder, expires_ms, clock_ms FROM leases, head WHERE task = %s AND phase = %s"
)
_LIST: Final = (
    "SELECT task, phase, epoch, holder, expires_ms, clock_ms FROM leases, head ORDER BY task, phase"
)
_LIST_TASK: Final = (
    "SELECT task, phase, epoch, holder, expires_ms, clock_ms FROM leases, head WHERE task = %s ORDER BY phase"
)
_ADD: Final = "INSERT INTO leases (epoch, holder, expires_ms, task, phase) VALUES (%s, %s, %s, %s, %s)"
_CHANGE: Final = "UPDATE leases SET epoch = %s, holder = %s, expires_ms = %s WHERE task = %s AND phase = %s"
# A later epoch is proof as well: this one was there before it.
_PROOF: Final = (
    "SELECT 1 FROM leases WHERE task = %s AND phase = %s "
    "AND (epoch > %s OR (epoch = %s AND holder = %s AND expires_ms = %s))"
)
SET_CLOCK: Final = "UPDATE head SET clock_ms = %s"


def find(link: Link, task: str, phase: str) -> Lease | None:
    """Return the latest lease on a task and phase, or None if there never was one."""
    rows = link.query(_FIND, (task, phase))
    return _lease(rows[0][:-1], rows[0][-1]) if rows else None


def list_all(link: Link, task: str | None) -> Iterator[Lease]:
    """Iterate over the leases, by task and phase; only those of one task if it is given."""
    rows = link.query(_LIST) if task is None else link.query(_LIST_TASK, (task,))
    return (_lease(row[:-1], row[-1]) for row in rows)


def read_of_task(task: str) -> Statement:
    """Return the statement whose rows `settle` and `pass_fence` judge by."""
    return _OF_TASK, (task,)


def time_of(moment: Moment, now_ms: int, *, server_time: bool) -> int:
    """Return the time by which leases are judged, milliseconds: never before the latest seen.

    Args:
        moment: What the transaction sees.
        now_ms: The caller's time.
        server_time: Whether the server's time counts as well.
    """
    _checked_clock(moment.clock_ms)
    server_ms = min(moment.server_ms, LEASE_CLOCK_MS_MAX) if server_time else 0
    return max(moment.clock_ms, now_ms, server_ms)


def settle(moment: Moment, rows: Rows, task: str, phase: str, time_ms: int, rule: Rule) -> Plan[Lease]:
    """Apply a rule to the stored lease; the plan writes what it returns, unless it is what was found.

    Raises:
        LeaseError: The rule's.
    """
    found, highest = _read(moment, rows, phase)
    try:
        lease = rule(found, time_ms, highest)
    except LeaseLost as lost:
        return kept_expiry(moment, lost)
    if lease is found:
        return Plan(lease)
    change = (_ADD if found is None else _CHANGE), (lease.epoch, lease.holder, lease.expires_ms, task, phase)
    proof = _PROOF, (task, phase, lease.epoch, lease.epoch, lease.holder, lease.expires_ms)
    kept_ms = kept_clock(moment.clock_ms, time_ms, found)
    clock = [] if kept_ms == moment.clock_ms else [(SET_CLOCK, (kept_ms,))]
    return Plan(lease, [change, *clock], proof)


def pass_fence(moment: Moment, rows: Rows, fence: Fence, time_ms: int) -> int:
    """Let an append through its fence and return the time to keep, or refuse it.

    Raises:
        LeaseHeld, LeaseLost: See `check_fence`.
    """
    found, _ = _read(moment, rows, fence.phase)
    if found is None and fence.epoch is None:
        return moment.clock_ms  # nothing was judged
    check_fence(found, fence, time_ms)
    return kept_clock(moment.clock_ms, time_ms, found)


def kept_expiry(moment: Moment, lost: LeaseLost) -> Plan[Any]:
    """Return a plan that keeps the time at which a lease was seen expired, and then refuses.

    Without it, a clock that jumps back would find alive what its holder was told is lost.

    Raises:
        LeaseLost: At once, if it was lost in another way.
    """
    if lost.reason != "expired":
        raise lost
    clock = [] if lost.time_ms == moment.clock_ms else [(SET_CLOCK, (lost.time_ms,))]
    return Plan(None, clock, refusal=lost)


def _read(moment: Moment, rows: Rows, phase: str) -> tuple[Lease | None, int]:
    """Return a phase's lease, if there ever was one, and the task's highest epoch (0 for none)."""
    leases = [_lease(row, moment.clock_ms) for row in rows]
    found = next((lease for lease in leases if lease.phase == phase), None)
    return found, max((lease.epoch for lease in leases), default=0)


def _lease(row: tuple[Any, ...], clock_ms: int) -> Lease:
    """Return the lease of a row.

    Raises:
        StoreCorrupt: The row, or the clock, is not what a store writes.
    """
    task, phase, epoch, holder, expires_ms = row
    if not 1 <= epoch <= LEASE_EPOCH_MAX:
        raise StoreCorrupt(f"the lease on `{task}` `{phase}` has epoch {epoch}; restore a good copy")
    return Lease(task, phase, epoch, holder, expires_ms, _checked_clock(clock_ms))


def _checked_clock(clock_ms: int) -> int:
    if 0 <= clock_ms <= LEASE_CLOCK_MS_MAX:
        return clock_ms
    raise StoreCorrupt("the head's `clock_ms` is not a time; restore a good copy")
