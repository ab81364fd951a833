"""A ledger on PostgreSQL read by fsck itself, in one snapshot that can write nothing.

Connecting and the comparison of schema and rights are the store's, because they say nothing of a row. Every
row is asked for and read here: none of the store's code lies in between.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from phasegate.ledger.errors import StoreCorrupt
from phasegate.ledger.fsck.finding import damage
from phasegate.ledger.fsck.store_check import StoreCheck, WatchersOf, check_stored
from phasegate.ledger.fsck.stored import EntryRow, LeaseRow, StoredRow, StoredTile, TilePlace, Unreadable
from phasegate.ledger.postgres_driver import connect, psycopg, texts_as_stored, translate
from phasegate.ledger.postgres_place import locate, named_in
from phasegate.ledger.postgres_schema import applied_version, only_ledger
from phasegate.ledger.postgres_verify import surrounding_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phasegate.ledger.fsck.finding import Finding
    from phasegate.ledger.postgres_driver import Connection, Rows
    from phasegate.ledger.postgres_place import Place

VERSION: Final = "1"
"""Number of the last migration; written here a second time, so that fsck does not follow a wrong writer."""

READ_ROWS: Final = 500

_BEGIN: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_HAS_TABLE: Final = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = %s"
_HEAD: Final = "SELECT ledger, created_at, size, hash, at, clock_ms FROM head"
_NODES: Final = "SELECT nodes FROM head"
_ENTRIES: Final = "SELECT seq, task, type, bytes FROM entries ORDER BY seq"
_TILE: Final = "SELECT 0, root, hashes FROM tiles WHERE level = %s AND number = %s"
_TILES: Final = "SELECT 0, level, number FROM tiles ORDER BY level, number"
_PROJECTIONS: Final = "SELECT 0, kind, key, seq, body FROM projections ORDER BY kind, key"
_LEASES: Final = "SELECT task, phase, epoch, holder, expires_ms FROM leases ORDER BY task, phase"


def check_database(dsn: str, ledger: str | None, watchers: WatchersOf) -> StoreCheck:
    """Check a ledger, read-only, in one snapshot; writers may go on meanwhile.

    Args:
        dsn: Server and database; see `locate`.
        ledger: Its id, for a DSN that names neither ledger nor schema; by default that of the only one there.
        watchers: Given the rows, gives those that are told of every entry that can be read.

    Raises:
        StoreMissing: There is no such ledger.
        StoreError: The server cannot be reached, was lost, or refuses to let this user read.
    """
    place = locate(dsn) if any(named_in(dsn)) else locate(dsn, ledger)
    place = place if place.schema else place.within(only_ledger(place))
    found = StoreCheck()
    try:
        connection = connect(place, readonly=True)
        try:
            # The end is recorded in the commit of its entries, and no mark is kept beside that.
            check_stored(Database(connection, place), b"", watchers, found)
        finally:
            connection.close()
    except Unreadable as error:
        where = f"schema {place.schema}"
        found.findings.append(damage("structure", where, "rows that can be read", str(error)))
    except psycopg.Error as error:
        raise translate(error, place) from None
    return found


class Database:
    """One snapshot of a ledger on PostgreSQL; see `Stored`.

    Args:
        connection: In autocommit mode; the snapshot ends when it is closed.
        place: Where it leads, with the schema.

    Raises:
        psycopg.Error: The connection was lost.
    """

    layout = VERSION

    def __init__(self, connection: Connection, place: Place) -> None:
        self._connection, self._place = connection, place
        texts_as_stored(connection)
        connection.execute(_BEGIN)

    def schema(self) -> Iterator[Finding]:
        """What verification says of tables, what guards them, and rights."""
        with self._reading():
            problems = list(surrounding_problems(self._connection, self._place.schema))
        for problem in problems:
            message, _, remedy = problem.message.rpartition("; ")
            where = f"schema {self._place.schema}"
            yield damage(problem.code, where, "what a fresh ledger has", message, remedy)

    def meta(self) -> dict[str, str]:
        """The row of the head by the names that a file's rows have, and the number of the last migration.

        Raises:
            StoreMissing: There is no ledger in the schema.
            StoreFailed: This user may not look into it.
        """
        with self._reading():
            version = applied_version(self._query, self._place)
        rows = self._rows(_HEAD, bytes, bytes, int, bytes, bytes, int) if self._has("head") else []
        said = {"schema_version": str(version)}
        for ledger, created_at, size, digest, at, clock_ms in rows[:1]:
            said |= {"ledger": _text(ledger), "created_at": _text(created_at), "clock_ms": str(clock_ms)}
            said["head"] = f"{size} {_text(digest)} {_text(at)}"
        if len(rows) > 1:
            said["head"] = f"{len(rows)} rows"
        return said

    def frontier(self) -> bytes:
        """The nodes in the row of the head."""
        rows = self._rows(_NODES, bytes) if self._has("head") else []
        return b"".join(nodes for (nodes,) in rows)

    def entries(self) -> Iterator[EntryRow]:
        """The entries, by number."""
        return self._stream("entries", _ENTRIES, int, bytes, bytes, bytes)

    def tile(self, level: int, number: int) -> list[StoredTile]:
        """The tile of one place."""
        return [StoredTile(*row) for row in self._rows(_TILE, int, bytes, bytes, values=(level, number))]

    def tile_places(self) -> Iterator[TilePlace]:
        """The places of all tiles."""
        return (TilePlace(*row) for row in self._stream("tiles", _TILES, int, int, int))

    def projections(self) -> Iterator[StoredRow]:
        """The projection rows; none where the table is gone."""
        if self._has("projections"):
            kinds = (int, bytes, bytes, int, bytes)
            for rowid, kind, key, seq, body in self._stream("projections", _PROJECTIONS, *kinds):
                yield StoredRow(rowid, _text(kind), _text(key), seq, body)

    def leases(self) -> Iterator[LeaseRow]:
        """The leases."""
        return self._stream("leases", _LEASES, bytes, bytes, int, bytes, int)

    def _has(self, table: str) -> bool:
        return bool(self._rows(_HAS_TABLE, int, values=(self._place.schema, table)))

    def _query(self, text: str, values: tuple[object, ...]) -> Rows:
        return self._connection.execute(text.encode(), values).fetchall()

    def _rows(self, text: str, *kinds: type, values: tuple[object, ...] = ()) -> Rows:
        with self._reading():
            rows = self._connection.execute(text.encode(), values, binary=True).fetchall()
            return [_checked(row, kinds) for row in rows]

    def _stream(self, name: str, text: str, *kinds: type) -> Iterator[tuple[Any, ...]]:
        with self._reading(), self._connection.cursor(name, binary=True) as cursor:
            cursor.itersize = READ_ROWS
            for row in cursor.execute(text.encode()):
                yield _checked(row, kinds)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """A read in the snapshot: what the server cannot read is damage, and the snapshot outlives it."""
        try:
            with self._connection.transaction():
                yield
        except psycopg.Error as error:
            found = translate(error, self._place)
            if not isinstance(found, StoreCorrupt):
                raise found from None
            raise Unreadable(self._place.clean(error.diag.message_primary or error)) from None


def _checked(row: tuple[Any, ...], kinds: tuple[type, ...]) -> tuple[Any, ...]:
    """A row, if its columns are of the types they were made with: whoever owns them can alter them."""
    if tuple(map(type, row)) != kinds:
        raise Unreadable("a row lacks a value, or has one of another type than its column was made with")
    return row


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
