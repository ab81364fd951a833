"""Commands on bearer tokens. A token is written to standard output once and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.access.roles import parse_token_role
from phasegate.engine.app.access.tokens import Grant
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import console, print_document, print_rows, say
from phasegate.engine.cli.session import session

_COLUMNS = ["id", "actor", "role", "status", "created", "expires", "by"]


class Asked(NamedTuple):
    """The token that is asked for."""

    actor: str
    role: str
    expires: str


def create(home: Path | None, format_: Format, asked: Asked, key: Path | None) -> None:
    """Make a token and print it."""
    role = parse_token_role(asked.role)
    with session(home) as engine:
        if not engine.registrations.has_operator():
            say(
                "warning: no operator is registered, so anyone who can run this command can make tokens;\n"
                "register one: `engine keys register VKEY --role operator`"
            )
        token, grant = engine.tokens.create(asked.actor, role, expires=asked.expires, key=key)
        now = engine.clock.now()
    if format_ is Format.TABLE:
        console().print(token, soft_wrap=True)
        say(f"token {grant.id} of {grant.actor} as {role}, {_until(grant)}; it is not shown again")
    else:
        print_document(format_, {"token": token, **_row(grant, now)})


def show(home: Path | None, format_: Format) -> None:
    """List the tokens."""
    with session(home, readonly=True) as engine:
        now = engine.clock.now()
        rows = [_row(grant, now) for grant in engine.tokens.list()]
    print_rows(format_, rows, _COLUMNS)


def revoke(home: Path | None, format_: Format, name: str, key: Path | None) -> None:
    """Revoke a token."""
    with session(home) as engine:
        grant = engine.tokens.revoke(name, key=key)
        row = _row(grant, engine.clock.now())
    if format_ is Format.TABLE:
        console().print(f"token {grant.id} of {grant.actor} is revoked")
    else:
        print_document(format_, row)


def _row(grant: Grant, now: str) -> dict[str, str]:
    return {
        "id": grant.id,
        "actor": grant.actor,
        "role": str(grant.role),
        "status": grant.status(now),
        "created": grant.created,
        "expires": grant.expires or "never",
        "by": grant.by,
    }


def _until(grant: Grant) -> str:
    return f"until {grant.expires}" if grant.expires else "without an end"
