"""The ledger told as a story, and followed live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from phasegate.engine.app.engine import Engine
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_json, print_jsonl
from phasegate.engine.cli.plain_console import one_line
from phasegate.engine.cli.session import session
from phasegate.engine.cli.telling import HASH_SHOWN, STYLES, tell
from phasegate.ledger.entry import Entry

POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries to show; `limit` keeps the latest."""

    task: str | None = None
    type: str | None = None
    phase: str | None = None
    since: int = 0
    limit: int | None = None

    def read(self, engine: Engine) -> list[Entry]:
        """The selected entries, oldest first."""
        found = engine.store.entries(
            since=self.since,
            task=self.task,
            type=self.type,
            phase=self.phase,
            limit=self.limit,
            reverse=self.limit is not None,
        )
        return list(found)[::-1] if self.limit is not None else list(found)


def show(home: Path | None, format_: Format, selection: Selection, *, follow: bool) -> None:
    """Print the selected entries, and with `follow` those that come."""
    with session(home, readonly=True) as engine:
        entries = selection.read(engine)
        if follow:
            for entry in _tail(engine, selection, entries):
                _print_entries(Format.JSONL if format_ is Format.JSON else format_, [entry])
            return
        _print_entries(format_, entries)


def _tail(engine: Engine, selection: Selection, entries: list[Entry]) -> Iterator[Entry]:
    since = max(selection.since, engine.store.head().size if not entries else entries[-1].seq)
    yield from entries
    while True:
        rest = Selection(selection.task, selection.type, selection.phase, since)
        for entry in rest.read(engine):
            since = entry.seq
            yield entry
        time.sleep(POLL_S)


def history(home: Path | None, format_: Format, task: str) -> None:
    """Print one task's entries."""
    with session(home, readonly=True) as engine:
        _print_entries(format_, list(engine.history(task)))


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry with its hash, as plain data."""
    return {name: getattr(entry, name) for name in entry._fields if name != "bytes"}


def _print_entries(format_: Format, entries: list[Entry]) -> None:
    if format_ is Format.JSON:
        print_json([entry_json(entry) for entry in entries])
    elif format_ is Format.JSONL:
        print_jsonl(entry_json(entry) for entry in entries)
    else:
        out = console()
        for entry in entries:
            out.print(_line(entry), soft_wrap=True)


def _line(entry: Entry) -> Text:
    line = Text().append(f"{entry.at[:10]} {entry.at[11:23]} ", "dim")
    line.append(f"{entry.seq:>6} ", "dim")
    line.append(f"{entry.task:<14} {entry.phase:<11}", "bold")
    line.append(f" {one_line(tell(entry))} ", STYLES.get(entry.type, "default"))
    line.append(f"{entry.actor} {entry.hash[:HASH_SHOWN]}", "dim")
    return line
