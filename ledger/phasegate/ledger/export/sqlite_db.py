"""A ledger as a database for reading: typed tables, full-text search, ready for Datasette.

    entries      one row an entry: its fields, payload as JSON, its hash and its very bytes
    tasks        of each task: how many entries, the first and the last
    types        how many entries of each type
    ledger       one row: id, entries, head, root
    TYPE         a view of each type of entry, a column for each name in its payloads

It is for reading, not for proof: verify the ledger, tiles, or JSON lines. Written with SQLite as Python
brings it, into a new file: the ledger's own file is read by its own library, never opened by a second one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from phasegate.ledger.entry import parse
from phasegate.ledger.errors import ExportError, LedgerError
from phasegate.ledger.export.placing import new_file
from phasegate.ledger.export.reading import read_verified

if TYPE_CHECKING:
    from sqlite_utils import Database

    from phasegate.ledger.store import RawEntry, Store
    from phasegate.ledger.verify import Verification

MAX_VIEW_COLUMNS: Final = 100
_COLUMNS: Final[dict[str, Any]] = {
    "seq": int,
    "at": str,
    "task": str,
    "phase": str,
    "attempt": int,
    "type": str,
    "actor": str,
    "trace": str,
    "payload": str,
    "prev": str,
    "hash": str,
    "bytes": bytes,
}
_SHARED: Final = ("seq", "at", "task", "phase", "attempt", "actor")
_SEARCHED: Final = ("task", "phase", "type", "actor", "payload")
_TASKS: Final = """
    insert into tasks (task, entries, first_seq, first_at, last_seq, last_at)
    select task, count(*), min(seq), min(at), max(seq), max(at) from entries where task != '' group by task
"""
_TYPES: Final = """
    insert into types (type, entries, first_seq, last_seq)
    select type, count(*), min(seq), max(seq) from entries group by type
"""


def export_sqlite(store: Store, target: Path) -> Verification:
    """Write all entries present now into a new database.

    Returns:
        What was written: its size, head and root.

    Raises:
        ExportError: The file exists or cannot be written, or the ledger does not hold.
        StoreError: The ledger cannot be read.
    """
    import sqlite3  # noqa: PLC0415 - for this export only

    from sqlite_utils import Database  # noqa: PLC0415 - 150 ms that no other command needs

    with new_file(target) as draft:
        try:
            with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
                return _filled(Database(connection), store)
        except sqlite3.Error as error:
            message = f"cannot write `{target}`: {str(error).lower()}"
            raise ExportError("not_written", f"{message}; check disk and folder") from None


def _filled(database: Database, store: Store) -> Verification:
    columns: dict[str, dict[str, None]] = {}
    connection = database.conn
    database.table("entries").create(_COLUMNS, pk="seq", not_null=set(_COLUMNS))
    insert = f"insert into entries values ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - no data in it
    connection.execute("begin")

    def take(batch: list[RawEntry]) -> None:
        connection.executemany(insert, _rows(batch, columns))

    chain, _ = read_verified(store, take)
    _add_summaries(database, store.ledger, chain)
    connection.execute("commit")
    entries = database.table("entries")
    for column in ("task", "type", "at"):
        entries.create_index([column])
    entries.enable_fts(_SEARCHED, tokenize="porter unicode61")
    for kind, names in sorted(columns.items()):
        _add_view(database, kind, list(names)[:MAX_VIEW_COLUMNS])
    return chain


def _rows(batch: list[RawEntry], columns: dict[str, dict[str, None]]) -> Iterator[tuple[Any, ...]]:
    for row in batch:
        try:
            entry = parse(row.bytes)
        except LedgerError:
            # Verification, which runs beside this, names it.
            return
        columns.setdefault(entry.type, {}).update(dict.fromkeys(entry.payload))
        payload = orjson.dumps(entry.payload, option=orjson.OPT_SORT_KEYS).decode()
        _, seq, prev, at, _, task, phase, attempt, kind, actor, trace, *_ = entry
        yield seq, at, task, phase, attempt, kind, actor, trace, payload, prev, entry.hash, entry.bytes


def _add_summaries(database: Database, ledger: str, chain: Verification) -> None:
    numbers = {"entries": int, "first_seq": int, "last_seq": int}
    database.table("tasks").create({"task": str, **numbers, "first_at": str, "last_at": str}, pk="task")
    database.table("types").create({"type": str, **numbers}, pk="type")
    database.table("ledger").create({"id": str, "entries": int, "head": str, "root": str}, pk="id")
    database.conn.execute(_TASKS)
    database.conn.execute(_TYPES)
    root = chain.root.hex() if chain.root is not None else ""
    row = (ledger, chain.entries, chain.head.hash, root)
    database.conn.execute("insert into ledger (id, entries, head, root) values (?, ?, ?, ?)", row)


def _add_view(database: Database, kind: str, names: list[str]) -> None:
    if kind.lower() in {name.lower() for name in (*database.table_names(), *database.view_names())}:
        return
    shared = ", ".join(_quoted(name) for name in _SHARED)
    taken = {name.lower() for name in _SHARED}
    fields = []
    # SQLite has no path to a name with a quote in it.
    for name in [name for name in names if '"' not in name and "\\" not in name]:
        # A payload may use the name of a field, or of another in different case.
        label = name if name.lower() not in taken else f"payload {name}"
        taken.add(label.lower())
        path = _text(f'$."{name}"')
        fields.append(f", json_extract(payload, {path}) as {_quoted(label)}")
    sql = f"select {shared}{''.join(fields)} from entries where type = {_text(kind)}"  # noqa: S608 - quoted
    database.create_view(kind, sql)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
