"""The schema of a ledger on PostgreSQL: made, migrated, found, granted, and described for verification.

The SQL is in ``sql/postgres/``. A migration is a file, numbered from 1, that the schema's owner applies once,
in a transaction and under an advisory lock.
"""

from __future__ import annotations

import functools
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from phasegate.ledger.chain import genesis
from phasegate.ledger.entry import checked_ledger
from phasegate.ledger.errors import (
    StoreCorrupt,
    StoreExists,
    StoreFailed,
    StoreMissing,
    UnsupportedSchema,
)
from phasegate.ledger.postgres_driver import connect, psycopg, sql, translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from phasegate.ledger.postgres_driver import Connection, Rows
    from phasegate.ledger.postgres_place import Place

    Query: TypeAlias = Callable[[str, tuple[object, ...]], Rows]

MIGRATIONS: Final = ("0001_ledger",)
"""Files under ``sql/postgres/``, in the order in which they are applied; a shipped one never changes."""

ALLOWED: Final = frozenset(
    {("schema", "", "USAGE"), ("entries", "", "INSERT"), ("tiles", "", "INSERT")}
    | {(name, "", "SELECT") for name in ("migrations", "entries", "tiles", "projections", "leases", "head")}
    | {("projections", "", right) for right in ("INSERT", "UPDATE", "DELETE")}
    | {("leases", "", "INSERT")}
    | {("leases", column, "UPDATE") for column in ("epoch", "holder", "expires_ms")}
    | {("head", column, "UPDATE") for column in ("size", "hash", "at", "clock_ms", "nodes")}
)
"""(table, column or empty, privilege) of all that anybody but the owner may have."""

_INSERT_HEAD: Final = (
    "INSERT INTO head (ledger, created_at, size, hash, at, clock_ms, nodes) "
    "VALUES (%s, %s, 0, %s, %s, 0, ''::bytea)"
)
_LEDGERS: Final = (
    "SELECT n.nspname::text FROM pg_namespace n WHERE 3 = (SELECT count(*) FROM pg_class c "
    "WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname IN ('entries', 'head', 'migrations')) "
    "ORDER BY 1"
)
_HAS_MIGRATIONS: Final = (
    "SELECT has_schema_privilege(schemaname::text, 'USAGE') FROM pg_tables "
    "WHERE schemaname = %s AND tablename = 'migrations'"
)
_IS_OWNER: Final = b"SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = %s"
_NAMES_SHOWN: Final = 5


def create_schema(place: Place, ledger: str, at: str) -> None:
    """Create a ledger's schema, complete or not at all.

    Args:
        place: Where; the schema must not exist.
        ledger: Id of the ledger.
        at: Time of creation.

    Raises:
        StoreExists: There is a schema of that name.
        StoreError: It cannot be made.
        EntryError, AppendError: The id or the time is malformed.
    """
    head = genesis(at)
    checked_ledger(ledger)

    def work(connection: Connection) -> None:
        if connection.execute(b"SELECT 1 FROM pg_namespace WHERE nspname = %s", (place.schema,)).fetchall():
            raise StoreExists(
                f"`{place.label}` has a schema `{place.schema}` already; open it or name another"
            )
        if connection.execute(b"SHOW server_encoding").fetchall() != [("UTF8",)]:
            raise StoreFailed(
                f"`{place.label}` is not encoded in UTF8; create the database with that encoding"
            )
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(place.schema)))
        _apply(connection, place.schema, 0)
        connection.execute(_INSERT_HEAD.encode(), (ledger, head.at, head.hash, head.at))

    _as_owner(place, work)


def migrate_schema(place: Place) -> int:
    """Apply the migrations that a ledger's schema lacks; return how many those were.

    Raises:
        StoreMissing: There is no such ledger.
        UnsupportedSchema: A newer release has migrated it.
        StoreError: It cannot be done, for one because the user is not the owner.
    """
    applied = 0

    def work(connection: Connection) -> None:
        nonlocal applied
        version = applied_version(
            lambda text, values: connection.execute(text.encode(), values).fetchall(), place
        )
        _refuse_newer(version, place)
        applied = len(MIGRATIONS) - version
        _apply(connection, place.schema, version)

    _as_owner(place, work)
    return applied


