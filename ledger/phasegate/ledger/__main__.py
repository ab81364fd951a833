"""Verify a ledger file without the engine: ``python -m phasegate.ledger verify FILE``.

Exit codes: 0 no problem found, 2 wrong usage or no such file, 4 a problem was found.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from phasegate.ledger.errors import LedgerError
from phasegate.ledger.sqlite_verify import verify_sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phasegate.ledger.verify import Verification

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_INTEGRITY = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m phasegate.ledger", description="read a ledger file")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="read everything again and name the first bad entry")
    verify.add_argument("file", help="the ledger file")
    verify.add_argument("--ledger", help="the ledger id it must have")
    chosen = parser.parse_args(arguments)
    try:
        found = verify_sqlite(chosen.file, ledger=chosen.ledger)
    except LedgerError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
    sys.stdout.write(report(found))
    return EXIT_OK if found.ok else EXIT_INTEGRITY


def report(found: Verification) -> str:
    """Return a verification as text for people."""
    lines = [f"entries  {found.entries} good", f"head     {found.head.hash}"]
    if found.problem is not None:
        place = "" if found.problem.seq is None else f" at entry {found.problem.seq}"
        lines.append(f"problem  {found.problem.code}{place}: {found.problem.message}")
    else:
        lines.append("problem  none found")
    lines.extend(f"not ruled out  {item}" for item in found.not_ruled_out)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
