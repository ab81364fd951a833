"""Ledgers in memory, in a SQLite file and in PostgreSQL, and what somebody can do to each who owns where it lies."""

# ruff: noqa: S608 - the statements are this file's own
from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar, Protocol

import apsw
from exported_ledgers import AT, LEDGER, draft

from phasegate.ledger.chain import Head
from phasegate.ledger.entry import ZERO_HASH, parse
from phasegate.ledger.errors import LedgerError
from phasegate.ledger.filelock import LOCK_SUFFIX
from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.merkle import Frontier, leaf_hash
from phasegate.ledger.offline.found import Content
from phasegate.ledger.offline.report import Report
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_content, verify_path
from phasegate.ledger.schema import write_head
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.store import Projection, RawEntry, Store
from phasegate.ledger.tree_walk import TreeWalk
from phasegate.ledger.verify import Problem, verify_chain

SIZE = 40
"""Fewer than a tile holds, so that the tree of a forged ledger is its frontier alone."""

KEPT_AT = 30
"""Size of a checkpoint that was kept elsewhere; and of the ledger when it forked or was copied."""

Rows = Sequence[RawEntry]


def rows_of(datas: Sequence[bytes], template: Rows = ()) -> list[RawEntry]:
    """Rows that hold these bytes, numbered anew, with columns as the bytes say where they can be read."""
    rows = []
    for seq, data in enumerate(datas, 1):
        try:
            entry = parse(data)
            rows.append(RawEntry(seq, entry.task, entry.type, data))
        except LedgerError:
            rows.append(template[seq - 1]._replace(bytes=data))
    return rows


def head_of(rows: Rows) -> Head:
    """The end of a chain, as its last row's bytes have it."""
    if not rows:
        return Head(0, ZERO_HASH, AT)
    from hashlib import sha256

    return Head(len(rows), sha256(rows[-1].bytes).hexdigest(), AT)


class Place(Protocol):
    """A ledger of `SIZE` entries, and the powers of who owns where it lies."""

    name: ClassVar[str]

    def store(self) -> Store:
        """It, opened for writing; the caller closes it."""

    def rows(self) -> list[RawEntry]:
        """Its rows, as stored."""

    def put(self, rows: Rows) -> None:
        """Write other rows, past all guards; recorded ends stay, and so do the guards afterwards."""

    def fit(self, rows: Rows) -> None:
        """Write other rows, and everything that is kept beside them so that it fits."""

    def statement(self, key: str, body: bytes) -> None:
        """Write another body into a projection."""

    def drop_guard(self) -> str:
        """Take a trigger away; returns what stands in the way of that, or nothing."""

    def replace_row(self) -> str:
        """Write over entry 7 in one statement, guards in place; returns what stands in the way, or nothing."""

    def restore_log(self, rows: Rows) -> None:
        """Put an older copy of what holds the entries back, and leave the rest."""

    def put_back(self, size: int) -> None:
        """Put back a copy of all of it that was made when it had so many entries."""

    def verify(self, terms: Terms) -> Report:
        """Verify it."""


class MemoryPlace:
    """A ledger in a process's memory; its owner is that process."""

    name = "memory"

    def __init__(self) -> None:
        self._store = MemoryStore(LEDGER, at=AT)
        self._store.append([draft(n) for n in range(1, SIZE + 1)], at=AT)
        self._rows = list(self._store.raw())
        self._head = self._store.head()

    def store(self) -> Store:
        return MemoryStore.holding(LEDGER, [parse(row.bytes) for row in self._rows], self._kept())

    def _kept(self):
        return list(self._store.projections("statement"))

    def rows(self) -> list[RawEntry]:
        return list(self._rows)

    def put(self, rows: Rows) -> None:
        self._rows = list(rows)

    def fit(self, rows: Rows) -> None:
        self._rows, self._head = list(rows), head_of(rows)

    def statement(self, key: str, body: bytes) -> None:
        self._store.append([draft(1)], at=AT, projections=[Projection("statement", key, body)])

    def drop_guard(self) -> str:
        return "no triggers"

    def replace_row(self) -> str:
        return "no statements"

    restore_log = put

    def put_back(self, size: int) -> None:
        self.fit(self._rows[:size])

    def verify(self, terms: Terms) -> Report:
        def read(sizes: set[int]) -> Content:
            tree = TreeWalk(None, sizes)
            chain = verify_chain(
                tree.watch(self._rows),
                ledger=terms.ledger or LEDGER,
                known={self._head.size: self._head.hash},
            )
            if chain.ok and chain.entries > self._head.size:
                problem = Problem(self._head.size + 1, "head_mismatch", "beyond the recorded head")
                chain = chain._replace(ok=False, problem=problem)
            return Content("memory", chain._replace(root=tree.root(), roots=tuple(tree.roots.items())))

        return verify_content("memory", "memory", read, terms)


