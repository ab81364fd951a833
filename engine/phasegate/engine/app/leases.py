"""Leases for workers: acquire, renew, release, list; contention is recorded as a violation.

The lease itself lives in the store, in the same transactions as the entries; see `phasegate.ledger.leases`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.standing import TASK_ROW
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.engine.core.events import Kind
from phasegate.engine.core.ids import TaskId, parse_phase, parse_task_id
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import Status, TaskState
from phasegate.engine.core.times import milliseconds
from phasegate.ledger.errors import LeaseHeld, LeaseInvalid, LeaseLost, VersionConflict
from phasegate.ledger.leases import Fence, Lease, check_fence
from phasegate.ledger.store import Expect, Store
from phasegate.policies.model import LeaseRule, Process
from phasegate.validators.interface import Finding

ACQUISITIONS_MAX = 64


class Leases:
    """The exclusive right to act on one task and phase for a time.

    The holder is the actor, with the label the engine was opened with; nobody takes one in another's name.

    Args:
        path: records contention.
        store: holds the leases.
        clock: tells the time.
    """

    def __init__(self, path: CommandPath, store: Store, clock: Clock) -> None:
        self._path = path
        self._store = store
        self._clock = clock

    def acquire(self, task: str, phase: str | None = None, *, ttl_s: int | None = None) -> Lease:
        """Acquire the lease on a task's phase, the current one by default; it expires if nobody renews it.

        Args:
            task: the task.
            phase: the phase.
            ttl_s: seconds to expiry; the process's by default.

        Raises:
            BadInput: the task was never opened, is paused or has ended, or its process has no such phase.
            Conflict: somebody holds it; that is recorded and counted.
        """
        name = parse_task_id(task)
        version, state = self._path.seen(name)
        for _ in range(ACQUISITIONS_MAX):
            try:
                return self._acquired(name, version, state, phase, ttl_s)
            except (VersionConflict, BadInput):
                seen, (version, state) = version, self._path.version(name)
                if version == seen:
                    raise
        raise Conflict(f"task `{task}` kept moving while its lease was taken", "try again when it is quieter")

    def _acquired(
        self, task: TaskId, version: int, state: TaskState, phase: str | None, ttl_s: int | None
    ) -> Lease:
        """Acquire the lease while the task is as it was seen: nobody gets one on a task just paused."""
        _refuse_standing_still(state)
        name, where, rule = self._place(task, phase or state.phase)
        ttl_ms = 1000 * (ttl_s if ttl_s is not None else rule.ttl_seconds)
        return self._settled(
            name,
            where,
            lambda: self._store.lease_acquire(
                name,
                where,
                self._path.holder,
                now_ms=self._now_ms(),
                ttl_ms=ttl_ms,
                expect=(Expect(TASK_ROW, name, version),),
            ),
        )

    def renew(
        self,
        task: str,
        epoch: int,
        phase: str | None = None,
        *,
        ttl_s: int | None = None,
        window_s: int | None = None,
    ) -> Lease:
        """Prolong a lease within its renewal window; before that it is returned as it is.

        Raises:
            Conflict: it is another's, or it has expired; that is recorded.
        """
        name, where, rule = self._place(task, phase)
        ttl_ms = 1000 * (ttl_s if ttl_s is not None else rule.ttl_seconds)
        window_ms = 1000 * (window_s if window_s is not None else rule.window_seconds)
        return self._settled(
            name,
            where,
            lambda: self._store.lease_renew(
                name,
                where,
                self._path.holder,
                epoch,
                now_ms=self._now_ms(),
                ttl_ms=ttl_ms,
                window_ms=window_ms,
            ),
        )

    def release(self, task: str, epoch: int, phase: str | None = None) -> Lease:
        """Give a lease up. Releasing twice is allowed.

        Raises:
            Conflict: it is another's; that is recorded.
        """
        name, where, _ = self._place(task, phase)
        return self._settled(
            name,
            where,
            lambda: self._store.lease_release(name, where, self._path.holder, epoch, now_ms=self._now_ms()),
        )

    def list(self, task: str | None = None) -> Iterator[Lease]:
        """The latest lease of each task and phase, held or not; BadInput for a task that was never opened."""
        return self._store.leases(parse_task_id(self._path.state(task).task) if task else None)

    def held(self, lease: Lease) -> bool:
        """Whether a lease is held now."""
        return lease.live(self._now_ms())

    def in_the_way(self, process: Process, state: TaskState, epoch: int | None = None) -> Finding | None:
        """What a lease, or the want of one, has against our commands in a task's current phase.

        Findings: `lease.held`, `lease.stale`, `lease.required`.

        Args:
            process: the task's process.
            state: the task.
            epoch: epoch of the lease they are made under; the engine's without it.
        """
        task, phase, now = state.task, state.phase, self._now_ms()
        epoch = self._path.epoch if epoch is None else epoch
        found = next((it for it in self._store.leases(parse_task_id(task)) if it.phase == phase), None)
        if (
            found is not None
            and found.live(now)
            and (found.epoch, found.holder) != (epoch, self._path.holder)
        ):
            text = f"{phase} is leased by `{found.holder}`, epoch {found.epoch}"
            remedy = (
                f"wait for it, see `engine lease list {task}`; if it is yours, give `--lease {found.epoch}`"
            )
            return Finding("lease.held", "", phase, text, remedy)
        # What the store saw expire stays so when our clock goes back.
        latest = now if found is None else max(now, found.seen_ms)
        try:
            check_fence(found, Fence(task, phase, epoch, now, self._path.holder), latest)
        except LeaseLost as error:
            return Finding("lease.stale", "", phase, str(error), f"take it: `engine lease acquire {task}`")
        if process.lease.required and epoch is None:
            text = f"{phase} is worked on under a lease, and none was given"
            remedy = f"take it: `engine lease acquire {task}`, then give `--lease EPOCH`"
            return Finding("lease.required", "", phase, text, remedy)
        return None

    def _place(self, task: str, phase: str | None) -> tuple[TaskId, str, LeaseRule]:
        """Task, phase (the current one without any) and what the task's process says of leases."""
        name = parse_task_id(task)
        process = self._path.governing(name)
        where = parse_phase(phase) if phase else self._path.state(name).phase
        if where not in process.order:
            known = ", ".join(process.order)
            raise BadInput(f"the process has no phase `{where}`", f"its phases are: {known}")
        return name, where, process.lease

    def _settled(self, task: TaskId, phase: str, work: Callable[[], Lease]) -> Lease:
        try:
            return work()
        except LeaseInvalid as error:
            raise BadInput(str(error), "see `engine lease acquire --help`") from error
        except (LeaseHeld, LeaseLost) as error:
            kind = Kind.LEASE_CONTENTION if isinstance(error, LeaseHeld) else Kind.STALE_LEASE
            remedy = f"see `engine lease list {task}`; try again when it is released or has expired"
            self._path.record_lease_refusal(task, phase, kind, str(error), remedy)
            raise Conflict(str(error), remedy) from error

    def _now_ms(self) -> int:
        return milliseconds(self._clock.now())


def _refuse_standing_still(state: TaskState) -> None:
    if state.status.final:
        raise BadInput(f"task `{state.task}` is {state.status}", "open a new task for further work")
    if state.status is Status.PAUSED:
        remedy = f"a person lets it go on: `engine resume {state.task} --reason TEXT --key FILE`"
        raise BadInput(f"task `{state.task}` is paused: {state.paused}", remedy)
