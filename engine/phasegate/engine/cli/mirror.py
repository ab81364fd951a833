"""Commands on mirrors."""

from __future__ import annotations

from pathlib import Path

from phasegate.engine.app.git.mirror import read_only_mirror
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import print_document, print_rows

_COLUMNS = ["what", "where"]


def make(format_: Format, repository: Path, folder: Path, commit: str) -> None:
    """Make a mirror and its working copy, and say where they are."""
    made = read_only_mirror(repository, folder, commit)
    told = {"mirror": str(made.mirror), "work": str(made.work), "commit": made.commit}
    if format_ is Format.TABLE:
        print_rows(format_, [{"what": what, "where": where} for what, where in told.items()], _COLUMNS)
    else:
        print_document(format_, told)
