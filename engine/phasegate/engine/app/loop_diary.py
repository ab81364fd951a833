"""The loop diary: what a task did before it was found going round in circles, for whoever is called."""

from __future__ import annotations

from collections.abc import Iterable

from phasegate.engine.core.events import LoopDetected
from phasegate.engine.core.state import TaskState
from phasegate.ledger.entry import Entry

DIARY_ENTRIES_MAX = 50
_SHOWN = ("message", "remedy", "name", "target", "reason")


def loop_diary(state: TaskState, seen: LoopDetected, newest_first: Iterable[Entry]) -> bytes:
    """The diary as Markdown: where the task stands, what was seen, and its latest entries, oldest first."""
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(state.violations.items())) or "none"
    lines = [
        f"# Loop diary of {state.task}",
        "",
        f"- seen: {seen.cause}, {seen.detail}",
        f"- at: {seen.at}",
        f"- where: {state.phase}, attempt {state.attempt}",
        f"- violations before: {counts}",
        "",
        "## Latest entries",
        "",
        *(_line(entry) for entry in reversed(list(newest_first))),
        "",
        "The task is paused. Whoever resumes it says what will be done differently:",
        f"`engine resume {state.task} --reason TEXT --key FILE`",
    ]
    return ("\n".join(lines) + "\n").encode()


def _line(entry: Entry) -> str:
    # One line an entry, whatever its text: else whoever wrote that could add entries that never were.
    said = " ".join("; ".join(str(entry.payload[name]) for name in _SHOWN if entry.payload.get(name)).split())
    return f"- {entry.seq} {entry.at} {entry.actor} {entry.phase} `{entry.type}` {said}".rstrip()
