"""Timestamps of checkpoints, asked for and checked."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.checkpoints.timestamps import check_timestamp, read_roots, request_timestamp
from phasegate.engine.cli.checkpoints import read_file
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, say
from phasegate.engine.core.errors import BadInput
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.notes import parse_note

SUFFIX = ".tsr"


class Asked(NamedTuple):
    """A checkpoint, whom to ask, where the token is, and whose certificates count."""

    file: Path
    tsa: str
    token: Path | None
    roots: tuple[Path, ...]


def timestamp(format_: Format, asked: Asked) -> None:
    """Ask for a timestamp, check one, or both."""
    if not asked.tsa and not asked.roots:
        raise BadInput(
            "there is nothing to do", "ask an authority with `--tsa URL`, or check a token with `--root PEM`"
        )
    data = read_file(asked.file)
    said = parse_checkpoint(parse_note(data).text)
    place = asked.token or asked.file.with_name(f"{asked.file.name}{SUFFIX}")
    if asked.tsa:
        token = request_timestamp(data, asked.tsa)
        place.write_bytes(token)
        say(f"timestamp written to {place}")
    if not asked.roots:
        say("nobody checked its signature: give the authority's certificate with `--root`")
        return
    roots = [certificate for path in asked.roots for certificate in read_roots(read_file(path))]
    stamped = check_timestamp(data, read_file(place), roots)
    if format_ is Format.TABLE:
        told = f"the checkpoint of {said.size} entries of {said.origin} was there at {stamped.at}"
        console().print(told, markup=False)
    else:
        print_document(format_, {"ledger": said.origin, "size": said.size, **stamped._asdict()})
