"""Leases: the exclusive right to act on one task and phase for a time. Values and rules.

A lease's **epoch** is its fencing token: acquiring takes the one after the task's highest, nothing ever
lowers it, and a write that carries another epoch than the row's is refused in the write's own transaction.
No two leases of a task have the same, so that a token for a phase that was left is worth nothing in the
next. Exclusion therefore rests on the epoch alone. The clock only decides when somebody else may acquire: a
holder that was stopped, or whose clock is wrong, loses its lease too early or too late, and never shares it.

Time is an integer of milliseconds given by the caller. A store judges by the later of that and the
latest it has kept. It keeps every time at which a lease was judged expired, so that no clock brings one back
to life that somebody was told is over, and any other once a second of it has passed (`CLOCK_STEP_MS`), so
that a clock that jumped back prolongs a lease by less than that; to keep each would cost every leased
command a write of its own. The price: after a clock that ran ahead, time stands still until the others have
caught up, and a lease whose holder died meanwhile has to be released in its name to let the next one in.

The method is that of Gray and Cheriton, "Leases" (SOSP 1989), with the sequencers of Burrows, "The
Chubby lock service" (OSDI 2006), section 2.4.

Pure: no files, no clock. Does not say who may hold a lease, nor what a phase is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from phasegate.ledger.entry import MAX_ACTOR_CHARS, MAX_INTEGER, MAX_PHASE_CHARS, MAX_TASK_CHARS
from phasegate.ledger.errors import LeaseHeld, LeaseInvalid, LeaseLost

if TYPE_CHECKING:
    from phasegate.ledger.errors import LossReason

LEASE_TTL_MS_MIN: Final = 1
LEASE_TTL_MS_MAX: Final = 24 * 60 * 60 * 1000
LEASE_WINDOW_MS_MIN: Final = 1
LEASE_WINDOW_MS_MAX: Final = LEASE_TTL_MS_MAX
LEASE_CLOCK_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, the latest time an entry can carry."""
CLOCK_STEP_MS: Final = 1000
"""A store keeps a time that is so much later than the one it kept before, milliseconds."""
LEASE_HOLDER_CHARS_MAX: Final = MAX_ACTOR_CHARS
LEASE_EPOCH_MAX: Final = MAX_INTEGER

_STORED: Final = 5
"""So many fields of a lease are its row; those after tell of the moment it was read."""

RELEASED_MS: Final = 0
"""Expiry of a lease that was released: before any time, so that no clock can bring it back."""


class Lease(NamedTuple):
    """A lease as stored: the latest one on its task and phase.

    Every leased command makes one or two, and a tuple is made in half the time of a frozen dataclass.

    Attributes:
        task: Task id, 1 to 128 characters.
        phase: Phase name, 1 to 64 characters.
        epoch: Fencing token, from 1; no other lease of the task ever had it.
        holder: Who acquired it, 1 to 256 characters.
        expires_ms: First millisecond at which it is no longer held; `RELEASED_MS` after a release.
        seen_ms: Time by which the store judged it, or the latest it had kept when it gave this value out.
            Not compared.
        taken_from: On the value that an acquisition returns, the holder of the epoch before if that one
            expired without being released; otherwise None. Not compared, not stored.
    """

    task: str
    phase: str
    epoch: int
    holder: str
    expires_ms: int
    seen_ms: int = 0
    taken_from: str | None = None

    def __eq__(self, other: object) -> bool:
        """Compare what is stored."""
        return isinstance(other, Lease) and self[:_STORED] == other[:_STORED]

    def __ne__(self, other: object) -> bool:
        """Compare what is stored."""
        return not self == other

    def __hash__(self) -> int:
        """Hash what is stored."""
        return hash(self[:_STORED])

    @property
    def released(self) -> bool:
        """Whether its holder gave it up."""
        return self.expires_ms == RELEASED_MS

    @property
    def taken_over(self) -> bool:
        """Whether this acquisition took it from a holder that had not released it."""
        return self.taken_from is not None

    def live(self, now_ms: int) -> bool:
        """Tell whether it is held at a time, judged by the later of that and `seen_ms`."""
        return max(self.seen_ms, now_ms) < self.expires_ms


