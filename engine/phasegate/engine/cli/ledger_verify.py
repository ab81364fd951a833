"""The ledger verified: what was checked, the first thing that does not hold, and what is not ruled out."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import typer
from rich.text import Text

from phasegate.engine.app.checkpoints.verifying import Given, Verified, read_file, verify_home
from phasegate.engine.app.home import find_home
from phasegate.engine.app.results import TRUST_EMBEDDED
from phasegate.engine.cli.checkpoints import verifier_key
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document
from phasegate.engine.core.errors import BadInput

EXIT_INTEGRITY: Final = 4


class Asked(NamedTuple):
    """What the ledger is to be held against."""

    key: str | None
    previous: Path | None
    checkpoint: Path | None
    witnesses: tuple[str, ...]
    quorum: int

    def given(self) -> Given:
        """It, read."""
        return Given(
            verifier_key(self.key) if self.key else None,
            read_file(self.previous) if self.previous else None,
            read_file(self.checkpoint) if self.checkpoint else None,
            tuple(map(verifier_key, self.witnesses)),
            self.quorum,
        )


def asked(
    keys: Sequence[str],
    previous: Sequence[Path],
    checkpoint: Path | None,
    witnesses: Sequence[str],
    quorum: int | None,
) -> Asked:
    """What a home's ledger is to be held against.

    Raises:
        BadInput: more than one key or earlier checkpoint; the home's own records lead from one to the others.
    """
    if len(keys) > 1 or len(previous) > 1:
        raise BadInput(
            "a home is verified with one key and one earlier checkpoint",
            "name the oldest of them: the ledger says how its keys and checkpoints follow from it",
        )
    least = len(witnesses) if quorum is None else quorum
    return Asked(next(iter(keys), None), next(iter(previous), None), checkpoint, tuple(witnesses), least)


def verify(home: Path | None, format_: Format, asked: Asked) -> None:
    """Verify the ledger; exit 4 when it does not hold."""
    found = find_home(home, os.environ, Path.cwd())
    given = asked.given()
    began = time.monotonic()
    verified = verify_home(found, given)
    elapsed = time.monotonic() - began
    if format_ is Format.TABLE:
        _print(verified, elapsed)
    else:
        problem = verified.problem
        print_document(
            format_,
            {
                "ok": verified.ok,
                "entries": verified.ledger.entries,
                "head": verified.ledger.head.hash,
                "problem": problem._asdict() if problem else None,
                "checked": verified.checked,
                "not_ruled_out": verified.not_ruled_out,
                "trust": TRUST_EMBEDDED,
                "elapsed_s": round(elapsed, 6),
            },
        )
    if not verified.ok:
        raise typer.Exit(EXIT_INTEGRITY)


def _print(verified: Verified, elapsed_s: float) -> None:
    out, ledger, problem = console(), verified.ledger, verified.problem
    head = f"{ledger.entries} entries, head {ledger.head.hash}"
    word = (
        Text("the ledger holds", "bold green")
        if verified.ok
        else Text("the ledger does not hold", "bold red")
    )
    out.print(word.append(f": {head} ({elapsed_s:.2f} s)", "default"))
    if problem:
        place = f"entry {problem.seq}" if problem.seq else "the ledger"
        out.print(Text(f"first bad: {place} ({problem.code}): {problem.message}", "red"))
    for line in verified.checked:
        out.print(Text(f"checked: {line}", "dim"))
    out.print(Text(f"not ruled out: {'; '.join(verified.not_ruled_out)}", "dim"))
    out.print(Text(f"trust: {TRUST_EMBEDDED}", "dim"))