def grant_role(place: Place, role: str, *, reading: bool = False) -> None:
    """Give an existing role what it needs to append, or only to read, and no more.

    Raises:
        StoreError: There is no such role or ledger, or the user is not the owner.
    """
    name = "grant_reading" if reading else "grant_writing"

    def work(connection: Connection) -> None:
        if not connection.execute(b"SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchall():
            raise StoreFailed(f"there is no role `{role[:63]}`; create it with CREATE ROLE, then grant again")
        # The server only warns when somebody else grants, and grants nothing.
        owner = connection.execute(_IS_OWNER, (place.schema,)).fetchall()
        if not owner:
            raise _missing(place)
        if not owner[0][0]:
            raise StoreFailed(
                f"`{place.label}`: permission denied for the schema `{place.schema}`; connect as its owner"
            )
        connection.execute(_filled(name, connection, place.schema, role))

    _as_owner(place, work)


def check_schema(query: Query, place: Place) -> tuple[str, str]:
    """Return a ledger's id and time of creation, refusing a layout that this release does not know.

    Raises:
        StoreMissing: There is no ledger, or it is another one.
        StoreCorrupt: It has no head.
        UnsupportedSchema: Another release is needed, or a migration.
    """
    version = applied_version(query, place)
    _refuse_newer(version, place)
    if version < len(MIGRATIONS):
        raise UnsupportedSchema(
            f"schema version {version} is older than {len(MIGRATIONS)}; have the owner run "
            "`engine ledger migrate`"
        )
    rows = query("SELECT ledger, created_at FROM head", ())
    if not rows:
        raise StoreCorrupt("the head row is missing; run `engine ledger verify` and restore a good copy")
    ledger, created_at = rows[0]
    if place.ledger is not None and place.ledger != ledger:
        raise StoreMissing(
            f"the schema `{place.schema}` holds the ledger `{ledger}`, not `{place.ledger}`; name its schema"
        )
    return checked_ledger(ledger), genesis(created_at).at


def applied_version(query: Query, place: Place) -> int:
    """Return the number of the last migration that was applied to a ledger's schema.

    Raises:
        StoreMissing: There is no ledger.
        StoreFailed: This user may not look into the schema.
    """
    found = query(_HAS_MIGRATIONS, (place.schema,))
    if not found:
        raise _missing(place)
    if not found[0][0]:
        # Without that right the search path passes the schema over, and its tables seem not to be there.
        raise StoreFailed(
            f"`{place.label}`: permission denied for the schema `{place.schema}`; have the owner grant the "
            "role its rights"
        )
    rows = query("SELECT coalesce(max(version), 0) FROM migrations", ())
    return int(rows[0][0])


def only_ledger(place: Place) -> str:
    """Return the schema of the only ledger in a database.

    Raises:
        StoreMissing: There is none, or more than one.
        StoreError: The server cannot be reached.
    """
    try:
        with connect(place, readonly=True) as connection:
            found = [row[0] for row in connection.execute(_LEDGERS.encode()).fetchall()]
    except psycopg.Error as error:
        raise translate(error, place) from None
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise StoreMissing(f"there is no ledger at `{place.label}`; create one or name another database")
    names = ", ".join(f"`{name}`" for name in found[:_NAMES_SHOWN])
    raise StoreMissing(f"`{place.label}` has {len(found)} ledgers ({names}); name one by its id or schema")


@functools.cache
def text_of(name: str) -> str:
    """Return the text of a file under ``sql/postgres/``."""
    return resources.files("phasegate.ledger").joinpath("sql", "postgres", name).read_text("utf-8")


def shipped_lines() -> frozenset[str]:
    """Return the description of a fresh ledger's schema, one line for each object."""
    return frozenset(text_of("objects.txt").splitlines())


def stored_lines(connection: Connection, schema: str) -> frozenset[str]:
    """Return the description of a ledger's schema, one line for each object."""
    return frozenset(row[0] for row in _catalogue(connection, "describe.sql", schema))


def stored_privileges(connection: Connection, schema: str) -> frozenset[tuple[str, str, str]]:
    """Return (object, column or empty, privilege) of whatever anybody but the owner may do."""
    rows = _catalogue(connection, "privileges.sql", schema)
    return frozenset((name, column, right) for name, column, right in rows)


def applied_migrations(connection: Connection) -> list[tuple[int, str]]:
    """Return version and digest of the migrations that were applied, in order."""
    rows: Any = connection.execute(b"SELECT version, digest FROM migrations ORDER BY version").fetchall()
    return list(rows)


def shipped_migrations() -> list[tuple[int, str]]:
    """Return version and digest of the shipped migrations, in order."""
    return [(version, _digest(name)) for version, name in enumerate(MIGRATIONS, 1)]


def _catalogue(connection: Connection, name: str, schema: str) -> Rows:
    return connection.execute(text_of(name).encode(), {"schema": schema}).fetchall()


def _as_owner(place: Place, work: Callable[[Connection], None]) -> None:
    """Do work in one transaction, alone among all that create, migrate or grant on this schema."""
    digest = hashlib.sha256(place.schema.encode()).digest()
    try:
        connection = connect(place)
        try:
            with connection.transaction():
                key = int.from_bytes(digest[:8], "big", signed=True)
                connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (key,))
                work(connection)
        finally:
            connection.close()
    except psycopg.Error as error:
        raise translate(error, place) from None


def _apply(connection: Connection, schema: str, version: int) -> None:
    for number, name in enumerate(MIGRATIONS[version:], version + 1):
        connection.execute(_filled(name, connection, schema))
        connection.execute(
            b"INSERT INTO migrations (version, digest) VALUES (%s, %s)", (number, _digest(name))
        )


def _filled(name: str, connection: Connection, schema: str, role: str = "") -> bytes:
    names = {"@schema@": sql.Identifier(schema), "@role@": sql.Identifier(role)}
    return re.sub(
        "@schema@|@role@", lambda found: names[found[0]].as_string(connection), text_of(f"{name}.sql")
    ).encode()


def _digest(name: str) -> str:
    return hashlib.sha256(text_of(f"{name}.sql").encode()).hexdigest()


def _refuse_newer(version: int, place: Place) -> None:
    if version > len(MIGRATIONS):
        raise UnsupportedSchema(
            f"schema version {version} of `{place.schema}` is newer than {len(MIGRATIONS)}; use the release "
            "that migrated it"
        )


def _missing(place: Place) -> StoreMissing:
    return StoreMissing(
        f"there is no ledger in the schema `{place.schema}` of `{place.label}`; create it or name another"
    )
