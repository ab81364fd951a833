"""The outbox: external side effects, enqueued in the commit that decides them and delivered afterwards.

A try to deliver is numbered steps, each safe to die after:

1. The key is claimed with a lock that the kernel drops when we die: two never post one key together.
2. What is to be sent, and whether it still is, is read from the task's entries. Nothing has happened yet.
3. The body is posted under the idempotency key. If we die after this, the side effect is pending still and is
   posted again under the same key: a receiver that deduplicates has seen it once.
4. What came of it is an entry, decided on the task as it then stands: a second end is not recorded.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.home import Home
from phasegate.engine.app.outbox.delivery import HttpSender, Letter, Reply, Sender, retry_after_ms
from phasegate.engine.app.outbox.policy import OutboxPolicy, load_outbox_policy, parse_target
from phasegate.engine.app.outbox.rows import OUTBOX_ROW, recorded_effects, row_of
from phasegate.engine.app.results import Result
from phasegate.engine.app.system import system_chance
from phasegate.engine.core.commands import Enqueue, RecordDelivery, Requeue
from phasegate.engine.core.delivering import Answer, Delivery, SideEffect, is_due, outcome
from phasegate.engine.core.errors import BadInput, Conflict, EngineError
from phasegate.engine.core.ids import parse_task_id
from phasegate.engine.core.outbox_events import (
    OutboxDeferred,
    OutboxDelivered,
    OutboxFailed,
)
from phasegate.engine.core.outboxing import effect_key
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import Status
from phasegate.ledger.errors import LedgerError, StoreBusy
from phasegate.ledger.store import Store

BODY_BYTES_MAX: Final = 1024 * 1024
KEY_PREFIX_CHARS_MIN: Final = 8
BUSY: Final = "another deliverer is at it"

_EFFECT: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_HELD_BY: Final[Mapping[Status, str]] = {
    Status.PAUSED: "the task is paused; `engine resume` lets it go on",
    Status.ABORTED: "the task was aborted; nothing more is sent for it",
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A side effect of a task.

    Attributes:
        held: what keeps it from being sent although it is pending; empty for nothing.
    """

    task: str
    effect: SideEffect
    held: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a side effect in one round.

    Attributes:
        event: what was recorded; None when it was held back and nothing was sent.
        held: why it was held back.
    """

    task: str
    effect: SideEffect
    event: OutboxDelivered | OutboxDeferred | OutboxFailed | None = None
    held: str = ""

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it."""
        return isinstance(self.event, OutboxDelivered)


