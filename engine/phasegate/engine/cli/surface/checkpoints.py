"""Checkpoints of the ledger, proofs from its tree, and witnesses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption

WitnessOption = Annotated[
    list[str] | None,
    typer.Option("--witness", metavar="VKEY|FILE", help="A witness's key; may be given several times."),
]


def register(ledger: typer.Typer) -> None:
    """Add the commands to the group of the ledger."""
    for name, command in (
        ("checkpoint", checkpoint),
        ("proof", proof),
        ("inclusion", inclusion),
        ("witness", witness),
        ("publish", publish),
        ("timestamp", timestamp),
    ):
        ledger.command(name)(command)


def checkpoint(
    note: Annotated[bool, typer.Option("--note", help="Print the signed note, and nothing else.")] = False,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Sign the ledger's size and root, and hand that to every sink; exit 4 if one holds another ledger."""
    from phasegate.engine.cli import checkpoints
    from phasegate.engine.cli.output import chosen

    checkpoints.make(home, chosen(format_, json_), only_note=note)


def proof(
    old: Annotated[int, typer.Option("--from", metavar="N", min=1, help="Size that is the beginning.")],
    new: Annotated[
        int | None, typer.Option("--to", metavar="M", min=1, help="Size that begins with it; all without it.")
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Prove that the ledger at one size is the beginning of it at another (RFC 9162), a step a line."""
    from phasegate.engine.cli import checkpoints
    from phasegate.engine.cli.output import chosen

    checkpoints.prove_growth(home, chosen(format_, json_), old, new)


def inclusion(
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="The entry.")],
    size: Annotated[
        int | None, typer.Option("--size", metavar="N", min=1, help="Size of the ledger; all without it.")
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Prove that an entry is in the ledger at a size (RFC 9162), a step a line, from the leaf upward."""
    from phasegate.engine.cli import checkpoints
    from phasegate.engine.cli.output import chosen

    checkpoints.prove_inclusion(home, chosen(format_, json_), seq, size)


def witness(
    file: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="File with the checkpoint.")],
    state: Annotated[
        Path,
        typer.Option("--state", metavar="DIR", help="What the witness remembers; made if it is missing."),
    ],
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The witness's key: `engine keys create --witness`.")
    ],
    log: Annotated[
        str | None,
        typer.Option(
            "--log", metavar="VKEY|FILE", help="The ledger's key; needed the first time, or when it changed."
        ),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(
            "--proof", metavar="FILE", help="What `engine ledger proof` printed, from the size seen last."
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="HOME", help="Home of the ledger, to make the proof from."),
    ] = None,
) -> None:
    """Cosign another ledger's checkpoint if it follows the last one seen; prints it with the cosignature."""
    from phasegate.engine.cli import checkpoints

    checkpoints.witness(checkpoints.Cosigning(file, state, key, log, proof, from_))


def publish(
    task: Annotated[
        str, typer.Option("--task", metavar="TASK", help="Task whose bundle is published; all without.")
    ] = "",
    git: Annotated[
        Path | None, typer.Option("--git", metavar="DIR", help="Repository, which may be bare.")
    ] = None,
    remote: Annotated[
        str, typer.Option("--remote", metavar="NAME|URL", help="Then push the ref there, never by force.")
    ] = "",
    folder: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Folder, such as one that CI keeps.")
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Put bundle and checkpoint where CI fetches them: a git ref `refs/phasegate/*`, or a folder.

    Exit 4 if what is there is of a ledger that this one does not extend.
    """
    from phasegate.engine.cli import publishing
    from phasegate.engine.cli.output import chosen

    publishing.publish(home, chosen(format_, json_), publishing.Asked(task, git, remote, folder))


def timestamp(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The signed checkpoint.")],
    tsa: Annotated[
        str, typer.Option("--tsa", metavar="URL", help="Authority to ask; without it the token is checked.")
    ] = "",
    token: Annotated[
        Path | None, typer.Option("--token", metavar="FILE", help="Where the token is; FILE.tsr without.")
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", metavar="PEM", help="Certificate that counts; may be given several times."),
    ] = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Have a third party say when a checkpoint was there (RFC 3161), or check what it said."""
    from phasegate.engine.cli import timestamps
    from phasegate.engine.cli.output import chosen

    timestamps.timestamp(chosen(format_, json_), timestamps.Asked(file, tsa, token, tuple(root or ())))
