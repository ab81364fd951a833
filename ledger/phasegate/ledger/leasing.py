"""The lease operations of a store, the same whatever it is built on: check the input, apply the rule.

A store inherits `Leasing` and gives it one primitive, a transaction on one lease. Pure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeAlias

from phasegate.ledger.leases import (
    Lease,
    acquire,
    check_clock,
    check_names,
    check_ttl,
    checked_claim,
    checked_term,
    release,
    renew,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from phasegate.ledger.store import Expect

    Rule: TypeAlias = Callable[[Lease | None, int, int], Lease]


class Leasing(ABC):
    """Acquire, renew and release, as `Store` describes them."""

    __slots__ = ()

    def lease_acquire(
        self,
        task: str,
        phase: str,
        holder: str,
        *,
        now_ms: int,
        ttl_ms: int,
        expect: Sequence[Expect] = (),
    ) -> Lease:
        """Acquire the lease on a task and phase under the next epoch. See `Store.lease_acquire`."""
        check_names(task, phase, holder)
        check_clock(now_ms)
        check_ttl(ttl_ms)
        return self._settle(
            task,
            phase,
            now_ms,
            lambda found, time_ms, highest: acquire(found, highest, task, phase, holder, time_ms, ttl_ms),
            expect,
        )

    def lease_renew(
        self, task: str, phase: str, holder: str, epoch: int, *, now_ms: int, ttl_ms: int, window_ms: int
    ) -> Lease:
        """Prolong a lease that expires within the window. See `Store.lease_renew`."""
        claim = checked_claim(task, phase, holder, epoch)
        check_clock(now_ms)
        term = checked_term(ttl_ms, window_ms)
        return self._settle(task, phase, now_ms, lambda found, time_ms, _: renew(found, claim, time_ms, term))

    def lease_release(self, task: str, phase: str, holder: str, epoch: int, *, now_ms: int) -> Lease:
        """Give a lease up. See `Store.lease_release`."""
        claim = checked_claim(task, phase, holder, epoch)
        check_clock(now_ms)
        return self._settle(task, phase, now_ms, lambda found, time_ms, _: release(found, claim, time_ms))

    @abstractmethod
    def _settle(self, task: str, phase: str, now_ms: int, rule: Rule, expect: Sequence[Expect] = ()) -> Lease:
        """Apply a rule to a stored lease in one transaction, and keep what it returns.

        Args:
            task: Task id.
            phase: Phase name.
            now_ms: The caller's time.
            rule: Takes the stored lease, or None, the time by which it is judged, and the task's highest
                epoch (0 for none). Nothing is written if it returns what it was given; of a
                `LeaseLost` for expiry only the time is kept, so that the lease stays expired; any other
                refusal leaves everything as it was.
            expect: Version checks, made before the rule is asked.
        """