class Outbox:
    """Enqueues, lists and delivers the side effects of a home.

    Args:
        path: decides and records.
        store: the ledger.
        shelf: keeps the bodies, and what receivers answer.
        home: where the policy and the locks are.
        clock: tells the time.
        sender: posts letters; over HTTP by default.
        chance: gives a random number from 0 to below 1, for the jitter.
        environ: where tokens are looked up that the policy names by variable.
    """

    def __init__(
        self,
        path: CommandPath,
        store: Store,
        shelf: Shelf,
        home: Home,
        clock: Clock,
        *,
        sender: Sender | None = None,
        chance: Callable[[], float] = system_chance,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._path = path
        self._store = store
        self._shelf = shelf
        self._home = home
        self._clock = clock
        self._sender = sender or HttpSender()
        self._chance = chance
        self._environ = environ

    # -- entering -------------------------------------------------------------------------------------

    def enqueue(self, task: str, effect: str, destination: str, body: bytes) -> tuple[Result, str]:
        """Enqueue a side effect for the current phase and attempt; returns the outcome and its key.

        The same effect, destination and body again, in the same attempt, changes nothing. Where it may be
        sent is asked when it is delivered.

        Raises:
            BadInput: the task was never opened, the destination is no URL, or the body is too large.
        """
        if not _EFFECT.fullmatch(effect):
            raise BadInput(f"`{effect[:80]}` is no effect", "name it in lower case, such as `open_pr`")
        parse_target(destination)
        if len(body) > BODY_BYTES_MAX:
            raise BadInput(f"the body has {len(body)} bytes", f"keep it within {BODY_BYTES_MAX}")
        command = Enqueue(effect, destination, self._shelf.keep(body))
        result = self._path.run(parse_task_id(task), command)
        return result, effect_key(self._store.ledger, result.state, effect, destination, command.body)

    # -- looking --------------------------------------------------------------------------------------

    def list(self, task: str | None = None, delivery: Delivery | None = None) -> tuple[Waiting, ...]:
        """The side effects of one task or all, as their rows tell; pending ones with what keeps them.

        Raises:
            BadInput: the task was never opened.
        """
        wanted = self._path.state(task).task if task else None
        policy = load_outbox_policy(self._home.root)
        found = [row_of(row) for row in self._store.projections(OUTBOX_ROW)]
        return tuple(
            Waiting(owner, effect, self._held(owner, effect, policy))
            for owner, effect in sorted(found, key=lambda item: (item[0], item[1].next_at, item[1].key))
            if wanted in {None, owner} and delivery in {None, effect.delivery}
        )

    def find(self, prefix: str) -> tuple[str, SideEffect]:
        """Task and side effect of a key, or of the beginning of one, as the entries tell.

        Raises:
            BadInput: no key begins so, or several do.
        """
        if len(prefix) < KEY_PREFIX_CHARS_MIN:
            raise BadInput(
                f"`{prefix}` is too short for a key", f"give {KEY_PREFIX_CHARS_MIN} digits or more"
            )
        keys = [(state.task, key) for state in self._path.states() for key in state.outbox]
        matching = [(task, key) for task, key in keys if key.startswith(prefix)]
        if len(matching) != 1:
            text = f"{len(matching) or 'no'} side effects have a key that begins with `{prefix[:80]}`"
            raise BadInput(text, "`engine outbox list` shows the keys")
        task, key = matching[0]
        return task, recorded_effects(self._store, task)[key]

    def next_at(self) -> str:
        """Time before which nothing more is due, of what is deferred; empty when nothing is."""
        found = (row_of(row)[1] for row in self._store.projections(OUTBOX_ROW))
        times = [effect.next_at for effect in found if effect.delivery is Delivery.PENDING and effect.next_at]
        return min(times, default="")

    # -- delivering -----------------------------------------------------------------------------------

    def deliver(self, limit: int | None = None, task: str | None = None) -> tuple[Tried, ...]:
        """Try what is due, oldest first, each once.

        Args:
            limit: at most so many.
            task: only this task's.

        Raises:
            BadInput: the task was never opened.
        """
        wanted = self._path.state(task).task if task else None
        policy, now = load_outbox_policy(self._home.root), self._clock.now()
        due = self._due(now, wanted)
        return tuple(_until_sent(limit, (self._try(owner, effect.key, policy, now) for owner, effect in due)))

    def retry(self, prefix: str) -> Tried:
        """Try one side effect now: one that waits for its time, or one that was refused for good.

        Raises:
            BadInput: there is no such side effect, or the receiver has it.
        """
        task, effect = self.find(prefix)
        if effect.delivery is Delivery.DELIVERED:
            raise BadInput(f"`{effect.key}` is delivered", "nothing is left to do")
        if effect.delivery is Delivery.WITHDRAWN:
            raise BadInput(f"`{effect.key}` is withdrawn: {effect.last_error}", "pass its gate again")
        if effect.delivery is Delivery.FAILED:
            self._path.run(
                parse_task_id(task), Requeue(effect.key, effect.effect, effect.destination, effect.body)
            )
        return self._try(task, effect.key, load_outbox_policy(self._home.root), None)

    def _due(self, now: str, task: str | None) -> Iterator[tuple[str, SideEffect]]:
        """What is due, as tasks and entries tell; a row that is lost or edited changes nothing."""
        tasks = [
            state.task
            for state in self._path.states()
            if task in {None, state.task} and Delivery.PENDING in state.outbox.values()
        ]
        found = [
            (owner, effect)
            for owner in tasks
            for effect in recorded_effects(self._store, owner).values()
            if is_due(effect, now)
        ]
        return iter(sorted(found, key=lambda item: (item[1].next_at, item[1].key)))

    def _try(self, task: str, key: str, policy: OutboxPolicy, due_at: str | None) -> Tried:
        """One try; `due_at` is the time it must be due at, None to try it in any case."""
        with self._claimed(key) as mine:
            effect = recorded_effects(self._store, task)[key]
            if not mine:
                return Tried(task, effect, held=BUSY)
            if effect.delivery is not Delivery.PENDING or (due_at and not is_due(effect, due_at)):
                gone = effect.delivery is Delivery.WITHDRAWN
                return Tried(task, effect, held=effect.last_error if gone else "another deliverer was faster")
            try:
                letter = self._letter(task, effect, policy)
            except (EngineError, LedgerError) as error:
                return Tried(task, effect, held=str(error))
            reply = self._sender.send(letter)
            try:
                return self._record(task, effect, reply, policy)
            except (Conflict, StoreBusy) as error:
                # It is pending still, and is sent again under the same key.
                return Tried(task, effect, held=f"sent, and not recorded: {error}")

    def _letter(self, task: str, effect: SideEffect, policy: OutboxPolicy) -> Letter:
        """What is to be posted; raises an error with the reason when nothing may be."""
        held = self._held(task, effect, policy)
        if held:
            raise BadInput(held)
        entry = policy.destination(effect.effect, effect.destination)
        token = entry.token(self._environ)
        return Letter(
            key=effect.key,
            effect=effect.effect,
            url=effect.destination,
            body=self._shelf.load(effect.body),
            token=f"{entry.token_scheme} {token}" if token else "",
            headers=entry.headers,
            timeout_s=policy.timeout_s,
        )

    def _record(self, task: str, effect: SideEffect, reply: Reply, policy: OutboxPolicy) -> Tried:
        now = self._clock.now()
        answer = Answer(
            reply.status,
            reply.reason,
            self._shelf.keep(reply.body) if reply.body else "",
            retry_after_ms(reply.retry_after, now),
            reply.key == effect.key,
        )
        event = outcome(effect, answer, policy.patience, now=now, chance=self._chance())
        self._path.run(parse_task_id(task), RecordDelivery(event))
        return Tried(task, effect, event)

    def _held(self, task: str, effect: SideEffect, policy: OutboxPolicy) -> str:
        """What keeps a pending side effect from being sent, in words; empty for nothing."""
        if effect.delivery is not Delivery.PENDING:
            return ""
        try:
            state = self._path.state(task)
            held = _HELD_BY.get(state.status, "")
            if state.outbox.get(effect.key) is not Delivery.PENDING:
                held = "it is pending no more, as its task's state says"
            if not held:
                policy.destination(effect.effect, effect.destination).token(self._environ)
        except EngineError as error:
            return str(error)
        return held

    @contextmanager
    def _claimed(self, key: str) -> Iterator[bool]:
        """Hold the lock of a key's first two digits while a try lasts; false when somebody else holds it."""
        self._home.locks.mkdir(exist_ok=True)
        file = self._home.locks / f"outbox-{key[:2]}.lock"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


def _until_sent(limit: int | None, tries: Iterator[Tried]) -> Iterator[Tried]:
    """Tries up to the one by which `limit` have been sent; what is held back does not count."""
    sent = 0
    while limit is None or sent < limit:
        tried = next(tries, None)
        if tried is None:
            return
        sent += tried.event is not None
        yield tried
