"""Where each task stands, folded anew from the entries as plain data.

Written apart from `core.state` and `core.state_json`: from the entries' JSON to the JSON of a task's row,
with none of the engine's models between. A row that the two do not agree on is a fault of one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phasegate.ledger.fsck.leaves import Leaf

JSON = dict[str, Any]
PREVIOUS_KEPT: Final = 8
RECENT_KEPT: Final = 64
_OBSERVERS: Final = ("engine", "hook", "proxy")
_FIRST: Final = ("milestone", "risk", "repository", "base_commit", "paused", "escalated")
_LAST: Final = (
    "baselines", "attested", "approvals", "depends_on", "workers", "previous", "outbox", "effect_phases",
    "broken_glass",
)  # fmt: skip
_DELIVERY: Final = {
    "outbox.enqueued": "pending",
    "outbox.deferred": "pending",
    "outbox.delivered": "delivered",
    "outbox.failed": "failed",
    "outbox.withdrawn": "withdrawn",
}


class CannotFold(Exception):
    """The entries of a task do not follow on each other, so its row cannot be made from them."""


class TaskFold:
    """One task, entry by entry.

    Args:
        orders: Names of what was signed, in the order of the signed statement, by its digest: canonical JSON
            does not keep that order, and a row does.
    """

    def __init__(self, orders: Mapping[str, list[str]]) -> None:
        self._orders = orders
        self._state: JSON = {}

    def row(self) -> JSON:
        """The task's row, in the order in which it is written."""
        state = self._state
        names = (
            "task", "title", "process", "process_digest", "status", "phase", "attempts", "completed",
            "evidence", "violations", "outcome",
        )  # fmt: skip
        row = {name: state[name] for name in names}
        row |= {name: state[name] for name in (*_FIRST, *_LAST) if state[name]}
        if any(state["loop"].values()):
            row["loop"] = state["loop"]
        return row

    def take(self, leaf: Leaf) -> None:
        """Take the task's next entry.

        Raises:
            CannotFold: It cannot follow there.
        """
        try:
            if leaf.type == "task.opened":
                self._open(leaf)
            elif not self._state:
                raise CannotFold(f"entry {leaf.seq}: `{leaf.type}` before the task was opened")
            else:
                self._step(leaf, leaf.payload)
        except (KeyError, TypeError, AttributeError) as error:
            raise CannotFold(f"entry {leaf.seq}: `{leaf.type}` without {error}") from error

    def _open(self, leaf: Leaf) -> None:
        if self._state:
            raise CannotFold(f"entry {leaf.seq}: the task is opened twice")
        said = leaf.payload
        self._state = {
            "task": leaf.task,
            "title": said["title"],
            "process": said["process"],
            "process_digest": said["process_digest"],
            "status": "open",
            "phase": leaf.phase,
            "attempts": {leaf.phase: leaf.attempt},
            "completed": [],
            "evidence": {},
            "violations": {},
            "outcome": "",
            "paused": "",
            "escalated": False,
            "broken_glass": [],
            "approvals": [],
            "depends_on": list(said.get("depends_on", ())),
            **{name: said.get(name, "") for name in ("milestone", "risk", "repository", "base_commit")},
            **{
                name: {}
                for name in ("baselines", "attested", "workers", "previous", "outbox", "effect_phases")
            },
            "loop": _loop(said.get("at", "")),
        }

    def _step(self, leaf: Leaf, said: JSON) -> None:
        state, kind = self._state, leaf.type
        if kind == "evidence.added":
            self._bind(leaf, said)
        elif kind == "phase.completed":
            state["completed"].append(leaf.phase)
        elif kind == "phase.entered":
            state["attempts"][leaf.phase] = leaf.attempt
            state["phase"] = leaf.phase
            self._progress(said.get("at", ""))
        elif kind == "phase.backtracked":
            self._back(leaf, said)
        elif kind == "task.completed":
            state["status"] = "completed"
        elif kind == "violation.recorded":
            self._violated(said)
        elif kind == "run.ended":
            state["outcome"] = said["outcome"]
        elif kind in {"prompt.baselined", "prompt.attested"}:
            self._prompt(leaf, said)
        elif kind in _DELIVERY:
            self._outbox(leaf, said)
        else:
            self._people(leaf, said)

    def _bind(self, leaf: Leaf, said: JSON) -> None:
        state, name, by, at = self._state, said["name"], said.get("by", ""), said.get("at", "")
        before = state["evidence"].get(name)
        if before is not None and before["attempt"] != leaf.attempt:
            digests: list[str] = [*state["previous"].get(name, ()), before["digest"]]
            # The first, and the latest that there is room for.
            state["previous"][name] = [*digests[:1], *digests[1:][1 - PREVIOUS_KEPT :]]
        state["evidence"][name] = {
            "name": name,
            "phase": leaf.phase,
            "attempt": leaf.attempt,
            **{key: said[key] for key in ("origin", "digest", "size_bytes", "path", "source")},
            "exit_code": said.get("exit_code"),
            "by": by,
        }
        workers = state["workers"].get(leaf.phase, [])
        if by and by not in workers:
            state["workers"][leaf.phase] = [*workers, by]
        if at:
            state["loop"]["progress_at"] = at

    def _back(self, leaf: Leaf, said: JSON) -> None:
        state, voided = self._state, said["voided"]
        passed = [phase for phase in state["completed"] if phase in voided]
        of = {name: item["phase"] for name, item in state["evidence"].items()}
        state["previous"] = {name: old for name, old in state["previous"].items() if of[name] not in passed}
        state["completed"] = [phase for phase in state["completed"] if phase not in voided]
        state["attempts"][said["target"]] = leaf.attempt
        state["phase"] = said["target"]

    def _violated(self, said: JSON) -> None:
        state, kind, at = self._state, said["violation"], said.get("at", "")
        state["violations"][kind] = state["violations"].get(kind, 0) + (said.get("repeats") or 1)
        if at:
            loop = state["loop"]
            loop["streaks"][kind] = loop["streaks"].get(kind, 0) + 1
            loop["recent"] = [*loop["recent"], at][-RECENT_KEPT:]

    def _progress(self, at: str) -> None:
        loop = self._state["loop"]
        if at or loop["streaks"]:
            loop["streaks"] = {}
            loop["progress_at"] = at or loop["progress_at"]

    def _outbox(self, leaf: Leaf, said: JSON) -> None:
        state, key = self._state, said["key"]
        state["outbox"][key] = _DELIVERY[leaf.type]
        if leaf.type == "outbox.enqueued":
            # The latest first; what it stood on before still counts.
            standing = state["effect_phases"].get(key) or said.get("gate") or leaf.phase
            others = {name: phase for name, phase in state["effect_phases"].items() if name != key}
            state["effect_phases"] = {key: standing, **others}

    def _prompt(self, leaf: Leaf, said: JSON) -> None:
        state, phase = self._state, leaf.phase
        if leaf.type == "prompt.baselined":
            names = ("version", "prompt", "header", "persona", "persona_digest")
            state["baselines"][phase] = {name: said[name] for name in names}
            return
        told = ("prompt", "persona", "persona_digest", "origin", "status", "version", "via")
        seen = {"attempt": leaf.attempt, **{name: said[name] for name in told}}
        before = state["attested"].get(phase)
        if before is None or before["attempt"] != leaf.attempt or self._outweighs(phase, seen, before):
            state["attested"][phase] = seen

    def _outweighs(self, phase: str, seen: JSON, before: JSON) -> bool:
        """Drift seen in use stands until the prompt is seen anew; a report takes nothing from a sight."""
        what = (before["prompt"], before["persona_digest"])
        baseline = self._state["baselines"].get(phase)
        drifted = baseline is not None and what != (baseline["prompt"], baseline["persona_digest"])
        if drifted and before["via"] in _OBSERVERS:
            return seen["via"] in _OBSERVERS
        same = (seen["prompt"], seen["persona_digest"]) == what
        return not (same and (seen["origin"], before["origin"]) == ("claimed", "witnessed"))

    def _people(self, leaf: Leaf, said: JSON) -> None:
        state = self._state
        if leaf.type == "task.paused":
            escalated = state["escalated"] or said["escalated"]
            state |= {"status": "paused", "paused": said["reason"], "escalated": escalated}
        elif leaf.type == "task.resumed":
            state |= {"status": "open", "paused": "", "escalated": False, "loop": _loop(said["at"])}
        elif leaf.type == "task.aborted":
            state |= {"status": "aborted", "paused": ""}
        elif leaf.type == "approval.recorded":
            self._approve(leaf, said)

    def _approve(self, leaf: Leaf, said: JSON) -> None:
        state = self._state
        if said["decision"] == "break_glass":
            state["broken_glass"] = [leaf.phase, leaf.attempt, said["statement"], said["by"]]
            return
        order = self._orders.get(said["statement"], [])
        names = order if sorted(order) == sorted(said["subjects"]) else list(said["subjects"])
        decided = {
            "phase": leaf.phase,
            "attempt": leaf.attempt,
            **{name: said[name] for name in ("decision", "role", "by", "key_id")},
            "subjects": {name: said["subjects"][name] for name in names},
            "statement": said["statement"],
        }
        same = (leaf.phase, said["key_id"], said["role"])
        others = [item for item in state["approvals"] if _by(item) != same]
        state["approvals"] = [*others, decided]


def _loop(progress_at: str) -> JSON:
    return {"streaks": {}, "recent": [], "progress_at": progress_at}


def _by(item: JSON) -> tuple[str, str, str]:
    return item["phase"], item["key_id"], item["role"]
