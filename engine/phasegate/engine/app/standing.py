"""What stands: the tasks of a ledger as their rows and entries say, and the definitions they run under.

A task's row is a projection, which is not chained, so it counts only if the task's last entry names its
digest. What was read once is remembered; it is answered only while the row is still at the same version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from phasegate.engine.app.bindings import Bindings
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.recorded import STATE_FIELD
from phasegate.engine.core.errors import Conflict, IntegrityError, Unknown
from phasegate.engine.core.facts import Binding
from phasegate.engine.core.ids import TaskId, parse_task_id
from phasegate.engine.core.state import TaskState
from phasegate.engine.core.state_json import from_json, to_json
from phasegate.ledger.store import Row, Store
from phasegate.policies.errors import PolicyError
from phasegate.policies.loader import stored_process
from phasegate.policies.model import Process

READINGS_MAX = 64
TASK_ROW = "task"


class Known(NamedTuple):
    """A task as this process knows it.

    Attributes:
        version: sequence number of its last entry.
        state: where it stands after that.
        body: the state as its row holds it; empty where this process did not write it.
    """

    version: int
    state: TaskState
    body: bytes = b""


class Standing:
    """Reads the tasks of one ledger and the definitions they run under."""

    def __init__(self, store: Store, shelf: Shelf) -> None:
        self._store = store
        self._shelf = shelf
        self._bindings = Bindings(store)
        self._processes: dict[str, Process] = {}
        self._known: dict[str, Known] = {}

    def share(self, other: Standing) -> None:
        """Remember what another one of the same ledger does, with it: nothing of it is trusted unseen."""
        self._bindings, self._processes, self._known = other._bindings, other._processes, other._known

    def state(self, task: str) -> TaskState:
        """Where a task stands; raises BadInput for a task that was never opened."""
        return self.version(parse_task_id(task))[1]

    def seen(self, task: TaskId) -> tuple[int, TaskState]:
        """Version and state of a task as last seen; whoever acts on it has its version checked in the commit.

        Raises:
            BadInput: it was never opened.
        """
        known = self._known.get(task)
        return known[:2] if known else self.version(task)

    def version(self, task: TaskId) -> tuple[int, TaskState]:
        """Version and state of a task as they stand; raises BadInput for a task that was never opened."""
        version, state = self._load(task)
        if state is None:
            raise never_opened(task)
        return version, state

    def governing(self, task: TaskId) -> Process:
        """The definition a task was opened under, which never changes; so a state seen once is enough."""
        known = self._known.get(task)
        return self.process((known.state if known else self.state(task)).process_digest)

    def states(self) -> Iterator[TaskState]:
        """All tasks, by id."""
        for row in self._store.projections(TASK_ROW):
            _, state = self._load(TaskId(row.key))
            if state is not None:
                yield state

    def pin(self, definition: Process) -> None:
        """Keep a definition as an object, so that its digest resolves for as long as the ledger lives."""
        for pack in definition.pack_documents.values():
            self._shelf.keep(pack)
        self._shelf.keep(definition.canonical())
        self._processes[definition.digest] = definition

    def process(self, digest: str) -> Process:
        """The definition with this digest, as it was when a task was opened under it."""
        if digest not in self._processes:
            try:
                process = stored_process(self._shelf.load(digest))
            except PolicyError as error:
                raise IntegrityError(f"object `{digest}` is no process definition: {error}") from error
            if process.digest != digest:
                raise IntegrityError(
                    f"definition `{digest}` does not hash to itself", "restore it from a backup"
                )
            self._processes[digest] = process
        return self._processes[digest]

    def binding(self, digest: str) -> Binding | None:
        """Where bytes were bound first, as the entries say; None when they never were.

        Raises:
            IntegrityError: a row says otherwise.
        """
        return self._bindings.of(digest)

    def _load(self, task: TaskId) -> tuple[int, TaskState | None]:
        row = self._store.projection(TASK_ROW, task)
        known = self._known.get(task)
        if row is not None and known is not None and known.version == row.seq:
            return known[:2]
        row = self._vouched(task, row)
        if row is None:
            return 0, None
        self._known[task] = Known(row.seq, from_json(orjson.loads(row.body)))
        return self._known[task][:2]

    def _body(self, task: TaskId, after: TaskState) -> bytes:
        """A state as its row holds it: the bytes written last, if nothing has changed since."""
        known = self._known.get(task)
        return known.body if known and known.body and known.state is after else orjson.dumps(to_json(after))

    def _vouched(self, task: TaskId, row: Row | None) -> Row | None:
        """The task's row, if the task's last entry names its digest; read again while the task moves.

        A projection is not chained, so whoever can write the file could claim any phase in it.
        """
        for _ in range(READINGS_MAX):
            if self._is_vouched(task, row):
                return row
            before, row = row, self._store.projection(TASK_ROW, task)
            if row == before:
                raise IntegrityError(
                    f"the projection of task `{task}` is not what its last entry says",
                    f"`validate_checkpoint {task}` replays the entries; restore the home from a backup",
                )
        raise Conflict(f"task `{task}` kept moving while it was read", "try again when it is quieter")

    def _is_vouched(self, task: TaskId, row: Row | None) -> bool:
        later = self._store.entries(since=row.seq if row else 0, task=task, limit=1)
        if next(later, None) is not None:
            return False
        if row is None:
            return True
        entry = self._store.get(row.seq)
        digest = hashlib.sha256(row.body).hexdigest()
        return entry is not None and entry.task == task and entry.payload.get(STATE_FIELD) == digest


def never_opened(task: str) -> Unknown:
    """The error of naming a task that does not exist."""
    return Unknown(f"there is no task `{task}`", f"open it: `engine open {task} --process autopilot`")
