"""The rows that should stand beside the entries, made anew from them and compared with those that do."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from phasegate.engine.app.fsck.states import JSON, CannotFold, TaskFold
from phasegate.ledger.fsck.finding import RESTORE, Finding, damage, derived
from phasegate.ledger.fsck.lease_rows import STATE
from phasegate.ledger.fsck.leaves import Leaf
from phasegate.ledger.fsck.repairing import REPAIR_ROW
from phasegate.ledger.fsck.stored import StoredRow, row_step

LEDGER: Final = "-"
"""Task of the entries that belong to none."""

TASK, BINDING, OUTBOX, STATEMENT = "task", "binding", "outbox", "statement"
FLAG, MILESTONE, KEY, CHECKPOINT = "flag", "milestone", "key", "checkpoint"
REDACTION, CHILD, OPERATOR = "redaction", "child", "operator"
_LOST: Final = "restore it from a backup or a bundle of its task: the entries hold its digest only"

Definitions = Callable[[str], Mapping[str, Any] | None]
"""Gives the process definition of a digest; None where it is gone."""


class Wanted(NamedTuple):
    """A row as it should be."""

    seq: int
    body: bytes


class Rows:
    """Follows the entries, then compares.

    Args:
        definitions: gives process definitions.
        statements: the signed envelopes, by digest, as far as their bytes have it.

    Attributes:
        unchecked: what could not be judged, and why.
    """

    def __init__(self, definitions: Definitions, statements: Mapping[str, bytes]) -> None:
        self._definitions = definitions
        self._orders = {digest: _subjects(body) for digest, body in statements.items()}
        self._folds: dict[str, TaskFold] = {}
        self._lost: dict[str, str] = {}
        self._digests: dict[str, tuple[int, str]] = {}
        self._wanted: dict[tuple[str, str], Wanted] = {}
        self._waiting: dict[str, dict[tuple[str, str], bytes]] = {}
        self._effects: dict[str, JSON] = {}
        self._statements: dict[str, int] = {}
        self._stated: dict[str, set[str]] = {}
        self._marked: dict[str, frozenset[str]] = {}
        self._due = 0
        self.unchecked: list[str] = []

    def take(self, leaf: Leaf) -> None:
        """Take the next entry."""
        if leaf.task == LEDGER:
            self._of_ledger(leaf)
            return
        try:
            self._of_task(leaf)
            self._folds.setdefault(leaf.task, TaskFold(self._orders)).take(leaf)
        except CannotFold as error:
            self._lost.setdefault(leaf.task, str(error))
        except (KeyError, TypeError, AttributeError) as error:
            self._lost.setdefault(leaf.task, f"entry {leaf.seq}: `{leaf.type}` without {error}")
        if STATE in leaf.payload:
            self._digests[leaf.task] = (leaf.seq, str(leaf.payload[STATE]))
            self._settle(leaf)
        else:
            self._digests[leaf.task] = (leaf.seq, "")

    def findings(self, stored: list[StoredRow]) -> Iterator[Finding]:
        """What differs between the rows that should be there and those that are."""
        yield from self._of_tasks(stored)
        if self._due:
            self._wanted[CHECKPOINT, "due"] = Wanted(self._due, b"{}")
        wanted = dict(self._wanted)
        for row in stored:
            place = f"projections {row.kind}/{row.key[:80]}"
            if row.kind in {TASK, STATEMENT, REPAIR_ROW}:
                continue
            expected = wanted.pop((row.kind, row.key), None)
            if expected is None:
                yield derived("row_surplus", place, "nothing", _shown(row.seq, row.body), row.removal())
            elif expected != (row.seq, row.body):
                again = row_step(row.kind, row.key, *expected)
                found = _shown(row.seq, row.body)
                yield derived("row_differs", place, _shown(*expected), found, row.removal(), again)
        for (kind, key), expected in wanted.items():
            place, step = f"projections {kind}/{key[:80]}", row_step(kind, key, *expected)
            yield derived("row_missing", place, _shown(*expected), "nothing", step)
        yield from self._of_statements(stored)

    # -- entries of the ledger itself -----------------------------------------------------------------

    def _of_ledger(self, leaf: Leaf) -> None:
        said, seq = leaf.payload, leaf.seq
        if said.get("statement"):
            self._statements[str(said["statement"])] = seq
        if leaf.type == "flag.set":
            body = {name: said.get(name) for name in ("mode", "by", "reason")}
            self._wanted[FLAG, str(said.get("flag"))] = Wanted(seq, orjson.dumps(body))
        elif leaf.type == "milestone.approved":
            key = f"{said.get('process')}/{said.get('milestone')}"
            body = {name: said.get(name) for name in ("by", "reason")}
            self._wanted[MILESTONE, key] = Wanted(seq, orjson.dumps(body))
        elif leaf.type == "key.registered":
            key = f"{said.get('key_id')} {said.get('role')}"
            self._wanted[KEY, key] = Wanted(seq, orjson.dumps({"vkey": said.get("vkey")}))
            if said.get("role") == OPERATOR:
                self._wanted[OPERATOR, "any"] = Wanted(seq, b"{}")
        elif leaf.type == "object.redacted":
            self._wanted[REDACTION, str(said.get("object"))] = Wanted(seq, b"{}")
        elif leaf.type == "child.checkpointed":
            self._wanted[CHILD, "held"] = Wanted(seq, b"{}")
        elif leaf.type == "key.rotated":
            self._due = seq
        elif leaf.type == "ledger.checkpointed":
            self._due = 0

    # -- entries of tasks -----------------------------------------------------------------------------

    def _of_task(self, leaf: Leaf) -> None:
        said, rows = leaf.payload, self._waiting.setdefault(leaf.task, {})
        if said.get("statement"):
            self._stated.setdefault(leaf.task, set()).add(str(said["statement"]))
        if leaf.type == "task.opened":
            self._marked[leaf.task] = self._checkpointed(str(said["process_digest"]))
        elif leaf.type == "evidence.added":
            if (BINDING, said["digest"]) not in self._wanted:
                body = {"task": leaf.task, "phase": leaf.phase, "attempt": leaf.attempt, "name": said["name"]}
                rows[BINDING, said["digest"]] = orjson.dumps(body)
        elif leaf.type == "phase.completed" and leaf.phase in self._marked.get(leaf.task, ()):
            rows[CHECKPOINT, "due"] = b"{}"
        elif leaf.type.startswith("outbox."):
            rows[OUTBOX, said["key"]] = orjson.dumps(self._effect(leaf, said))

    def _settle(self, last: Leaf) -> None:
        """A command's last entry: the rows that were written with it carry its number."""
        for (kind, key), body in self._waiting.pop(last.task, {}).items():
            if kind == CHECKPOINT:
                self._due = last.seq
            else:
                self._wanted[kind, key] = Wanted(last.seq, body)
        for digest in self._stated.pop(last.task, ()):
            self._statements[digest] = last.seq

    def _effect(self, leaf: Leaf, said: JSON) -> JSON:
        key, state = said["key"], leaf.type.removeprefix("outbox.")
        before = self._effects.get(key)
        if state == "enqueued":
            effect = {
                "task": leaf.task,
                "state": "pending",
                "phase": before["phase"] if before else leaf.phase,
                "attempt": before["attempt"] if before else leaf.attempt,
                **{name: said[name] for name in ("effect", "destination", "body")},
                "attempts": 0,
                "next_at": said.get("at", ""),
                "last_error": "",
            }
        elif before is None:
            raise CannotFold(f"entry {leaf.seq}: `{leaf.type}` of a side effect that was never enqueued")
        else:
            effect = {**before, "state": "pending" if state == "deferred" else state}
            effect["next_at"] = said["next_at"] if state == "deferred" else ""
            if state == "withdrawn":
                effect["last_error"] = f"{said['voided']} was voided"
            else:
                effect |= {"attempts": said["attempts"], "last_error": said.get("reason", "")}
        self._effects[key] = effect
        return effect

    def _checkpointed(self, digest: str) -> frozenset[str]:
        """Phases behind which the definition wants a checkpoint."""
        definition = self._definitions(digest)
        if definition is None:
            self.unchecked.append(f"whether a checkpoint is due: the definition `{digest}` is gone")
            return frozenset()
        phases = definition.get("phases", ())
        return frozenset(str(phase["name"]) for phase in phases if phase.get("checkpoint"))

    # -- comparing ------------------------------------------------------------------------------------

    def _of_tasks(self, stored: list[StoredRow]) -> Iterator[Finding]:
        rows: dict[str, list[StoredRow]] = {}
        for row in stored:
            if row.kind == TASK:
                rows.setdefault(row.key, []).append(row)
        for task, (seq, digest) in sorted(self._digests.items()):
            yield from self._of_one(task, seq, digest, rows.pop(task, []))
        for task, surplus in rows.items():
            for row in surplus:
                place, found = f"projections task/{task[:80]}", _shown(row.seq, row.body)
                yield derived("row_surplus", place, "nothing", found, row.removal())

    def _of_one(self, task: str, seq: int, digest: str, rows: list[StoredRow]) -> Iterator[Finding]:
        """One task: its last entry names the digest of its row, and its entries lead to what is in it."""
        place, lost = f"projections task/{task}", self._lost.get(task, "")
        body = b"" if lost else orjson.dumps(self._folds[task].row())
        rebuilt = not lost and _digest(body) == digest
        good = [row for row in rows if row.seq == seq and _digest(row.body) == digest]
        if lost or not (rebuilt or (good and _same(good[0].body, body))):
            expected = f"entries that lead to the state {digest or 'that its last entry names'}"
            yield damage("state", f"task {task}", expected, lost or f"they lead to {_digest(body)}", RESTORE)
            return
        if len(rows) == len(good) == 1:
            return
        found = " and ".join(_shown(row.seq, row.body) for row in rows) or "nothing"
        expected = f"entry {seq}: {digest}"
        if not rebuilt:
            body = good[0].body
        code = "row_differs" if rows else "row_missing"
        steps = [row.removal() for row in rows]
        yield derived(code, place, expected, found, *steps, row_step(TASK, task, seq, body))

    def _of_statements(self, stored: list[StoredRow]) -> Iterator[Finding]:
        wanted = dict(self._statements)
        for row in stored:
            if row.kind != STATEMENT:
                continue
            place = f"projections statement/{row.key[:80]}"
            seq = wanted.pop(row.key, None)
            if seq is None:
                yield derived("row_surplus", place, "nothing", _shown(row.seq, row.body), row.removal())
            elif _digest(row.body) != row.key:
                yield damage("statement", place, row.key, _digest(row.body), _LOST)
            elif row.seq != seq:
                again = row_step(STATEMENT, row.key, seq, row.body)
                found = _shown(row.seq, row.body)
                yield derived("row_differs", place, _shown(seq, row.body), found, row.removal(), again)
        for digest, seq in wanted.items():
            place = f"projections statement/{digest}"
            yield damage("statement", place, f"what entry {seq} was signed with", "nothing", _LOST)


def _subjects(envelope: bytes) -> list[str]:
    """Names of what a signed statement is about, in its order; none where it cannot be read."""
    try:
        said = orjson.loads(base64.b64decode(orjson.loads(envelope)["payload"]))
        return [str(item["name"]) for item in said["subject"]]
    except (ValueError, TypeError, KeyError):
        return []


def _same(body: bytes, other: bytes) -> bool:
    try:
        return bool(orjson.loads(body) == orjson.loads(other))
    except orjson.JSONDecodeError:
        return False


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _shown(seq: int, body: bytes) -> str:
    return f"entry {seq}: {_digest(body)}"
