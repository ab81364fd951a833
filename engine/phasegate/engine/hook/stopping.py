"""Whether an agent that stops is told, once, what its phase still lacks."""

from __future__ import annotations

import os
from hashlib import sha256

from phasegate.engine.hook.clients import session_of, stopped_before

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = "stops"
SHOWN_MAX = 12


def reason_to_go_on(
    folder: str, said: dict[str, Any], state: dict[str, Any] | None, definition: dict[str, Any]
) -> str:
    """What to tell an agent that stops; empty to let it.

    A conversation is told at most once in an attempt of a phase, whatever the client says of itself; where
    that cannot be remembered it is told nothing.

    Args:
        folder: the hook's folder.
        said: the event.
        state: the task's state; None without a task.
        definition: its process.
    """
    if stopped_before(said) or state is None or state["status"] != "open":
        return ""
    missing = _missing(state, definition)
    if not missing or not _remembered(folder, session_of(said), state):
        return ""
    names = ", ".join(missing[:SHOWN_MAX])
    task, phase = state["task"], state["phase"]
    return (
        f"task `{task}` stands in {phase}, and its gate still wants: {names}. "
        f"Hand them in (`engine gate {task}` says how), or stop again if a person has to act first."
    )


def _missing(state: dict[str, Any], definition: dict[str, Any]) -> list[str]:
    phase, attempt = state["phase"], state["attempts"].get(state["phase"])
    rule = next(rule for rule in definition["phases"] if rule["name"] == phase)
    held = state["evidence"]
    return [
        item["name"]
        for item in rule.get("evidence", ())
        if (held.get(item["name"]) or {}).get("phase") != phase or held[item["name"]]["attempt"] != attempt
    ]


def _remembered(folder: str, session: str, state: dict[str, Any]) -> bool:
    """Whether it could be noted now that this conversation is told of this attempt; not if it was before."""
    where = f"{session}\n{state['task']}\n{state['phase']}\n{state['attempts'].get(state['phase'])}"
    name = sha256(where.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        os.makedirs(f"{folder}/{FOLDER}", mode=0o700, exist_ok=True)  # noqa: PTH103
        os.close(os.open(f"{folder}/{FOLDER}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return False
    return True
