"""Commands on the outbox."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from phasegate.engine.app.outbox.outbox import BODY_BYTES_MAX, Tried, Waiting
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_document, print_jsonl, print_rows
from phasegate.engine.cli.session import EXIT_FAILED, session
from phasegate.engine.cli.tasks import answer
from phasegate.engine.core.delivering import Delivery, SideEffect
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxDelivered,
    OutboxFailed,
)

POLL_S = 1.0
KEY_SHOWN = 12
_WAITING = ["key", "task", "effect", "destination", "state", "attempts", "next_at", "why"]
_TRIED = ["key", "task", "effect", "destination", "outcome", "attempts", "why"]


@dataclass(frozen=True)
class Order:
    """A side effect as it is asked for."""

    effect: str
    destination: str
    body: Path


@dataclass(frozen=True)
class Round:
    """What one round of deliveries may try."""

    task: str | None
    limit: int | None


def add(home: Path | None, format_: Format, task: str, order: Order, lease: int | None) -> None:
    """Enqueue a side effect; exit 1 when it is refused."""
    try:
        with order.body.open("rb") as file:
            body = file.read(BODY_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"cannot read `{order.body}`: {error.strerror}", "give an existing file") from error
    with session(home, lease=lease) as engine:
        result, key = engine.outbox.enqueue(task, order.effect, order.destination, body)
        said = "enqueued" if result.entries else "was enqueued before"
        answer(engine, format_, result, f"{task}: {order.effect} {said} as {key}")


def show(home: Path | None, format_: Format, task: str | None, state: str | None) -> None:
    """List side effects."""
    delivery = _delivery(state) if state else None
    with session(home, readonly=True) as engine:
        rows = [_waiting(item, format_) for item in engine.outbox.list(task, delivery)]
    print_rows(format_, rows, _WAITING)


def deliver(home: Path | None, format_: Format, asked: Round, *, watch: bool) -> None:
    """Deliver one round, or rounds until interrupted; exit 1 when one left something undone."""
    if watch:
        _watch(home, format_, asked)
    with session(home) as engine:
        tried = engine.outbox.deliver(asked.limit, asked.task)
    print_rows(format_, [_tried(item, format_) for item in tried], _TRIED)
    _exit(tried)


def retry(home: Path | None, format_: Format, key: str) -> None:
    """Try one side effect now; exit 1 when the receiver still has not got it."""
    with session(home) as engine:
        tried = engine.outbox.retry(key)
    if format_ is Format.TABLE:
        print_rows(format_, [_tried(tried, format_)], _TRIED)
    else:
        print_document(format_, _tried(tried, format_))
    _exit([tried])


def _watch(home: Path | None, format_: Format, asked: Round) -> None:
    """Round after round; what is held back is told once, what was tried each time."""
    left, told = asked.limit, dict[str, str]()
    while left is None or left > 0:
        with session(home) as engine:
            tried = engine.outbox.deliver(left, asked.task)
        news = [item for item in tried if item.event or told.get(item.effect.key) != item.held]
        told.update({item.effect.key: item.held for item in news})
        _tell(format_, news)
        left = None if left is None else left - sum(item.event is not None for item in tried)
        time.sleep(POLL_S)
    raise typer.Exit


def _tell(format_: Format, news: Sequence[Tried]) -> None:
    if format_ is not Format.TABLE:
        print_jsonl(_tried(item, format_) for item in news)
    elif news:
        print_rows(format_, [_tried(item, format_) for item in news], _TRIED)


def _exit(tried: Sequence[Tried]) -> None:
    if not all(item.delivered for item in tried):
        raise typer.Exit(EXIT_FAILED)


def _delivery(text: str) -> Delivery:
    try:
        return Delivery(text)
    except ValueError:
        raise BadInput(f"there is no state `{text[:40]}`", f"use one of: {', '.join(Delivery)}") from None


def _waiting(item: Waiting, format_: Format) -> dict[str, Any]:
    effect = item.effect
    return {
        **_named(item.task, effect, format_),
        "state": str(effect.delivery),
        "attempts": effect.attempts,
        "next_at": effect.next_at,
        "why": item.held or effect.last_error,
    }


def _tried(item: Tried, format_: Format) -> dict[str, Any]:
    event = item.event
    outcomes = {OutboxDelivered: "delivered", OutboxDeferred: "put off", OutboxFailed: "refused"}
    why = item.held
    if isinstance(event, OutboxDeferred):
        why = f"{event.reason}; again at {event.next_at}"
    elif isinstance(event, OutboxFailed):
        why = event.reason
    return {
        **_named(item.task, item.effect, format_),
        "outcome": outcomes[type(event)] if event else "held back",
        "attempts": event.attempts if event else item.effect.attempts,
        "why": why,
    }


def _named(task: str, effect: SideEffect, format_: Format) -> dict[str, Any]:
    key = effect.key[:KEY_SHOWN] if format_ is Format.TABLE else effect.key
    named: dict[str, Any] = {"key": key, "task": task}
    if format_ is not Format.TABLE:
        named.update(phase=effect.phase, attempt=effect.attempt, body=effect.body)
    return {**named, "effect": effect.effect, "destination": effect.destination}
