"""Verify a ledger or an export of one without the engine: ``python -m phasegate.ledger verify PATH``.

Needs cryptography and orjson; apsw only if PATH is a ledger file, psycopg only if it is a database
(``postgresql://...``).

Exit codes: 0 no problem found, 2 wrong usage or nothing there, 3 something that was demanded could not be
checked, 4 a problem was found.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from phasegate.ledger.errors import LedgerError, StoreFailed
from phasegate.ledger.offline.report import one_line
from phasegate.ledger.offline.terms import terms_of
from phasegate.ledger.offline.verifying import verify_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.ledger.offline.report import Report

EXIT_USAGE: Final = 2
EXIT_NOT_EVALUATED: Final = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        found = _verify(chosen)
    except LedgerError as error:
        sys.stderr.write(f"error: {one_line(str(error))}\n")
        return EXIT_NOT_EVALUATED if isinstance(error, StoreFailed) else EXIT_USAGE
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: a ledger file needs `{error.name}`; install it, or verify an export\n")
        return EXIT_USAGE
    return _told(found, _as_json(found) if chosen.json else "\n".join(found.lines()) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m phasegate.ledger", description="read a ledger or export")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="read everything again and name the first bad entry")
    verify.add_argument(
        "path", help="folder of tiles, file of JSON lines, bundle, ledger file, or postgresql://..."
    )
    verify.add_argument("--ledger", help="the ledger id it must have")
    verify.add_argument(
        "--key", action="append", default=[], help="verifier key, or file of one; one must have signed"
    )
    verify.add_argument("--checkpoint", type=Path, help="signed checkpoint, where the export has none")
    verify.add_argument(
        "--previous", type=Path, action="append", default=[], help="checkpoint kept from earlier"
    )
    verify.add_argument(
        "--witness", action="append", default=[], help="verifier key of a witness, or file of one"
    )
    verify.add_argument("--quorum", type=int, help="how many of the witnesses must have cosigned; all")
    verify.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _verify(chosen: argparse.Namespace) -> Report:
    terms = terms_of(
        ledger=chosen.ledger,
        keys=chosen.key,
        checkpoint=chosen.checkpoint,
        previous=chosen.previous,
        witnesses=chosen.witness,
        quorum=chosen.quorum,
    )
    return verify_path(chosen.path, terms)


def _told(found: Report, text: str) -> int:
    """Print a report and return its exit code, which is never 0 for one that nobody got."""
    out = sys.stdout
    if out is None:  # closed before the start
        return found.exit_code or EXIT_NOT_EVALUATED
    # The encoding of the terminal may lack a letter of a ledger's name.
    encoding = out.encoding or "utf-8"
    try:
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))
        out.flush()
    except OSError as error:
        # What is left in the buffer would fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        sys.stderr.write(f"error: the report cannot be written: {error.strerror}\n")
        return found.exit_code or EXIT_NOT_EVALUATED
    return found.exit_code


def _as_json(found: Report) -> str:
    return orjson.dumps(found.to_json(), option=orjson.OPT_INDENT_2).decode() + "\n"


if __name__ == "__main__":
    sys.exit(main())
