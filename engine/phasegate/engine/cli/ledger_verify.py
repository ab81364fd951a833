"""Ledgers and exports verified: what was checked, what does not hold, what is not ruled out."""

from __future__ import annotations

import os
import time
from pathlib import Path

import typer
from rich.text import Text

from phasegate.engine.app.results import TRUST_EMBEDDED
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document
from phasegate.engine.cli.plain_console import one_line
from phasegate.ledger.offline.report import Report
from phasegate.ledger.offline.terms import Terms


def verify(home: Path | None, format_: Format, path: str | None, terms: Terms) -> None:
    """Verify the ledger of a home, or what is at a path; exit 4 when it does not hold, 3 when unknown."""
    began = time.monotonic()
    report = _of_home(home, terms) if path is None else _of_path(path, terms)
    elapsed_s = time.monotonic() - began
    if format_ is Format.TABLE:
        _tell(report, elapsed_s, is_home=path is None)
    else:
        trust = {"trust": TRUST_EMBEDDED} if path is None else {}
        print_document(format_, {**report.to_json(), **trust, "elapsed_s": round(elapsed_s, 6)})
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _of_home(home: Path | None, terms: Terms) -> Report:
    from phasegate.engine.app.checkpoints.verifying import verify_home
    from phasegate.engine.app.home import find_home

    return verify_home(find_home(home, os.environ, Path.cwd()), terms)


def _of_path(path: str, terms: Terms) -> Report:
    from phasegate.ledger.offline.verifying import verify_path

    return verify_path(path, terms)


def _tell(report: Report, elapsed_s: float, *, is_home: bool) -> None:
    out = console()
    chain = report.chain
    if not chain.ok:
        word = Text("the ledger does not hold", "bold red")
    elif report.not_evaluated:
        word = Text("the ledger holds as far as it could be checked", "bold yellow")
    else:
        word = Text("the ledger holds", "bold green")
    out.print(
        word.append(f": {chain.entries} entries, head {chain.head.hash} ({elapsed_s:.2f} s)", "default")
    )
    if chain.problem:
        place = f"entry {chain.problem.seq}" if chain.problem.seq else "the ledger"
        told = f"first bad: {place} ({chain.problem.code}): {chain.problem.message}"
        out.print(Text(one_line(told), "red"))
    for item in report.not_evaluated:
        out.print(Text(one_line(f"not evaluated: {item}"), "yellow"))
    for item in report.checked:
        out.print(Text(one_line(f"checked: {item}"), "dim"))
    for item in report.not_checked:
        out.print(Text(one_line(f"not checked: {item}"), "dim"))
    out.print(Text(f"not ruled out: {'; '.join(report.not_ruled_out) or 'nothing'}", "dim"))
    if is_home:
        out.print(Text(f"trust: {TRUST_EMBEDDED}", "dim"))
