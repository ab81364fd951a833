"""The ledger file opened by fsck itself, read-only: none of the store's code lies between it and the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

READ_ERRORS = (apsw.Error, UnicodeDecodeError)
"""What reading a damaged file raises."""


class RawFile:
    """One snapshot of a ledger file.

    Args:
        path: The file.

    Raises:
        apsw.Error: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._connection = _open(path)
        self._connection.set_busy_timeout(10_000)
        self._connection.execute("BEGIN")
        # Only a read begins the snapshot.
        self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()

    def rows(self, sql: str, values: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one statement, on a cursor of their own."""
        yield from self._connection.cursor().execute(sql, values)

    def close(self) -> None:
        """End the snapshot."""
        self._connection.close()


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
