"""Taking the ledger out of a home, and verifying it or what was taken out of one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phasegate.engine.cli.options import Format, FormatOption, HomeOption, JsonOption, LedgerFormat

CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FILE", help="Signed checkpoint of this ledger.")
]


def register(group: typer.Typer) -> None:
    """Add the commands to the group of the ledger."""
    group.command("export")(ledger_export)
    group.command("verify")(ledger_verify)
    group.command("grant")(ledger_grant)
    group.command("migrate")(ledger_migrate)


def ledger_export(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder (tiles) or file to write.")],
    format_: Annotated[
        LedgerFormat,
        typer.Option(
            "--format",
            help="tiles: C2SP tlog-tiles; jsonl: the bytes; sqlite: for Datasette; bundle: for an auditor.",
        ),
    ] = LedgerFormat.TILES,
    checkpoint: CheckpointOption = None,
    proof: Annotated[
        list[str] | None,
        typer.Option(
            "--proof", metavar="SEQ", help="Entry to write a .tlog-proof for, or `all`; tiles only."
        ),
    ] = None,
    task: Annotated[
        str, typer.Option("--task", metavar="TASK", help="Task whose evidence a bundle has; all without.")
    ] = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Write the whole ledger, for auditors, monitors or readers; `engine ledger verify PATH` checks it."""
    from phasegate.engine.cli import ledger_files

    asked = ledger_files.Asked(path, format_, checkpoint, tuple(proof or ()), task)
    ledger_files.export(home, asked, as_json=json_)


def ledger_verify(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH|DSN",
            help="Tiles, JSON lines, bundle, ledger file or postgresql://...; else the home's.",
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", "-k", metavar="VKEY", help="Key that must have signed, or a file of it."),
    ] = None,
    checkpoint: CheckpointOption = None,
    previous: Annotated[
        list[Path] | None,
        typer.Option("--previous", metavar="FILE", help="Checkpoint kept from earlier; must be a beginning."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="VKEY", help="Key of a witness, or a file of it."),
    ] = None,
    quorum: Annotated[
        int | None,
        typer.Option("--quorum", metavar="N", help="How many witnesses must have cosigned; else all."),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger", metavar="ID|DSN", help="Ledger that the entries must be of, or where it is."
        ),
    ] = None,
    tree: Annotated[
        bool, typer.Option("--tree", help="Then verify the children, and theirs, against what is held.")
    ] = False,
    child: Annotated[
        list[Path] | None,
        typer.Option("--child", metavar="HOME", help="Where a child is now; with --tree."),
    ] = None,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
    json_: JsonOption = False,
) -> None:
    """Re-read every entry, and say what holds, what does not, and what cannot be ruled out."""
    from phasegate.engine.cli import children, ledger_verify
    from phasegate.engine.cli.output import chosen
    from phasegate.engine.core.errors import BadInput
    from phasegate.ledger.offline.terms import terms_of
    from phasegate.ledger.postgres_place import is_dsn

    if path is None and is_dsn(ledger or ""):
        path, ledger = ledger, None
    terms = terms_of(
        ledger=ledger,
        keys=key or (),
        checkpoint=checkpoint,
        previous=previous or (),
        witnesses=witness or (),
        quorum=quorum,
    )
    if tree:
        if path is not None:
            raise BadInput(
                "a tree is verified from a home", "name it with `--home`, and children with `--child`"
            )
        children.verify_tree(home, chosen(format_, json_), terms, child or ())
        return
    ledger_verify.verify(home, chosen(format_, json_), path, terms)


def ledger_grant(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="Existing role of the PostgreSQL server.")],
    reading: Annotated[
        bool, typer.Option("--reading", help="Only to read and verify; else to append as well.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Let a role of PostgreSQL work in the home's ledger, with no right to change what is there."""
    from phasegate.engine.cli import ledger_database

    ledger_database.grant(home, role, reading=reading)


def ledger_migrate(home: HomeOption = None) -> None:
    """Bring the schema of a ledger in PostgreSQL to this release; its owner does it."""
    from phasegate.engine.cli import ledger_database

    ledger_database.migrate(home)
