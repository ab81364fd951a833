"""Where a ledger on PostgreSQL is: the server and database of a DSN, and the schema in it.

A database may hold several ledgers, one schema each. The schema is named, or derived from the ledger's id,
or, if neither is given, the only one there. Nothing that is printed of a place holds a password.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from phasegate.ledger.entry import checked_ledger
from phasegate.ledger.errors import StoreFailed

MAX_SCHEMA_CHARS: Final = 63
SLUG_CHARS: Final = 40
DIGEST_CHARS: Final = 10
HIDDEN: Final = "***"
NOT_INSTALLED: Final = "psycopg is not installed; run `pip install 'phasegate[postgres]'`"

# Unless the DSN says otherwise: a peer that is gone is noticed within half a minute.
_DEFAULTS: Final = {
    "application_name": "phasegate",
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
_URI: Final = ("postgresql://", "postgres://")
_OWN: Final = ("ledger", "schema")
SECRETS: Final = ("password", "sslpassword")
_NO_URI: Final = "the DSN is not one; write postgresql://user@host:port/database"
_is_schema = re.compile(rf"[a-z_][a-z0-9_]{{0,{MAX_SCHEMA_CHARS - 1}}}").fullmatch


class Place(NamedTuple):
    """A database, and the ledger's schema in it.

    Attributes:
        parameters: Connection parameters by libpq's names.
        label: The same for people, without the password.
        schema: The schema's name; empty while it is not known.
        ledger: Id of the ledger, if it was given.
    """

    parameters: dict[str, str]
    label: str
    schema: str
    ledger: str | None

    def __repr__(self) -> str:
        return f"Place({self.label!r}, {self.schema!r})"

    def within(self, schema: str) -> Place:
        """Return the same database with another schema."""
        return self._replace(schema=schema)

    def clean(self, message: object) -> str:
        """Return a message of the driver's as one lower-case line without the password."""
        text = " ".join(str(message).split())
        for name in SECRETS:
            secret = self.parameters.get(name)
            if secret:
                text = text.replace(secret, HIDDEN)
        return text.lower()


def locate(dsn: str, ledger: str | None = None, schema: str | None = None) -> Place:
    """Return the place a DSN names.

    Args:
        dsn: ``postgresql://...`` or ``name=value ...`` as libpq reads it. A URI may name ``ledger`` or
            ``schema`` among its parameters; they are not given to the server.
        ledger: Id of the ledger; goes before the DSN's.
        schema: Name of the schema; goes before the DSN's and before what derives from the id.

    Raises:
        StoreFailed: The DSN is malformed or the schema's name is none. The message does not repeat the DSN.
        EntryError: The id is no ledger's.
    """
    rest, own = _split(dsn)
    ledger = ledger if ledger is not None else own.get("ledger")
    schema = schema if schema is not None else own.get("schema")
    parameters = {**_DEFAULTS, **_parsed(rest)}
    if ledger is not None:
        checked_ledger(ledger)
        schema = schema or schema_of(ledger)
    return Place(parameters, _label(parameters), checked_schema(schema) if schema else "", ledger)


def is_dsn(text: str) -> bool:
    """Tell whether a text names a database rather than a file: it begins as a PostgreSQL URI."""
    return text.startswith(_URI)


def without_password(dsn: str) -> str:
    """Return a URI without the passwords in it, fit for keeping and showing.

    Raises:
        StoreFailed: It is no URI, or a password could not be taken out. The message does not repeat it.
    """
    if not is_dsn(dsn):
        raise StoreFailed(_NO_URI)
    scheme, _, rest = dsn.partition("://")
    found = re.match("([^@/]*)@", rest)
    if found:
        rest = f"{found[1].partition(':')[0]}@{rest[found.end() :]}"
    base, _, query = rest.partition("?")
    kept = "&".join(pair for pair in query.split("&") if pair.partition("=")[0] not in SECRETS)
    bare = f"{scheme}://{base}?{kept}" if kept else f"{scheme}://{base}"
    given = _parsed(_split(dsn)[0])
    if _parsed(_split(bare)[0]) != {name: value for name, value in given.items() if name not in SECRETS}:
        raise StoreFailed(_NO_URI)
    return bare


def named_in(dsn: str) -> tuple[str | None, str | None]:
    """Return the ledger's id and the schema that a DSN names, each None where it names none."""
    own = _split(dsn)[1]
    return own.get("ledger"), own.get("schema")


def schema_of(ledger: str) -> str:
    """Return the schema of a ledger that names none: readable, and different for different ids."""
    slug = re.sub(r"[^a-z0-9]+", "_", ledger.lower())[:SLUG_CHARS].strip("_")
    digest = hashlib.sha256(ledger.encode()).hexdigest()[:DIGEST_CHARS]
    return "_".join(part for part in ("ledger", slug, digest) if part)


def checked_schema(schema: str) -> str:
    """Return a schema's name if it can be used without quoting.

    Raises:
        StoreFailed: It cannot.
    """
    if _is_schema(schema) and not schema.startswith("pg_"):
        return schema
    raise StoreFailed(
        f"`{schema[:80]}` cannot be a schema; use 1 to {MAX_SCHEMA_CHARS} of a-z, 0-9 and _, no digit "
        "first, and not `pg_`"
    )


def _split(dsn: str) -> tuple[str, dict[str, str]]:
    """Return a DSN without the parameters that are this package's own, and those."""
    if not is_dsn(dsn):
        return dsn, {}
    base, _, query = dsn.partition("?")
    pairs = [piece.partition("=") for piece in query.split("&") if piece]
    own = {name: unquote(value) for name, _, value in pairs if name in _OWN}
    rest = "&".join(f"{name}={value}" for name, _, value in pairs if name not in _OWN)
    return (f"{base}?{rest}" if rest else base), own


def _parsed(dsn: str) -> dict[str, str]:
    try:
        from psycopg import ProgrammingError  # noqa: PLC0415 - an extra
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    except ImportError:
        raise StoreFailed(NOT_INSTALLED) from None
    try:
        return {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
    except ProgrammingError:
        # The driver's message quotes the DSN, password and all.
        raise StoreFailed(
            "the DSN is not one; write postgresql://user@host:port/database or name=value pairs"
        ) from None


def _label(parameters: dict[str, str]) -> str:
    user, host = parameters.get("user"), parameters.get("host") or parameters.get("hostaddr") or "local"
    port, database = parameters.get("port"), parameters.get("dbname") or user or ""
    at = f"{user}@{host}" if user else host
    return f"{at}:{port}/{database}" if port else f"{at}/{database}"
