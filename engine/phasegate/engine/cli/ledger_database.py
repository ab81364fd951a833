"""What the owner of a ledger in PostgreSQL does to it: rights for roles, and migrations."""

from __future__ import annotations

import os
from pathlib import Path

from phasegate.engine.app.home import find_home, marked_ledger
from phasegate.engine.cli.output import console
from phasegate.engine.core.errors import BadInput


def grant(home: Path | None, role: str, *, reading: bool) -> None:
    """Give a role the rights to append, or only to read, and no more."""
    database, ledger = _of_home(home)
    from phasegate.ledger.postgres_admin import grant_postgres

    grant_postgres(database, role, ledger, reading=reading)
    what = "read and verify" if reading else "append to"
    console().print(f"`{role}` may {what} the ledger {ledger}", markup=False, soft_wrap=True)


def migrate(home: Path | None) -> None:
    """Apply the migrations that the ledger's schema lacks."""
    database, ledger = _of_home(home)
    from phasegate.ledger.postgres_admin import migrate_postgres

    count = migrate_postgres(database, ledger)
    console().print(f"{count} migrations applied to the ledger {ledger}", markup=False, soft_wrap=True)


def _of_home(home: Path | None) -> tuple[str, str]:
    """The database of a home's ledger, and the ledger's id."""
    found = find_home(home, os.environ, Path.cwd())
    if not found.database:
        raise BadInput(
            f"the ledger of `{found.root}` is a file, which has neither roles nor migrations",
            "name its database with `--ledger postgresql://...` if it is in one",
        )
    return found.database, marked_ledger(found)