class SqlitePlace:
    """A ledger in a file; its owner is who can write the file and those beside it."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self._copies = folder / "copies"
        with closing(SqliteStore.create(self.path, LEDGER, at=AT)) as store:
            for n in range(1, SIZE + 1):
                store.append([draft(n)], at=AT)
                if n == KEPT_AT:  # while it is open, so that the log is part of the copy
                    self._copy(folder, self._copies)

    def store(self) -> Store:
        return SqliteStore.open(self.path)

    def rows(self) -> list[RawEntry]:
        return [
            RawEntry(*row) for row in self._sql("SELECT seq, task, type, bytes FROM entries ORDER BY seq")
        ]

    def _sql(self, *statements: str, values: Sequence[Sequence[object]] = ()) -> list[tuple]:
        """Run statements; the one with places once for each of the values."""
        connection = apsw.Connection(str(self.path))
        try:
            found: list[tuple] = []
            for sql in statements:
                if "?" in sql:
                    connection.executemany(sql, values)
                else:
                    found = connection.execute(sql).fetchall()
            return found
        finally:
            connection.close()

    def put(self, rows: Rows) -> None:
        guards = self._sql("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        self._sql(
            "BEGIN IMMEDIATE",
            *(f"DROP TRIGGER {name}" for name, _ in guards),
            "DELETE FROM entries",
            "INSERT INTO entries VALUES (?, ?, ?, ?)",
            *(sql for _, sql in guards),
            "COMMIT",
            values=list(rows),
        )

    def fit(self, rows: Rows) -> None:
        self.put(rows)
        end = write_head(head_of(rows))
        self._sql(f"UPDATE meta SET value = '{end}' WHERE name = 'head'")
        Path(f"{self.path}{LOCK_SUFFIX}").write_text(end)

    def statement(self, key: str, body: bytes) -> None:
        self._sql("REPLACE INTO projections VALUES ('statement', ?, ?, ?)", values=[(key, SIZE, body)])

    def drop_guard(self) -> str:
        self._sql("DROP TRIGGER entries_update")
        return ""

    def replace_row(self) -> str:
        try:
            self._sql("REPLACE INTO entries SELECT 7, task, type, bytes FROM entries WHERE seq = 3")
        except apsw.ConstraintError:
            return "refused"
        return ""

    def restore_log(self, rows: Rows) -> None:
        """As when the file is put back, or its log lost, and the mark beside it stays."""
        self._sql("PRAGMA wal_checkpoint(TRUNCATE)")
        mark = Path(f"{self.path}{LOCK_SUFFIX}")
        newest = mark.read_bytes()
        self.fit(rows)
        mark.write_bytes(newest)

    def put_back(self, size: int) -> None:
        assert size == KEPT_AT
        for file in self.path.parent.glob("ledger.db*"):
            file.unlink()
        self._copy(self._copies, self.path.parent)

    def _copy(self, source: Path, to: Path) -> None:
        to.mkdir(exist_ok=True)
        for file in source.glob("ledger.db*"):
            shutil.copy(file, to / file.name)

    def verify(self, terms: Terms) -> Report:
        return verify_path(self.path, terms)


class PostgresPlace:
    """A ledger in a database; its owner is the schema's owner or a superuser."""

    name = "PostgreSQL"

    def __init__(self, dsn: str) -> None:
        from phasegate.ledger.postgres import PostgresStore

        self.dsn = dsn
        with closing(PostgresStore.create(dsn, LEDGER, at=AT)) as store:
            store.append([draft(n) for n in range(1, SIZE + 1)], at=AT)

    def store(self) -> Store:
        from phasegate.ledger.postgres import PostgresStore

        return PostgresStore.open(self.dsn)

    def _run(self, *statements: str) -> list[tuple]:
        from postgres_server import run

        return run(self.dsn, *statements)[-1]

    def _unguarded(self, *statements: str) -> None:
        from postgres_server import unguarded

        unguarded(self.dsn, *statements)

    def rows(self) -> list[RawEntry]:
        return [
            RawEntry(*row) for row in self._run("SELECT seq, task, type, bytes FROM entries ORDER BY seq")
        ]

    def put(self, rows: Rows) -> None:
        values = ", ".join(
            f"({row.seq}, '{row.task}', '{row.type}', '\\x{row.bytes.hex()}'::bytea)" for row in rows
        )
        self._unguarded("DELETE FROM entries", f"INSERT INTO entries VALUES {values}")

    def fit(self, rows: Rows) -> None:
        self.put(rows)
        end = head_of(rows)
        nodes = b"".join(Frontier().extended([leaf_hash(row.bytes) for row in rows]).nodes).hex()
        self._unguarded(f"UPDATE head SET size = {end.size}, hash = '{end.hash}', nodes = '\\x{nodes}'")

    def statement(self, key: str, body: bytes) -> None:
        self._run(
            f"INSERT INTO projections VALUES ('statement', '{key}', {SIZE}, '\\x{body.hex()}') "
            "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body"
        )

    def drop_guard(self) -> str:
        self._run("DROP TRIGGER entries_update ON entries")
        return ""

    def replace_row(self) -> str:
        import psycopg

        try:
            self._run(
                "INSERT INTO entries SELECT 7, task, type, bytes FROM entries WHERE seq = 3 "
                "ON CONFLICT (seq) DO UPDATE SET bytes = excluded.bytes"
            )
        except psycopg.errors.RaiseException:
            return "refused"
        return ""

    def restore_log(self, rows: Rows) -> None:
        """As when one table is put back from a backup."""
        self.put(rows)

    def put_back(self, size: int) -> None:
        self.fit(self.rows()[:size])

    def verify(self, terms: Terms) -> Report:
        return verify_path(self.dsn, terms)
