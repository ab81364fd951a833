"""The ledger file opened by fsck itself, read-only: none of the store's code lies between it and the rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import apsw

from phasegate.ledger.fsck.finding import Finding
from phasegate.ledger.fsck.layout import VERSION, schema_findings
from phasegate.ledger.fsck.stored import EntryRow, LeaseRow, StoredRow, StoredTile, TilePlace, Unreadable

READ_ERRORS = (apsw.Error, UnicodeDecodeError)
"""What SQLite raises on a damaged file."""

_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_META: Final = "SELECT name, value FROM meta"
_ENTRIES: Final = (
    "SELECT seq, CAST(task AS BLOB), CAST(type AS BLOB), CAST(bytes AS BLOB) FROM entries ORDER BY seq"
)
_TILE: Final = (
    "SELECT rowid, CAST(root AS BLOB), CAST(hashes AS BLOB) FROM tiles WHERE level = ? AND number = ?"
)
_TILES: Final = "SELECT rowid, level, number FROM tiles"
_PROJECTIONS: Final = (
    "SELECT rowid, CAST(kind AS BLOB), CAST(key AS BLOB), seq, CAST(body AS BLOB) FROM projections"
)
_LEASES: Final = (
    "SELECT CAST(task AS BLOB), CAST(phase AS BLOB), epoch, CAST(holder AS BLOB), expires_ms FROM leases"
)


class RawFile:
    """One snapshot of a ledger file; see `Stored`.

    Args:
        path: The file.

    Raises:
        Unreadable: It cannot be opened.
    """

    layout = VERSION

    def __init__(self, path: Path) -> None:
        try:
            self._connection = _open(path)
            self._connection.set_busy_timeout(10_000)
            self._connection.execute("BEGIN")
            # Only a read begins the snapshot.
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        except READ_ERRORS as error:
            raise Unreadable(str(error).lower()) from error

    def rows(self, sql: str, values: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one statement, on a cursor of their own.

        Raises:
            Unreadable: They cannot be read.
        """
        try:
            yield from self._connection.cursor().execute(sql, values)
        except READ_ERRORS as error:
            raise Unreadable(str(error).lower()) from error

    def schema(self) -> Iterator[Finding]:
        """What is wrong with tables, triggers and indices."""
        return schema_findings(self)

    def meta(self) -> dict[str, str]:
        """The rows of `meta`, by name."""
        return dict(self.rows(_META)) if self._has("meta") else {}

    def frontier(self) -> None:
        """Nothing: a file keeps full tiles alone."""

    def entries(self) -> Iterator[EntryRow]:
        """The entries, by number."""
        return self.rows(_ENTRIES)

    def tile(self, level: int, number: int) -> list[StoredTile]:
        """The tiles of one place; several where the index has lost rows."""
        return list(starmap(StoredTile, self.rows(_TILE, (level, number))))

    def tile_places(self) -> Iterator[TilePlace]:
        """The places of all tiles."""
        return starmap(TilePlace, self.rows(_TILES))

    def projections(self) -> Iterator[StoredRow]:
        """The projection rows; none where the table is gone."""
        for rowid, kind, key, seq, body in self.rows(_PROJECTIONS) if self._has("projections") else ():
            yield StoredRow(rowid, kind.decode("utf-8", "replace"), key.decode("utf-8", "replace"), seq, body)

    def leases(self) -> Iterator[LeaseRow]:
        """The leases."""
        return self.rows(_LEASES)

    def close(self) -> None:
        """End the snapshot."""
        self._connection.close()

    def _has(self, table: str) -> bool:
        return (table,) in self.rows(_TABLES)


def _open(path: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    place = f"file:{quote(str(path.absolute()))}"
    try:
        connection = apsw.Connection(f"{place}?mode=ro", flags=flags)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.CantOpenError:
        # A folder that cannot be written, and no log: nobody writes here.
        return apsw.Connection(f"{place}?immutable=1", flags=flags)
    return connection
