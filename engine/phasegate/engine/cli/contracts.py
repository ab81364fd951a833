"""Commands on contracts. Nothing here changes the document it is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import (
    console,
    finding_json,
    print_findings,
    print_json,
    print_jsonl,
    print_rows,
    say,
)
from phasegate.engine.core.errors import BadInput

if TYPE_CHECKING:
    from phasegate.validators.contracts import Proposal

EXIT_NOT_FULFILLED: Final = 1
STANDARD_INPUT: Final = "-"
DOCUMENT_BYTES_MAX: Final = 64 * 1024 * 1024


def list_all(format_: Format) -> None:
    """List the contracts and what each is for."""
    from phasegate.validators.contracts import CONTRACTS, contract_schema

    rows = [
        {
            "name": name,
            "what": (model.__doc__ or "").partition("\n")[0],
            "schema": contract_schema(name)["$id"],
        }
        for name, model in CONTRACTS.items()
    ]
    print_rows(format_, rows, ["name", "what", "schema"])


def schema(name: str) -> None:
    """Print the schema of a contract."""
    from phasegate.validators.contracts import contract_schema

    print_json(contract_schema(_known(name)))


def check(format_: Format, name: str, file: Path) -> None:
    """Check a document; exit 1 with what keeps it from fulfilling its contract."""
    from phasegate.validators.contracts import contract_findings
    from phasegate.validators.interface import Artifact

    findings = contract_findings(_known(name), Artifact(file.name, _content(file)))
    if format_ is Format.JSONL:
        print_jsonl(finding_json(finding) for finding in findings)
    elif format_ is Format.JSON:
        told = [finding_json(finding) for finding in findings]
        print_json({"contract": name, "fulfils": not findings, "findings": told})
    elif findings:
        print_findings(findings)
    else:
        say(f"{file} fulfils {name}")
    if findings:
        raise typer.Exit(EXIT_NOT_FULFILLED)


def repair(format_: Format, name: str, file: Path, out: Path | None) -> None:
    """Show a proposal, and write it where it is asked for, into a file that does not exist yet."""
    from phasegate.validators.contracts import propose_repair

    proposal = propose_repair(_known(name), _content(file))
    if out is not None and proposal.document is not None:
        _write(out, proposal.document)
    if format_ is Format.TABLE:
        _tell(proposal, file, out)
    else:
        (print_json if format_ is Format.JSON else lambda row: print_jsonl([row]))(_as_json(proposal))
    if not proposal.fulfils:
        raise typer.Exit(EXIT_NOT_FULFILLED)


def _tell(proposal: Proposal, file: Path, out: Path | None) -> None:
    if proposal.edits:
        rows = [
            {"place": edit.place or "/", "change": edit.what, "before": edit.before, "after": edit.after}
            for edit in proposal.edits
        ]
        print_rows(Format.TABLE, rows, ["place", "change", "before", "after"], "proposed changes")
        if out is None and proposal.document is not None:
            console().print(proposal.document.decode(), markup=False, end="", soft_wrap=True)
    print_findings(proposal.remaining)
    if proposal.fulfils and not proposal.edits:
        say(f"{file} fulfils {proposal.contract}; there is nothing to repair")
    elif out is not None and proposal.document is not None:
        say(f"the proposal is in {out}; {file} is as it was")
    else:
        say(f"nothing was written; {file} is as it was")


def _as_json(proposal: Proposal) -> dict[str, object]:
    document = proposal.document
    return {
        "contract": proposal.contract,
        "fulfils": proposal.fulfils,
        "edits": [
            {"place": edit.place, "what": edit.what, "before": edit.before, "after": edit.after}
            for edit in proposal.edits
        ],
        "remaining": [finding_json(finding) for finding in proposal.remaining],
        "document": None if document is None else document.decode("utf-8", "replace"),
    }


def _known(name: str) -> str:
    from phasegate.validators.contracts import contract_model
    from phasegate.validators.errors import BadParameterError

    try:
        contract_model(name)
    except BadParameterError as error:
        raise BadInput(str(error), error.remedy) from error
    return name


def _content(file: Path) -> bytes:
    from phasegate.engine.app.evidence import read_regular

    try:
        if str(file) != STANDARD_INPUT:
            return read_regular(file, follow=True)
        content = sys.stdin.buffer.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(
            f"cannot read `{file}`: {error.strerror}", "give the path of an existing file"
        ) from error
    if len(content) > DOCUMENT_BYTES_MAX:
        raise BadInput(f"standard input has more than {DOCUMENT_BYTES_MAX} bytes", "give a smaller document")
    return content


def _write(out: Path, document: bytes) -> None:
    """Write a new file. One that exists, the input among them by whatever name, is never replaced."""
    try:
        with out.open("xb") as file:
            file.write(document)
    except FileExistsError as error:
        raise BadInput(
            f"`{out}` exists, and a proposal replaces nothing", "name a file that does not exist"
        ) from error
    except OSError as error:
        raise BadInput(
            f"cannot write `{out}`: {error.strerror}", "name a file in a folder you can write to"
        ) from error
