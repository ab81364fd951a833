"""Commands on the decision journal and the context fabric."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from phasegate.engine.app.journal import SUMMARY_CHARS_MAX, Journal, PhaseContext
from phasegate.engine.cli.formats import ContextFormat
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_json, print_jsonl
from phasegate.engine.cli.session import session
from phasegate.engine.cli.tasks import answer
from phasegate.engine.cli.telling import HASH_SHOWN
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.fabric import Item, Visit

GONE = "(the text is gone from the object store)"
_UTF8_BYTES_MAX = 4


@dataclass(frozen=True)
class Note:
    """A note as it is asked for."""

    summary: str | None
    file: Path | None
    links: tuple[str, ...]
    decisions: tuple[str, ...]

    def text(self) -> str:
        """The summary, from the option or the file."""
        if (self.summary is None) == (self.file is None):
            raise BadInput(
                "a note has one summary", "give it with `--summary TEXT`, or in a file with `--file FILE`"
            )
        if self.file is None:
            return self.summary or ""
        try:
            with self.file.open("rb") as opened:
                return opened.read(SUMMARY_CHARS_MAX * _UTF8_BYTES_MAX + 1).decode()
        except OSError as error:
            raise BadInput(f"cannot read `{self.file}`: {error.strerror}", "give an existing file") from error
        except UnicodeDecodeError as error:
            raise BadInput(f"`{self.file}` is no UTF-8 text", "write the summary as plain text") from error


def add(home: Path | None, format_: Format, task: str, note: Note, lease: int | None) -> None:
    """Keep a note; exit 1 when it is refused."""
    text = note.text()
    with session(home, lease=lease) as engine:
        result = engine.journal.add(task, text, links=note.links, decisions=note.decisions)
        answer(engine, format_, result, f"{task}: noted for {result.state.phase}")


def show(home: Path | None, format_: Format, task: str) -> None:
    """Tell the journal."""
    with session(home, readonly=True) as engine:
        visits = engine.journal.visits(task)
        if format_ is Format.TABLE:
            for visit in visits:
                console().print(_told(engine.journal, visit))
            return
        rows = [_visit_json(engine.journal, visit) for visit in visits]
    if format_ is Format.JSON:
        print_json({"task": task, "visits": rows})
    else:
        print_jsonl(rows)


def context(home: Path | None, format_: ContextFormat, task: str, phase: str | None) -> None:
    """Show the context of each phase, or of one."""
    with session(home, readonly=True) as engine:
        contexts = engine.journal.context(task, phase)
    if format_ is ContextFormat.JSON:
        print_json({"task": task, "phases": [_context_json(item) for item in contexts]})
    elif format_ is ContextFormat.MARKDOWN:
        sys.stdout.write(_markdown(task, contexts))
    else:
        for item in contexts:
            console().print(_shown(item))


# -- the journal --------------------------------------------------------------------------------------


def _told(journal: Journal, visit: Visit) -> Text:
    text = Text()
    text.append(f"{visit.phase}, attempt {visit.attempt}", "bold cyan")
    text.append(f"  {visit.ended or 'goes on'}\n", "green" if visit.ended == "passed" else "yellow")
    _lines(text, "had", (_item(item) for item in visit.inputs))
    for note in visit.notes:
        _lines(text, f"thought ({note.seq})", (journal.text(note.summary) or GONE).splitlines())
        _lines(text, f"decided ({note.seq})", note.decisions)
        _lines(text, f"refers to ({note.seq})", note.links)
    rulings = (
        f"{item.by} as {item.role}: {item.decision}: {item.reason} ({item.seq})" for item in visit.rulings
    )
    _lines(text, "people", rulings)
    refusals = (f"{item.command} ({item.kind}): {item.message} ({item.seq})" for item in visit.refusals)
    _lines(text, "refused", refusals)
    _lines(text, "left", (_item(item) for item in visit.outputs.values()))
    entries = ((f"{link.seq} {link.hash[:HASH_SHOWN]} {link.type}", link.span_id) for link in visit.links)
    _lines(text, "entries", (f"{entry}  span {span}" if span else entry for entry, span in entries))
    return text


def _lines(text: Text, title: str, lines: Iterator[str] | tuple[str, ...] | list[str]) -> None:
    for number, line in enumerate(lines):
        text.append(f"  {title if not number else '':<16}", "bold")
        text.append(f"{line}\n")


def _item(item: Item) -> str:
    return f"{item.name}  {item.digest[:HASH_SHOWN]}  {item.phase} {item.attempt}  {item.origin}"


def _visit_json(journal: Journal, visit: Visit) -> dict[str, Any]:
    notes = [{**asdict(note), "text": journal.text(note.summary)} for note in visit.notes]
    return {
        "phase": visit.phase,
        "attempt": visit.attempt,
        "ended": visit.ended,
        "inputs": [asdict(item) for item in visit.inputs],
        "prompts": visit.prompts,
        "reasoning": notes,
        "rulings": [asdict(item) for item in visit.rulings],
        "outputs": [asdict(item) for item in visit.outputs.values()],
        "refusals": [asdict(item) for item in visit.refusals],
        "entries": [asdict(link) for link in visit.links],
    }


# -- the context --------------------------------------------------------------------------------------


def _context_json(item: PhaseContext) -> dict[str, Any]:
    return {**item.document, "texts": list(item.reasoning), "hash": item.hash}


def _shown(item: PhaseContext) -> Text:
    visit, text = item.visit, Text()
    text.append(f"{visit.phase}, attempt {visit.attempt}", "bold cyan")
    text.append(f"  {item.hash}\n", "dim")
    _lines(text, "inputs", (_item(one) for one in visit.inputs))
    _lines(text, "prompts", (digest[:HASH_SHOWN] for digest in visit.prompts))
    for reasoning in item.reasoning:
        _lines(text, "reasoning", (reasoning or GONE).splitlines())
    _lines(text, "outputs", (_item(one) for one in visit.outputs.values()))
    _lines(text, "entries", (f"{link.seq} {link.hash[:HASH_SHOWN]}" for link in visit.links))
    spans = (f"{span['trace_id']}-{span['span_id']}" for span in item.document["spans"])
    _lines(text, "spans", spans)
    return text


def _markdown(task: str, contexts: tuple[PhaseContext, ...]) -> str:
    lines = [f"# Context of {task}", ""]
    for item in contexts:
        visit = item.visit
        lines += [f"## {visit.phase}, attempt {visit.attempt}", "", f"Hash: `{item.hash}`", ""]
        lines += _table("Inputs", visit.inputs)
        for reasoning in item.reasoning:
            lines += ["### Reasoning", "", *(f"> {line}" for line in (reasoning or GONE).splitlines()), ""]
        lines += _table("Outputs", tuple(visit.outputs.values()))
        lines += ["### Entries and spans", ""]
        lines += [
            f"- {link.seq} `{link.hash[:HASH_SHOWN]}` {link.type}"
            + (f", span `{link.trace_id}-{link.span_id}`" if link.span_id else "")
            for link in visit.links
        ]
        lines.append("")
    return "\n".join(lines)


def _table(title: str, items: tuple[Item, ...]) -> list[str]:
    if not items:
        return [f"### {title}", "", "None.", ""]
    rows = (f"| {i.name} | `{i.digest}` | {i.phase} | {i.attempt} | {i.origin} |" for i in items)
    head = ["| name | digest | phase | attempt | origin |", "|---|---|---|---|---|"]
    return [f"### {title}", "", *head, *rows, ""]
