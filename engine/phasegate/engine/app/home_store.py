"""The ledger of a home, wherever it is: made, opened and verified, in a file or in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phasegate.engine.app.home import Home, database_of, forget_database, keep_database, marked_ledger
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.ledger.errors import StoreExists, StoreMissing
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.sqlite_verify import verify_sqlite

if TYPE_CHECKING:
    from phasegate.ledger.postgres import PostgresStore
    from phasegate.ledger.store import Store
    from phasegate.ledger.verify import Verification


def create_store(home: Home, ledger: str, *, at: str) -> Store:
    """Make the ledger of a home that is being made; an empty one that is there already is taken as it is.

    Args:
        home: the home.
        ledger: id for it; one that the DSN names goes before.
        at: time of creation.

    Raises:
        BadInput: the database does not exist, or the ledger there is in use already.
        StoreError: it cannot be made.
    """
    if not home.database:
        forget_database(home)
        try:
            return SqliteStore.create(home.ledger, ledger, at=at)
        except StoreExists:
            return SqliteStore.open(home.ledger)
    # Which one it is to be is written down first: after a crash here a repeat finds it instead of leaving it.
    keep_database(home, _pinned(home, ledger))
    store = _created(home, at)
    if store.head().size:
        store.close()
        raise BadInput(
            f"the ledger `{store.ledger}` at `{store.place.label}` is in use by another home, whose "
            "objects and keys belong to it",
            "use that home, shared or copied; or name another ledger with `?ledger=ID` in the DSN",
        )
    return store


def _pinned(home: Home, ledger: str) -> str:
    """The DSN as it is kept: without a password, and with the ledger's id unless it names one or a schema."""
    from phasegate.ledger.postgres_place import named_in, without_password  # noqa: PLC0415 - few need it

    bare = without_password(home.database)
    if any(named_in(bare)):
        return bare
    begin = f"{bare}{'&' if '?' in bare else '?'}ledger="
    kept = database_of(home.root, {})
    return kept if kept.startswith(begin) else begin + ledger


def _created(home: Home, at: str) -> PostgresStore:
    from phasegate.ledger.postgres import PostgresStore  # noqa: PLC0415 - an extra
    from phasegate.ledger.postgres_place import named_in  # noqa: PLC0415

    named, schema = named_in(database_of(home.root, {}))
    try:
        return PostgresStore.create(home.database, named or f"phasegate-{schema}", at=at, server_time=True)
    except StoreExists:
        # Its owner made it for this home, or an `engine init` was killed here.
        return PostgresStore.open(home.database, named, server_time=True)
    except StoreMissing as error:
        raise BadInput(*_told(error)) from None


def open_store(home: Home, *, readonly: bool, server_time: bool = True) -> Store:
    """Open the ledger that a home is marked with.

    Args:
        home: the home.
        readonly: open it for reading only.
        server_time: judge leases on PostgreSQL by the server's time too; a simulated clock wants that not.

    Raises:
        IntegrityError: the ledger is gone or another than the marker's.
        StoreError: it cannot be reached, or is not to be read.
    """
    ledger = marked_ledger(home)
    try:
        store = _opened(home, ledger, readonly=readonly, server_time=server_time)
    except StoreMissing as error:
        raise IntegrityError(
            f"`{home.root}` is a home, and its ledger is gone", _remedy(home, error)
        ) from error
    if store.ledger != ledger:
        store.close()
        raise IntegrityError(
            f"`{home.root}` is marked as the home of another ledger than lies in it",
            "restore the home from a backup, `home.json` and `ledger.db` together",
        )
    return store


@contextmanager
def closed_on_error(store: Store) -> Iterator[None]:
    """Close a store if what is done with it here fails; else it stays open."""
    try:
        yield
    except BaseException:
        store.close()
        raise


def verify_store(home: Home) -> Verification:
    """Re-read the ledger of a home, whatever its state.

    Raises:
        StoreError: it cannot be read.
    """
    if not home.database:
        return verify_sqlite(home.ledger)
    from phasegate.ledger.postgres_verify import verify_postgres  # noqa: PLC0415 - an extra

    return verify_postgres(home.database, marked_ledger(home))


def _opened(home: Home, ledger: str, *, readonly: bool, server_time: bool) -> Store:
    if not home.database:
        return SqliteStore.open(home.ledger, readonly=readonly)
    from phasegate.ledger.postgres import PostgresStore  # noqa: PLC0415 - an extra

    return PostgresStore.open(home.database, ledger, readonly=readonly, server_time=server_time)


def _remedy(home: Home, error: StoreMissing) -> str:
    if home.database:
        message, _ = _told(error)
        return f"{message}: check `--ledger` and `PHASEGATE_LEDGER`, or restore the database from a backup"
    return "restore the home from a backup"


def _told(error: Exception) -> tuple[str, str]:
    message, _, remedy = str(error).rpartition("; ")
    return message, remedy
