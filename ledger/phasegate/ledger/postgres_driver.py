"""What stands between a PostgreSQL ledger and `psycopg`: connections, their settings, and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from phasegate.ledger.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFailed,
    StoreMissing,
    StoreReadOnly,
)
from phasegate.ledger.postgres_place import NOT_INSTALLED

try:
    import psycopg
    from psycopg import errors as refusals
    from psycopg import sql
    from psycopg.types.string import ByteaBinaryLoader
except ImportError:
    raise StoreFailed(NOT_INSTALLED) from None

if TYPE_CHECKING:
    from phasegate.ledger.postgres_place import Place

__all__ = (
    "LOCK_WAIT_MS",
    "Connection",
    "Rows",
    "answered",
    "configure",
    "connect",
    "dial",
    "psycopg",
    "refusals",
    "sql",
    "texts_as_stored",
    "translate",
)

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
Rows: TypeAlias = "list[tuple[Any, ...]]"

LOCK_WAIT_MS: Final = 10_000
IDLE_LIMIT_MS: Final = 10_000
"""A writer that stops in a transaction, or whose host is gone, holds up the others no longer than this."""

_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"
)
OLDEST_SERVER: Final = 130_000

_RESTORE: Final = "run `engine ledger verify` and restore a good copy"
_Kinds: TypeAlias = type[psycopg.Error] | tuple[type[psycopg.Error], ...]
_CODES: Final[tuple[tuple[_Kinds, type[StoreError], str], ...]] = (
    (refusals.LockNotAvailable, StoreBusy, "another writer holds the ledger; try again"),
    (refusals.QueryCanceled, StoreBusy, "the server gave up on the statement; try again"),
    (refusals.ReadOnlySqlTransaction, StoreReadOnly, "connect to the primary as a user who may write"),
    (refusals.InsufficientPrivilege, StoreFailed, "have the owner grant the role its rights"),
    ((refusals.InvalidCatalogName, refusals.InvalidSchemaName), StoreMissing, "name another database"),
    ((refusals.DataCorrupted, refusals.IndexCorrupted, refusals.InternalError_), StoreCorrupt, _RESTORE),
    (refusals.RaiseException, StoreCorrupt, "something else wrote to it; run `engine ledger verify`"),
    (psycopg.IntegrityError, StoreCorrupt, "something else wrote to it; run `engine ledger verify`"),
    # The statements are fixed, so what does not fit them is the schema: a table or a column is another.
    (psycopg.ProgrammingError, StoreCorrupt, _RESTORE),
    ((refusals.DiskFull, refusals.OutOfMemory), StoreFailed, "the server is out of room; make some"),
)


def translate(error: psycopg.Error, place: Place) -> StoreError:
    """Return the store's error for one of the driver's, without parameters, rows or password in it."""
    kind, remedy = next(
        ((found, what_to_do) for known, found, what_to_do in _CODES if isinstance(error, known)),
        (StoreFailed, "check the server, its address and your rights there"),
    )
    # Only the primary message: detail and context may quote rows.
    message = place.clean(error.diag.message_primary or error) or "the server refused"
    return kind(f"`{place.label}`: {message}; {remedy}")


def answered(error: psycopg.Error) -> bool:
    """Tell whether an error leaves the session in place: a statement was refused, by server or driver.

    What the server says while it ends a session is fatal, and what the driver says of a broken connection
    has no code; the connection may still look open then.
    """
    if error.sqlstate is None:
        return not isinstance(error, psycopg.OperationalError)
    return error.diag.severity_nonlocalized == "ERROR"


def connect(place: Place, *, readonly: bool = False, lock_wait_ms: int = LOCK_WAIT_MS) -> Connection:
    """Open a connection for one place, in autocommit mode, with its settings.

    Raises:
        psycopg.Error: The server cannot be reached, or refuses.
        StoreFailed: It is too old.
    """
    connection = dial(place, readonly=readonly)
    configure(connection, place, readonly=readonly, lock_wait_ms=lock_wait_ms)
    return connection


def dial(place: Place, *, readonly: bool) -> Connection:
    """Open a connection without its settings.

    Raises:
        psycopg.Error: The server cannot be reached, or refuses.
    """
    # Of several hosts, the one that takes writes.
    wanted: dict[str, Any] = {} if readonly else {"target_session_attrs": "read-write"}
    return psycopg.connect(**{**wanted, **place.parameters}, autocommit=True)


def configure(connection: Connection, place: Place, *, readonly: bool, lock_wait_ms: int) -> None:
    """Give a connection its settings, or close it.

    Raises:
        psycopg.Error: It was lost.
        StoreFailed: The server is too old.
    """
    try:
        _check_version(connection, place)
        connection.execute(_settings(place, readonly=readonly, lock_wait_ms=lock_wait_ms).encode())
    except BaseException:
        connection.close()
        raise


def texts_as_stored(connection: Connection) -> None:
    """Have texts of binary results come as the bytes that are stored, whether or not they are UTF-8.

    Raises:
        psycopg.Error: The connection was lost.
    """
    connection.execute(b"SET client_encoding TO 'UTF8'")  # as the database: nothing is translated
    connection.adapters.register_loader("text", ByteaBinaryLoader)


def _check_version(connection: Connection, place: Place) -> None:
    if connection.info.server_version < OLDEST_SERVER:
        raise StoreFailed(f"`{place.label}`: the server is older than PostgreSQL 13; use a newer one")


def _settings(place: Place, *, readonly: bool, lock_wait_ms: int) -> str:
    # The catalogue goes first, temporary tables last: nothing stands in for what is built in.
    path = f'pg_catalog, "{place.schema}", pg_temp' if place.schema else "pg_catalog, pg_temp"
    statements = [
        f"SET search_path TO {path}",
        "SET default_transaction_isolation TO 'read committed'",
        f"SET lock_timeout TO {lock_wait_ms}",
        f"SET idle_in_transaction_session_timeout TO {0 if readonly else IDLE_LIMIT_MS}",
        # An acknowledged entry is on disk; a setting that asks for more, such as remote_apply, stays.
        _DURABLE,
    ]
    if readonly:
        statements.append("SET default_transaction_read_only TO on")
    return "; ".join(statements)
