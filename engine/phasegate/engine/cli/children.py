"""Children of a ledger: their checkpoints held, listed, and the tree verified."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import typer
from rich.text import Text

from phasegate.engine.app.checkpoints.proofs import consistency
from phasegate.engine.app.checkpoints.verifying import verify_home
from phasegate.engine.app.children.holding import Held, Offered
from phasegate.engine.app.children.tree import (
    Child,
    Standing,
    exit_code,
    verify_children,
)
from phasegate.engine.app.home import Home, find_home, marked_ledger
from phasegate.engine.app.paths import encode_path
from phasegate.engine.cli import ledger_verify
from phasegate.engine.cli.checkpoints import read_file, steps_in, verifier_key
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, print_rows
from phasegate.engine.cli.plain_console import one_line
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.notes import parse_note
from phasegate.ledger.offline.terms import Terms

_STYLES: Final = {Standing.HOLDS: "green", Standing.UNKNOWN: "magenta"}


class Asked(NamedTuple):
    """A checkpoint to hold, and what shows that it follows."""

    file: Path
    log: str | None
    proof: Path | None
    child: Path | None


def hold(home: Path | None, format_: Format, asked: Asked) -> None:
    """Hold a checkpoint and tell which entry does."""
    note = parse_note(read_file(asked.file))
    said = parse_checkpoint(note.text)
    with session(home) as engine:
        known = engine.children.latest().get(said.origin)
        entries = engine.children.hold([_offered(Offered(note), asked, known, said.size)])
    seq = entries[0].seq if entries else known.seq if known else 0
    if format_ is Format.TABLE:
        word = "held" if entries else "was held before"
        console().print(
            f"checkpoint of {said.size} entries of {said.origin} {word}: entry {seq}", markup=False
        )
    else:
        print_document(format_, {"child": said.origin, "size": said.size, "entry": seq, "new": bool(entries)})


def _offered(bare: Offered, asked: Asked, known: Held | None, size: int) -> Offered:
    log = verifier_key(asked.log) if asked.log else None
    old = known.checkpoint.size if known else 0
    if asked.child is None:
        proof = tuple(steps_in(read_file(asked.proof))) if asked.proof and 0 < old < size else ()
        if 0 < old < size and not asked.proof:
            raise BadInput(
                f"the last checkpoint held is of {old} entries, and nothing proves that this one follows",
                f"give `--proof FILE`, from `engine ledger proof --from {old} --to {size}`, or `--from HOME`",
            )
        return bare._replace(log=log, proof=proof)
    with session(asked.child, readonly=True) as child:
        if child.store.frontier().size < size:
            text = f"the ledger of `{asked.child}` has fewer entries than the checkpoint"
            raise IntegrityError(text, "find out which of the two was cut")
        trusted = log or (known.log if known else None)
        if trusted is not None:
            log = child.checkpoints.chain(trusted).at(size)
        proof = consistency(child.store, old, size).hashes if 0 < old < size else ()
        return bare._replace(log=log, proof=proof, place=encode_path(child.home.root))


def show(home: Path | None, format_: Format) -> None:
    """List what is held."""
    with session(home, readonly=True) as engine:
        held = sorted(engine.children.latest().values())
    rows = [
        {
            "child": item.child,
            "size": item.checkpoint.size,
            "root": item.checkpoint.root.hex(),
            "entry": item.seq,
            "key": item.log.key_id,
            "place": item.place,
        }
        for item in held
    ]
    print_rows(format_, rows, ("child", "size", "entry", "key", "place"))


def verify_tree(home: Path | None, format_: Format, terms: Terms, places: Sequence[Path]) -> None:
    """Verify a home's ledger, its children and theirs; exit 4 when one does not hold, 3 when unknown.

    Where the parent itself does not hold, what it says of children is worth nothing: they are not looked at.
    """
    parent = {}
    if format_ is Format.TABLE:
        ledger_verify.verify(home, format_, None, terms)
    else:
        report = verify_home(find_home(home, os.environ, Path.cwd()), terms)
        parent = report.to_json()
        if report.exit_code:
            print_document(format_, {"ok": False, "parent": parent, "children": None})
            raise typer.Exit(report.exit_code)
    named = {marked_ledger(Home(place.resolve())): place.resolve() for place in places}
    with session(home, readonly=True) as engine:
        found = verify_children(engine.store, named)
    if format_ is Format.TABLE:
        console().print(f"children: {len(found)}", markup=False)
        for child in found:
            _print(child, 1)
    else:
        below = [child.json() for child in found]
        print_document(format_, {"ok": not exit_code(found), "parent": parent, "children": below})
    code = exit_code(found)
    if code:
        raise typer.Exit(code)


def _print(child: Child, depth: int) -> None:
    line = Text("  " * depth + f"{child.ledger}: ")
    line.append(str(child.standing), _STYLES.get(child.standing, "bold red"))
    line.append(f", {child.held} of {child.entries} entries held")
    line.append(f"; {one_line(child.detail)}" if child.detail else "")
    console().print(line)
    for one in child.children:
        _print(one, depth + 1)
