"""Side effects on their way: what has become of one, when it is tried again, what an answer means.

Pure: the time and the chance are given. A side effect is tried until the receiver acknowledges it or refuses
it for good; between two tries lies exponential backoff with full jitter (Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015). Status codes are those of RFC 9110, RFC 6585 and RFC 8470; the header
`Idempotency-Key` is that of draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import Recorded
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxDelivered,
    OutboxEnqueued,
    OutboxFailed,
    OutboxWithdrawn,
)

RETRY_AFTER_MS_MAX: Final = 24 * 60 * 60 * 1000
REASON_CHARS_MAX: Final = 500
_OK, _MULTIPLE_CHOICES, _SERVER_ERROR = 200, 300, 500
_CONFLICT: Final = 409
_PASSING: Final = frozenset({408, 409, 425, 429})
"""Refusals that a later try may not meet: timeout, conflict, too early, too many requests."""

OutboxEvent = OutboxEnqueued | OutboxDeferred | OutboxDelivered | OutboxFailed | OutboxWithdrawn


class Delivery(StrEnum):
    """What has become of a side effect."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class SideEffect:
    """A side effect as its task's entries tell of it.

    Attributes:
        key: idempotency key.
        phase: phase the task was in when it was enqueued.
        attempt: attempt of that phase.
        effect: what it is: `webhook`, `open_pr`, `comment` or another name.
        destination: URL it is posted to.
        body: digest of the bytes that are posted.
        delivery: what has become of it.
        attempts: tries so far.
        next_at: time before which it is not tried.
        last_error: why the last try did not succeed.
    """

    key: str
    phase: str
    attempt: int
    effect: str
    destination: str
    body: str
    delivery: Delivery
    attempts: int
    next_at: str
    last_error: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how fast a delivery is tried again.

    Attributes:
        base_ms: longest wait after the first try; it doubles with each further one.
        cap_ms: the wait never grows beyond this.
        attempts_max: after so many tries it counts as failed.
    """

    base_ms: int = 1_000
    cap_ms: int = 60 * 60 * 1_000
    attempts_max: int = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try.

    Attributes:
        status: HTTP status; 0 when there was no answer.
        reason: what went wrong, in words; empty when nothing did.
        response: digest of the answer's body; empty for none.
        retry_after_ms: wait the receiver asks for.
        same_key: whether the answer names this side effect's key as the one it knows.
    """

    status: int
    reason: str = ""
    response: str = ""
    retry_after_ms: int = 0
    same_key: bool = False


def delivery_after(event: OutboxEvent) -> Delivery:
    """What has become of a side effect by this event."""
    if isinstance(event, OutboxDelivered):
        return Delivery.DELIVERED
    if isinstance(event, OutboxWithdrawn):
        return Delivery.WITHDRAWN
    return Delivery.FAILED if isinstance(event, OutboxFailed) else Delivery.PENDING


def side_effects(history: Iterable[Recorded]) -> dict[str, SideEffect]:
    """The side effects of one task, by key, from its events in order.

    Raises:
        IntegrityError: an event tells of a side effect that was never enqueued.
    """
    found: dict[str, SideEffect] = {}
    for recorded in history:
        event = recorded.event
        if isinstance(event, OutboxEvent):
            found[event.key] = side_effect_after(found.get(event.key), recorded)
    return found


def side_effect_after(before: SideEffect | None, recorded: Recorded) -> SideEffect:
    """A side effect after one more of its events; `before` is None when it is not there yet.

    Raises:
        IntegrityError: it was never enqueued.
    """
    phase, attempt, event = recorded
    if isinstance(event, OutboxEnqueued):
        return SideEffect(
            event.key,
            before.phase if before else phase,
            before.attempt if before else attempt,
            event.effect,
            event.destination,
            event.body,
            Delivery.PENDING,
            0,
            event.at,
            "",
        )
    if before is None or not isinstance(event, OutboxEvent):
        raise IntegrityError(f"`{event.kind}` of a side effect that was never enqueued")
    delivery = delivery_after(event)
    if isinstance(event, OutboxDelivered):
        return replace(before, delivery=delivery, attempts=event.attempts, next_at="", last_error="")
    if isinstance(event, OutboxWithdrawn):
        return replace(before, delivery=delivery, next_at="", last_error=f"{event.voided} was voided")
    next_at = event.next_at if isinstance(event, OutboxDeferred) else ""
    return replace(
        before, delivery=delivery, attempts=event.attempts, next_at=next_at, last_error=event.reason
    )


def outcome(
    effect: SideEffect, answer: Answer, patience: Patience, *, now: str, chance: float
) -> OutboxDelivered | OutboxDeferred | OutboxFailed:
    """What a try comes to: delivered, to be tried again, or refused for good.

    Args:
        effect: the side effect, as it was before the try.
        answer: what came of it.
        patience: how often and how fast it is tried again.
        now: time of the answer, RFC 3339.
        chance: a random number from 0 to below 1.
    """
    attempts = effect.attempts + 1
    if _acknowledges(answer):
        return OutboxDelivered(
            key=effect.key, attempts=attempts, status=answer.status, response=answer.response
        )
    reason = answer.reason[:REASON_CHARS_MAX]
    if not _may_pass(answer.status):
        return OutboxFailed(key=effect.key, attempts=attempts, reason=reason)
    if attempts >= patience.attempts_max:
        reason = f"given up after {attempts} tries; the last: {reason}"
        return OutboxFailed(key=effect.key, attempts=attempts, reason=reason)
    wait_ms = max(backoff_ms(attempts, patience, chance), min(answer.retry_after_ms, RETRY_AFTER_MS_MAX))
    return OutboxDeferred(key=effect.key, attempts=attempts, reason=reason, next_at=later(now, wait_ms))


def backoff_ms(attempts: int, patience: Patience, chance: float) -> int:
    """Wait after so many tries: evenly drawn from 0 to the base doubled with each try, at most the cap."""
    # The exponent is bounded so that no number of tries makes a number of a million digits.
    longest = min(patience.cap_ms, patience.base_ms * 2 ** min(attempts - 1, 62))
    return int(longest * chance)


def is_due(effect: SideEffect, now: str) -> bool:
    """Whether a side effect may be tried now."""
    if effect.delivery is not Delivery.PENDING:
        return False
    return not effect.next_at or datetime.fromisoformat(effect.next_at) <= datetime.fromisoformat(now)


def later(at: str, wait_ms: int) -> str:
    """A time so many milliseconds after another, in the same form."""
    moment = datetime.fromisoformat(at) + timedelta(milliseconds=wait_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _acknowledges(answer: Answer) -> bool:
    """Whether the receiver has done it, now or, as a conflict that names the key says, before."""
    conflict = answer.status == _CONFLICT and answer.same_key and not answer.retry_after_ms
    return conflict or _OK <= answer.status < _MULTIPLE_CHOICES


def _may_pass(status: int) -> bool:
    # An interim answer (1xx) that is all that comes is an answer, and another protocol is none of ours.
    return not status or status in _PASSING or status >= _SERVER_ERROR
