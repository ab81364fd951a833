"""Entries as PostgreSQL holds them, read in chunks and parsed."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Final

from phasegate.ledger.entry import MAX_INTEGER, Entry, parse
from phasegate.ledger.errors import CanonicalError, EntryError, StoreCorrupt
from phasegate.ledger.store import RawEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phasegate.ledger.postgres_link import Link

READ_CHUNK_ROWS: Final = 512

_COLUMNS: Final = "SELECT seq, task, type, bytes FROM entries"


def get(link: Link, seq: int) -> Entry | None:
    """Return the entry with that sequence number, or None.

    Raises:
        StoreCorrupt: It is not one.
    """
    rows = link.query(f"{_COLUMNS} WHERE seq = %s", (seq,)) if 0 < seq <= MAX_INTEGER else []
    return parsed(RawEntry(*rows[0])) if rows else None


def scan(link: Link, since: int, columns: dict[str, str | None], *, reverse: bool) -> Iterator[RawEntry]:
    """Yield rows in chunks, each read on its own, so that a slow consumer holds no snapshot.

    What is there never changes, so chunks read at different times fit together.

    Args:
        link: The connection for reading.
        since: Sequence number to start after.
        columns: What a column must be; None for whatever it is.
        reverse: Newest first.
    """
    low = max(since, 0)
    if low > MAX_INTEGER or not all(value.isprintable() for value in columns.values() if value):
        return  # no entry has such a number or text, and the server could not be asked for it
    high = link.query("SELECT coalesce(max(seq), 0) FROM entries")[0][0]
    wanted = {name: value for name, value in columns.items() if value is not None}
    where = "".join(f" AND {name} = %s" for name in wanted)
    order = "DESC" if reverse else "ASC"
    sql = f"{_COLUMNS} WHERE seq > %s AND seq <= %s{where} ORDER BY seq {order} LIMIT {READ_CHUNK_ROWS}"
    while low < high:
        rows = link.query(sql, (low, high, *wanted.values()))
        yield from starmap(RawEntry, rows)
        if len(rows) < READ_CHUNK_ROWS:
            return
        if reverse:
            high = rows[-1][0] - 1
        else:
            low = rows[-1][0]


def parsed(row: RawEntry) -> Entry:
    """Return the entry of a row.

    Raises:
        StoreCorrupt: It is not one, or the columns do not say what the bytes say.
    """
    try:
        entry = parse(row.bytes)
    except (CanonicalError, EntryError) as error:
        raise StoreCorrupt(f"entry {row.seq}: {error}; run `engine ledger verify`") from None
    if (entry.seq, entry.task, entry.type) != (row.seq, row.task, row.type):
        raise StoreCorrupt(f"entry {row.seq}: columns and bytes differ; run `engine ledger verify`")
    return entry