class Fence(NamedTuple):
    """What an append demands of the lease on a task and phase, in the append's own transaction.

    Attributes:
        task: Task id.
        phase: Phase name.
        epoch: The lease must carry exactly this epoch and not have expired. None: the writer has no
            lease, and there must be none that is held.
        now_ms: The writer's time, milliseconds.
        holder: Who writes: an epoch is worth something to whoever acquired it alone. None leaves that
            unchecked.
    """

    task: str
    phase: str
    epoch: int | None
    now_ms: int
    holder: str | None = None


class Claim(NamedTuple):
    """What a caller that renews or releases says it holds."""

    task: str
    phase: str
    holder: str
    epoch: int


class Term(NamedTuple):
    """What an acquisition or a renewal asks for.

    Attributes:
        ttl_ms: Time from now to expiry.
        window_ms: A renewal has an effect only within so much time before expiry.
    """

    ttl_ms: int
    window_ms: int = LEASE_WINDOW_MS_MAX


def acquire(
    found: Lease | None, highest: int, task: str, phase: str, holder: str, time_ms: int, ttl_ms: int
) -> Lease:
    """Return the lease after an acquisition.

    Whoever holds the lease is refused as well: two processes may call themselves the same.

    Args:
        found: The stored lease, if there ever was one.
        highest: The highest epoch of the task, whatever the phase; 0 if there never was one.
        task: Task id.
        phase: Phase name.
        holder: Who acquires it.
        time_ms: The later of the caller's time and the latest seen.
        ttl_ms: Time from now to expiry.

    Raises:
        LeaseHeld: It has not expired.
        LeaseInvalid: The epochs are used up.
    """
    expires_ms = time_ms + ttl_ms
    if found is not None:
        _refuse_held(found, time_ms)
    if highest >= LEASE_EPOCH_MAX:
        raise LeaseInvalid(f"the epoch {highest} of `{task}` `{phase}` is the last; open another task")
    taken_from = None if found is None or found.released else found.holder
    return Lease(task, phase, highest + 1, holder, expires_ms, time_ms, taken_from)


def renew(found: Lease | None, claim: Claim, time_ms: int, term: Term) -> Lease:
    """Return the lease after a renewal: ``found`` itself when it is too early for one.

    A renewal never shortens a lease.

    Args:
        found: The stored lease.
        claim: What the caller says it holds.
        time_ms: The later of the caller's time and the latest seen.
        term: What is asked for.

    Raises:
        LeaseLost: Epoch or holder are others, or it has expired.
    """
    own = _own(found, claim, time_ms)
    if time_ms >= own.expires_ms:
        raise _lost(claim, own, time_ms)
    expires_ms = time_ms + term.ttl_ms
    if own.expires_ms - time_ms > term.window_ms or expires_ms <= own.expires_ms:
        return own
    return _until(own, expires_ms, time_ms)


def release(found: Lease | None, claim: Claim, time_ms: int) -> Lease:
    """Return the lease after a release: ``found`` itself when it was released before.

    An expired lease that nobody has taken over can still be released; then the next acquisition is no
    takeover, and no clock that jumps back finds it held.

    Raises:
        LeaseLost: Epoch or holder are others.
    """
    own = _own(found, claim, time_ms)
    return own if own.released else _until(own, RELEASED_MS, time_ms)


def kept_clock(clock_ms: int, time_ms: int, found: Lease | None) -> int:
    """Return the time a store keeps after it judged a lease and did not refuse.

    Args:
        clock_ms: The latest time kept so far.
        time_ms: The time by which the lease was judged, not before that.
        found: The stored lease, before the rule was applied.
    """
    step = time_ms - clock_ms >= CLOCK_STEP_MS
    expired = found is not None and clock_ms < found.expires_ms <= time_ms
    return time_ms if step or expired else clock_ms


def check_fence(found: Lease | None, fence: Fence, time_ms: int) -> None:
    """Refuse an append that its fence does not allow.

    Args:
        found: The stored lease on the fence's task and phase.
        fence: The writer's token.
        time_ms: The later of the fence's time and the latest seen.

    Raises:
        LeaseHeld: The writer has no token and somebody holds the lease.
        LeaseLost: The writer's token is not the lease's epoch, the lease is another's, or it has expired.
    """
    if fence.epoch is None:
        if found is not None:
            _refuse_held(found, time_ms)
        return
    if found is None or found.epoch != fence.epoch or time_ms >= found.expires_ms:
        raise _lost(Claim(fence.task, fence.phase, "", fence.epoch), found, time_ms)
    if fence.holder not in {None, found.holder}:
        raise LeaseLost(fence.task, fence.phase, fence.epoch, found.epoch, time_ms, "foreign")


