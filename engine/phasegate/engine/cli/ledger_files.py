"""The ledger exported, and ledgers and exports verified."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from rich.text import Text

from phasegate.engine.app.results import TRUST_EMBEDDED
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, print_json
from phasegate.engine.cli.session import session
from phasegate.engine.cli.surface.ledger_files import LedgerFormat
from phasegate.engine.core.errors import BadInput
from phasegate.ledger.errors import ExportError, StoreMissing
from phasegate.ledger.notes import MAX_NOTE_BYTES
from phasegate.ledger.offline.report import Report
from phasegate.ledger.offline.terms import Terms

if TYPE_CHECKING:
    from phasegate.ledger.store import Store
    from phasegate.ledger.verify import Verification

EVERY_ENTRY: Final = "all"


@dataclass(frozen=True, slots=True)
class Asked:
    """Where to export to, as what, with which checkpoint and proofs of which entries."""

    path: Path
    format: LedgerFormat
    checkpoint: Path | None
    proofs: tuple[str, ...]


def export(home: Path | None, asked: Asked, *, as_json: bool) -> None:
    """Write the ledger of a home and tell what was written."""
    if asked.format is not LedgerFormat.TILES and (asked.checkpoint or asked.proofs):
        raise BadInput(
            f"`{asked.format}` holds neither checkpoint nor proofs",
            "export tiles, or keep the checkpoint beside the file and verify with `--checkpoint`",
        )
    with session(home, readonly=True) as engine:
        written = _write(engine.store, asked)
    root = written.root.hex() if written.root is not None else ""
    head = {"entries": written.entries, "head": written.head.hash, "root": root}
    if as_json:
        print_json({"path": str(asked.path), "format": asked.format, "ledger": written.ledger, **head})
    else:
        lines = [f"{asked.format} of {written.entries} entries written to {asked.path}"]
        lines += [f"head {written.head.hash}", f"root {root}"]
        console().print("\n".join(lines), soft_wrap=True, markup=False)


def _write(store: Store, asked: Asked) -> Verification:
    if asked.format is LedgerFormat.JSONL:
        from phasegate.ledger.export.jsonl import export_jsonl

        return export_jsonl(store, asked.path)
    if asked.format is LedgerFormat.SQLITE:
        from phasegate.ledger.export.sqlite_db import export_sqlite

        return export_sqlite(store, asked.path)
    from phasegate.ledger.export.tiles import export_tiles

    note = None if asked.checkpoint is None else _note(asked.checkpoint)
    return export_tiles(store, asked.path, checkpoint=note, proofs=_proofs(asked.proofs)).chain


def _note(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES + 1)
    except OSError as error:
        raise ExportError(
            "unreadable", f"cannot read `{path}`: {error.strerror}; name a checkpoint"
        ) from None


def _proofs(texts: tuple[str, ...]) -> set[int]:
    from phasegate.ledger.export.tiles import ALL

    try:
        return {ALL if text == EVERY_ENTRY else int(text) for text in texts}
    except ValueError:
        raise BadInput("a proof is of one entry", f"name its sequence number, or `{EVERY_ENTRY}`") from None


def verify(home: Path | None, format_: Format, path: str | None, terms: Terms) -> None:
    """Verify the ledger of a home, or what is at a path; exit 4 when it does not hold, 3 when unknown."""
    import os

    from phasegate.engine.app.home import find_home
    from phasegate.ledger.offline.verifying import verify_path

    if path is None:
        found = find_home(home, os.environ, Path.cwd())
        if not found.database and not found.ledger.is_file():
            raise StoreMissing(f"there is no ledger at `{found.ledger}`; restore it, or name another home")
        where = found.database or str(found.ledger)
    else:
        where = path
    began = time.monotonic()
    report = verify_path(where, terms)
    elapsed_s = time.monotonic() - began
    if format_ is Format.TABLE:
        _tell(report, elapsed_s, is_home=path is None)
    else:
        trust = {"trust": TRUST_EMBEDDED} if path is None else {}
        print_document(format_, {**report.to_json(), **trust, "elapsed_s": round(elapsed_s, 6)})
    if report.exit_code:
        raise typer.Exit(report.exit_code)


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
        out.print(Text(f"first bad: {place} ({chain.problem.code}): {chain.problem.message}", "red"))
    for item in report.not_evaluated:
        out.print(Text(f"not evaluated: {item}", "yellow"))
    for item in report.checked:
        out.print(Text(f"checked: {item}", "dim"))
    for item in report.not_checked:
        out.print(Text(f"not checked: {item}", "dim"))
    out.print(Text(f"not ruled out: {'; '.join(report.not_ruled_out) or 'nothing'}", "dim"))
    if is_home:
        out.print(Text(f"trust: {TRUST_EMBEDDED}", "dim"))
