"""The task as the ledger has it, read through a read-only connection.

A row of projections is not chained: it counts only if the task's last entry names its digest, as
`engine.app.standing` demands it.
"""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from json import loads
from urllib.parse import quote

from phasegate.engine.hook.refusing import UNAVAILABLE, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BUSY_S = 2.0
_STANDING = (
    "SELECT p.seq, p.body, e.task, e.bytes, "
    "(SELECT value FROM meta WHERE name = 'clock_ms'), (SELECT value FROM meta WHERE name = 'ledger'), "
    "EXISTS (SELECT 1 FROM entries l WHERE l.task = ?1 AND l.seq > coalesce(p.seq, 0)) "
    "FROM (SELECT 1) LEFT JOIN projections p ON p.kind = 'task' AND p.key = ?1 "
    "LEFT JOIN entries e ON e.seq = p.seq"
)
_LEASE = "SELECT epoch, holder, expires_ms FROM leases WHERE task = ? AND phase = ?"


class Task:
    """Where a task stands, and the lease on its phase.

    Attributes:
        state: the state as stored; None where there is no such task.
        lease: epoch, holder and expiry of the lease on its phase; None where there never was one.
        clock_ms: the latest time by which leases were judged.
    """

    def __init__(
        self, state: dict[str, Any] | None, lease: tuple[int, str, int] | None, clock_ms: int
    ) -> None:
        self.state = state
        self.lease = lease
        self.clock_ms = clock_ms


def read_task(home: str, ledger: str, task: str) -> Task:
    """Read where a task stands.

    Args:
        home: the engine's home.
        ledger: id of the ledger that must lie there.
        task: the task; one that was never opened has no state.

    Raises:
        Refusal: the ledger cannot be read, is another, or the row is not what its last entry says.
    """
    try:
        place = quote(f"{home}/ledger.db")
        connection = sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=BUSY_S)
        try:
            return _read(connection, ledger, task)
        finally:
            connection.close()
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        raise unavailable(f"the ledger cannot be read: {error}") from error


def _read(connection: sqlite3.Connection, ledger: str, task: str) -> Task:
    connection.execute("PRAGMA query_only=ON")
    connection.execute("BEGIN")  # one view for both reads
    [row] = connection.execute(_STANDING, (task,)).fetchall()
    seq, body, owner, entry, clock, found, later = row
    if found != ledger:
        raise unavailable("the ledger is another than the one the hook was installed for")
    if later or (seq is not None and not _vouched(task, body, owner, entry)):
        raise unavailable(f"the projection of task `{task[:64]}` is not what its last entry says")
    if seq is None:
        return Task(None, None, int(clock))
    state = loads(body)
    lease = connection.execute(_LEASE, (task, state["phase"])).fetchone()
    return Task(state, lease, int(clock))


def _vouched(task: str, body: bytes, owner: str | None, entry: bytes | None) -> bool:
    """Whether an entry of the task names the digest of its row."""
    if entry is None or owner != task:
        return False
    said = loads(entry)
    return bool(said["task"] == task and said["payload"].get("state") == sha256(body).hexdigest())


def read_object(home: str, digest: str) -> dict[str, Any]:
    """A definition or persona by its digest, checked against it.

    Raises:
        Refusal: it is gone, or was changed.
    """
    path = f"{home}/objects/sha256/{digest[:2]}/{digest}"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs more than the read
            data = file.read()
    except (OSError, ValueError) as error:
        raise unavailable(f"object `{digest[:64]}` cannot be read: {error}") from error
    if sha256(data).hexdigest() != digest:
        raise unavailable(f"object `{digest[:64]}` was changed on disk")
    found: dict[str, Any] = loads(data)
    return found


def lease_fault(
    process: dict[str, Any], task: Task, epoch: int | None, holder: str, now_ms: int
) -> tuple[str, str, str] | None:
    """Code, message and remedy of what a lease, or the want of one, has against the call; None for nothing.

    As `engine.app.leases.Leases.in_the_way`.

    Args:
        process: the definition.
        task: the task, which was opened.
        epoch: epoch of the lease the call is made under; None without one.
        holder: who makes it.
        now_ms: the time.
    """
    state = task.state or {}
    name, phase, now = state["task"], state["phase"], max(task.clock_ms, now_ms)
    if task.lease is not None:
        found, held_by, expires_ms = task.lease
        if now < expires_ms and (found, held_by) != (epoch, holder):
            text = f"{phase} is leased by `{held_by}`, epoch {found}"
            see = f"wait for it, see `engine lease list {name}`; if it is yours, give `--lease {found}`"
            return "lease.held", text, see
    if epoch is not None and (loss := _loss(task.lease, epoch, now)):
        text = f"epoch {epoch} of the lease on `{name}` `{phase}` {loss}; acquire it again and decide again"
        return "lease.stale", text, f"take it: `engine lease acquire {name}`"
    if process.get("lease", {}).get("required") and epoch is None:
        text = f"{phase} is worked on under a lease, and none was given"
        return (
            "lease.required",
            text,
            f"take it: `engine lease acquire {name}`, then give `--lease EPOCH`",
        )
    return None


def _loss(lease: tuple[int, str, int] | None, epoch: int, now_ms: int) -> str:
    """How the lease was lost; empty where it holds: its holder was compared before."""
    found, _, expires_ms = lease or (0, "", 0)
    if found < epoch:
        return f"was never given out (the latest is {found})"
    if found > epoch:
        return f"is stale: epoch {found} was acquired since"
    if now_ms >= expires_ms:
        return "was released" if expires_ms == 0 else "has expired"
    return ""


def unavailable(message: str) -> Refusal:
    """The refusal for a home that cannot be relied on."""
    remedy = "run `engine hooks install` again, and `engine ledger verify`; nothing passes meanwhile"
    return Refusal(UNAVAILABLE, "hook", message, remedy)
