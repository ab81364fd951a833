"""What fsck found and put right."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from phasegate.engine.app.fsck.checking import Checked, check_home, repair_home
from phasegate.engine.app.home import find_home
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, say
from phasegate.engine.cli.plain_console import one_line
from phasegate.ledger.fsck.finding import Finding, Level

_STYLES: Final = {Level.DAMAGE: "bold red", Level.DERIVED: "yellow", Level.LEFTOVER: "dim"}


def fsck(home: Path | None, format_: Format, *, repair: bool) -> None:
    """Check a home; exit 4 when something but leftovers is found and not put right."""
    where = find_home(home, os.environ, Path.cwd())
    found = repair_home(where) if repair else check_home(where)
    if found.repaired:
        say(f"REPAIRED {len(found.repaired)} place(s) from the entries; entry {found.entry} records it")
    if found.refused:
        say(f"nothing was repaired: {found.refused}\nremedy: restore a good copy of the ledger")
    if format_ is Format.TABLE:
        _print(found)
    else:
        print_document(format_, found.json())
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _print(found: Checked) -> None:
    out, worst = console(), {finding.level for finding in found.findings} - {Level.LEFTOVER}
    word = (
        Text("differences", "bold red") if worst or found.unchecked else Text("no difference", "bold green")
    )
    out.print(word.append(f": {found.store.size} entries, root {found.store.root.hex()}", "default"))
    _print_findings("repaired", found.repaired)
    _print_findings("", found.findings)
    for line in found.unchecked:
        out.print(Text(one_line(f"not checked: {line}"), "magenta"))


def _print_findings(word: str, findings: Sequence[Finding]) -> None:
    out = console()
    for item in findings:
        line = Text(f"{word or item.level} ", "green" if word else _STYLES[item.level])
        line.append(f"{item.code}  {one_line(item.place)}\n", "bold")
        line.append(f"    expected: {_short(item.expected)}\n    found: {_short(item.found)}")
        if not word:
            line.append(f"\n    remedy: {one_line(item.remedy)}")
        out.print(line)


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
