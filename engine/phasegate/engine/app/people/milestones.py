"""Milestones and dependencies: what must be done before a task may be opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from phasegate.engine.app.command_path import MILESTONES_ROW, CommandPath
from phasegate.engine.app.people.handed_in import handed_in
from phasegate.engine.app.people.keys import Role
from phasegate.engine.app.people.registrations import Registrations
from phasegate.engine.app.people.signing_off import signed_off, to_sign_off
from phasegate.engine.core.commands import OpenTask
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.engine.core.events import BaselineRecorded, MilestoneApproved
from phasegate.engine.core.facts import OpeningFacts
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import Status
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import VersionConflict
from phasegate.ledger.store import Projection, Store
from phasegate.policies.model import Process

MILESTONE_ROW = "milestone"
_ROLES = frozenset({Role.SUPERVISOR})


class Milestones:
    """What is known of milestones and of the tasks others depend on.

    Args:
        path: loads tasks, records approvals.
        store: the ledger.
        keys: who may sign a milestone off.
        clock: tells the time.
    """

    def __init__(self, path: CommandPath, store: Store, keys: Registrations, clock: Clock) -> None:
        self._path = path
        self._store = store
        self._keys = keys
        self._clock = clock

    def approve(self, process: Process, milestone: str, reason: str, key: Path) -> Entry:
        """Sign a milestone off, with a supervisor's key.

        Raises:
            BadInput: there is no such milestone, it has open tasks, or the key is no supervisor's.
        """
        what, now = self._what(process, milestone), self._clock.now()
        who, statement, row = signed_off(
            self._keys, key, _ROLES, ledger=self._store.ledger, what=what, reason=reason, at=now
        )
        event = MilestoneApproved(
            milestone=milestone, process=process.process, reason=reason, by=who, statement=statement
        )
        return self._path.record_for_ledger(event, (row, _row(event)))

    def to_sign(self, process: Process, milestone: str, reason: str, actor: str) -> bytes:
        """The statement that a supervisor elsewhere signs, for `hand_in`; nothing is recorded.

        Raises:
            BadInput: there is no such milestone, or it has open tasks.
        """
        what, now = self._what(process, milestone), self._clock.now()
        ledger, role = self._store.ledger, Role.SUPERVISOR
        made = to_sign_off(ledger=ledger, what=what, reason=reason, actor=actor, role=role, at=now)
        return made.to_bytes()

    def hand_in(self, process: Process, milestone: str, envelope: bytes) -> Entry:
        """Sign a milestone off as `approve` does, by what a supervisor signed elsewhere.

        Raises:
            StatementError, BadInput: as `handed_in`; or as `approve`.
            Conflict: the same was recorded meanwhile.
        """
        what, now = self._what(process, milestone), self._clock.now()
        said = handed_in(self._keys, self._store, envelope, _ROLES, what=what, now=now)
        event = MilestoneApproved(
            milestone=milestone,
            process=process.process,
            reason=said.reason,
            by=said.by,
            statement=said.statement,
        )
        try:
            return self._path.record_for_ledger(event, (said.row, _row(event)), (said.expect,))
        except VersionConflict as error:
            raise Conflict("this signature was handed in meanwhile", "nothing is left to do") from error

    def _what(self, process: Process, milestone: str) -> str:
        """What is signed to sign a milestone off, which must be done."""
        known = [rule.name for rule in process.milestones]
        if milestone not in known:
            raise BadInput(
                f"`{process.process}` has no milestone `{milestone}`", f"its milestones: {', '.join(known)}"
            )
        opened = self._tasks_in(process.process, Status.OPEN, Status.PAUSED)
        if milestone in opened:
            raise BadInput(
                f"milestone `{milestone}` is not done: task `{opened[milestone]}` is open",
                f"complete `{opened[milestone]}` first",
            )
        return f"milestone:{process.process}/{milestone}"

    def opening_facts(self, process: Process, command: OpenTask) -> OpeningFacts:
        """What the opening of a task depends on, as it stands; milestones are those of its own process."""
        statuses = {name: self._status(name) for name in command.depends_on}
        if not command.milestone:
            return OpeningFacts(statuses={name: status for name, status in statuses.items() if status})
        # The row first: whatever comes after shows at the commit.
        row = self._store.projection(*MILESTONES_ROW[:2])
        # Entries, not rows: rows can be edited without the chain showing it.
        approved = self._store.entries(task=LEDGER_STREAM, type=MilestoneApproved.kind)
        recorded = self._store.entries(task=LEDGER_STREAM, type=BaselineRecorded.kind)
        return OpeningFacts(
            statuses={name: status for name, status in statuses.items() if status},
            open_milestones=self._tasks_in(process.process, Status.OPEN, Status.PAUSED),
            begun=frozenset(self._tasks_in(process.process, Status.COMPLETED)),
            signed=frozenset(
                str(entry.payload["milestone"])
                for entry in approved
                if entry.payload["process"] == process.process
            ),
            stable=_stable(recorded),
            milestone_row=row.seq if row else 0,
        )

    def _status(self, task: str) -> str:
        try:
            return str(self._path.state(task).status)
        except BadInput:
            return ""

    def _tasks_in(self, process: str, *statuses: Status) -> dict[str, str]:
        """Milestones of a process that have tasks of such a status, with one of those tasks."""
        return {
            state.milestone: state.task
            for state in self._path.states()
            if state.milestone and state.process == process and state.status in statuses
        }


def _row(event: MilestoneApproved) -> Projection:
    body = orjson.dumps({"by": event.by, "reason": event.reason})
    return Projection(MILESTONE_ROW, f"{event.process}/{event.milestone}", body)


def _stable(recorded: Iterator[Entry]) -> frozenset[str]:
    """Names whose latest baseline is stable."""
    latest: dict[str, bool] = {}
    for entry in recorded:
        latest[str(entry.payload["name"])] = bool(entry.payload["stable"])
    return frozenset(name for name, stable in latest.items() if stable)
