"""Printing: data on standard output as a table, JSON or JSON lines; talk on standard error."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.plain_console import PlainConsole, one_line
from phasegate.validators.interface import Finding, Severity

_NO_TEXT: Final = re.compile(r"(?<!\\ud[89ab][0-9a-f]{2})\\udc([89a-f][0-9a-f])")
"""A byte of a file name that is no text, as JSON escapes it (PEP 383); not the second half of a pair."""

WIDTH_WITHOUT_TERMINAL = 160
_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOT_EVALUATED: "magenta"}


def console() -> Console:
    """Standard output; wide enough for a pipe, coloured only on a terminal (and never with NO_COLOR)."""
    return PlainConsole(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False)


def say(text: str) -> None:
    """Talk, on standard error."""
    PlainConsole(stderr=True, highlight=False, soft_wrap=True).print(Text(text))


def print_json(value: Any) -> None:
    """One indented JSON document."""
    sys.stdout.write(_dumped(value, orjson.OPT_INDENT_2) + "\n")
    sys.stdout.flush()


def print_jsonl(rows: Iterable[Any]) -> None:
    """One JSON document a line, flushed, so that a reader can follow."""
    for row in rows:
        sys.stdout.write(_dumped(row) + "\n")
        sys.stdout.flush()


def print_document(format_: Format, value: Any) -> None:
    """One document: indented as JSON, in one line as JSON lines."""
    if format_ is Format.JSONL:
        print_jsonl([value])
    else:
        print_json(value)


def _dumped(value: Any, option: int = 0) -> str:
    """A value as JSON that the terminal's encoding can write."""
    with suppress(TypeError):
        text = orjson.dumps(value, option=option, default=_plain).decode()
        return text if text.isascii() or _is_utf8() else _escaped(orjson.loads(text), option)
    # A file name that is no text: its bytes are shown as escapes.
    return _NO_TEXT.sub(r"\\\\x\1", _escaped(value, option))


def _escaped(value: Any, option: int) -> str:
    return json.dumps(value, default=_plain_or_fields, ensure_ascii=True, indent=2 if option else None)


def _is_utf8() -> bool:
    return codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"


def _plain_or_fields(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else _plain(value)


def chosen(format_: Format, json_: bool) -> Format:
    """The format asked for, `--json` being short for one of them."""
    return Format.JSON if json_ else format_


def print_rows(
    format_: Format, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = ""
) -> None:
    """Rows as a table of the given columns, as one JSON list, or as JSON lines."""
    if format_ is Format.JSON:
        print_json(list(rows))
    elif format_ is Format.JSONL:
        print_jsonl(rows)
    else:
        table = Table(
            title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False
        )
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*(Text(one_line(str(row.get(column, "")))) for column in columns))
        console().print(table)


def finding_json(finding: Finding) -> dict[str, str]:
    """A finding as plain data."""
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "artifact": finding.artifact,
        "place": finding.place,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def print_findings(findings: Sequence[Finding]) -> None:
    """Findings as a list to act on: what and where, then the remedy below."""
    out = console()
    for finding in findings:
        line = Text("  ")
        line.append(finding.code, style=_STYLES[finding.severity])
        line.append(
            f"  {finding.artifact}  {finding.place}\n" if finding.artifact else f"  {finding.place}\n", "dim"
        )
        line.append(f"    {finding.message}\n    ")
        line.append("remedy: ", style="bold")
        line.append(finding.remedy)
        out.print(line)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