def checked_claim(task: str, phase: str, holder: str, epoch: int) -> Claim:
    """Return what a caller says it holds, its shape checked.

    Raises:
        LeaseInvalid: A name or the epoch cannot be a lease's.
    """
    check_names(task, phase, holder)
    _check_integer("epoch", epoch, 1, LEASE_EPOCH_MAX)
    return Claim(task, phase, holder, epoch)


def checked_term(ttl_ms: int, window_ms: int) -> Term:
    """Return a term within its limits.

    Raises:
        LeaseInvalid: It is not.
    """
    check_ttl(ttl_ms)
    _check_integer("window_ms", window_ms, LEASE_WINDOW_MS_MIN, LEASE_WINDOW_MS_MAX)
    return Term(ttl_ms, window_ms)


def check_ttl(ttl_ms: int) -> None:
    """Refuse a time to expiry out of its limits.

    Raises:
        LeaseInvalid: It is not an integer from `LEASE_TTL_MS_MIN` to `LEASE_TTL_MS_MAX`.
    """
    _check_integer("ttl_ms", ttl_ms, LEASE_TTL_MS_MIN, LEASE_TTL_MS_MAX)


def check_request(fence: Fence) -> None:
    """Check the shape of a fence, not what it demands.

    Raises:
        LeaseInvalid: A name, the epoch or the time is out of bounds.
    """
    check_names(fence.task, fence.phase, "-" if fence.holder is None else fence.holder)
    check_clock(fence.now_ms)
    if fence.epoch is not None:
        _check_integer("epoch", fence.epoch, 1, LEASE_EPOCH_MAX)


def check_clock(now_ms: int) -> None:
    """Refuse a time no store could keep.

    Raises:
        LeaseInvalid: It is not an integer from 0 to `LEASE_CLOCK_MS_MAX`.
    """
    _check_integer("now_ms", now_ms, 0, LEASE_CLOCK_MS_MAX)


def check_names(task: object, phase: object = "-", holder: object = "-") -> None:
    """Refuse names no lease can have.

    Raises:
        LeaseInvalid: One is empty, too long or has characters that do not print.
    """
    if (
        type(task) is type(phase) is type(holder) is str
        and 1 <= len(task) <= MAX_TASK_CHARS
        and 1 <= len(phase) <= MAX_PHASE_CHARS
        and 1 <= len(holder) <= LEASE_HOLDER_CHARS_MAX
        and f"{task}{phase}{holder}".isprintable()
    ):
        return
    for name, text, most in (
        ("task", task, MAX_TASK_CHARS),
        ("phase", phase, MAX_PHASE_CHARS),
        ("holder", holder, LEASE_HOLDER_CHARS_MAX),
    ):
        if not isinstance(text, str) or not 1 <= len(text) <= most or not text.isprintable():
            raise LeaseInvalid(
                f"`{str(text)[:80]}` cannot be a lease's {name}; use 1 to {most} printable characters"
            )


def _check_integer(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise LeaseInvalid(f"`{str(value)[:40]}` cannot be {name}; pass an integer from {least} to {most}")


def _until(own: Lease, expires_ms: int, time_ms: int) -> Lease:
    return Lease(own.task, own.phase, own.epoch, own.holder, expires_ms, time_ms)


def _refuse_held(found: Lease, time_ms: int) -> None:
    if time_ms < found.expires_ms:
        raise LeaseHeld(found.task, found.phase, found.holder, found.epoch, found.expires_ms, time_ms)


def _own(found: Lease | None, claim: Claim, time_ms: int) -> Lease:
    if found is None or found.epoch != claim.epoch:
        raise _lost(claim, found, time_ms)
    if found.holder != claim.holder:
        raise LeaseLost(claim.task, claim.phase, claim.epoch, found.epoch, time_ms, "foreign")
    return found


def _lost(claim: Claim, found: Lease | None, time_ms: int) -> LeaseLost:
    epoch = found.epoch if found else 0
    reason: LossReason
    if found is None or epoch < claim.epoch:
        reason = "unknown"
    elif epoch > claim.epoch:
        reason = "superseded"
    else:
        reason = "released" if found.released else "expired"
    return LeaseLost(claim.task, claim.phase, claim.epoch, epoch, time_ms, reason)
