"""The PostgreSQL store: a schema of a database, one durable commit per append, any number of hosts.

Safe to share between threads, and usable in a forked child. One connection writes and one reads, so that
readers of this object never wait in the writers' queue. Layout and rules are in ``sql/postgres/``; how a
transaction is done once although the server may restart in the middle is in `postgres_transact`.

What a session sets for itself has to last: behind a pooler, sessions must be pooled, not transactions.
"""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from phasegate.ledger import postgres_leases
from phasegate.ledger.chain import Head, check_name, head_after
from phasegate.ledger.entry import Entry
from phasegate.ledger.errors import StoreCorrupt, StoreReadOnly
from phasegate.ledger.leases import Fence, Lease, check_names
from phasegate.ledger.leasing import Leasing
from phasegate.ledger.merkle import Frontier
from phasegate.ledger.postgres_append import Append, check_versions, version_reads
from phasegate.ledger.postgres_driver import LOCK_WAIT_MS
from phasegate.ledger.postgres_link import RECONNECT_MS, Link
from phasegate.ledger.postgres_place import locate
from phasegate.ledger.postgres_read import get, parsed, scan
from phasegate.ledger.postgres_schema import check_schema, create_schema, only_ledger
from phasegate.ledger.postgres_transact import Moment, Plan, read_state, transact
from phasegate.ledger.postgres_tree import PostgresTiles
from phasegate.ledger.store import Expect, Projections, RawEntry, Row
from phasegate.ledger.tree import Tile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from phasegate.ledger.entry import Draft
    from phasegate.ledger.leasing import Rule
    from phasegate.ledger.postgres_place import Place
    from phasegate.ledger.postgres_transact import Statement

_STATE: Final = "SELECT size, hash, at, clock_ms, nodes FROM head"
_ROW: Final = "SELECT kind, key, seq, body FROM projections WHERE kind = %s AND key = %s"
_ROWS: Final = (
    "SELECT kind, key, seq, body FROM projections "
    "WHERE kind = %s AND key >= %s AND starts_with(key, %s) ORDER BY key"
)

Result = TypeVar("Result")


class PostgresStore(Leasing):
    """A ledger in a schema of a PostgreSQL database. Made by `create` or `open`.

    Args:
        place: Where; with its schema.
        readonly: Open for reading only; needs no right to write.
        lock_wait_ms: How long an append waits for other writers before it gives up.
        reconnect_ms: How long a lost server is waited for.
        server_time: Judge leases by the server's time as well, so that hosts whose clocks are behind do not
            matter. Without it by what callers pass alone, as simulated clocks need.
    """

    def __init__(
        self,
        place: Place,
        *,
        readonly: bool = False,
        lock_wait_ms: int = LOCK_WAIT_MS,
        reconnect_ms: int = RECONNECT_MS,
        server_time: bool = False,
    ) -> None:
        self.place = place
        self._server_time = server_time
        self._head: Head | None = None

        def link(*, reading: bool) -> Link:
            return Link(place, readonly=reading, lock_wait_ms=lock_wait_ms, reconnect_ms=reconnect_ms)

        self._reader = link(reading=True)
        self._tiles = PostgresTiles(self._reader.query)
        self._writer = None if readonly else link(reading=False)
        try:
            self._ledger, _ = check_schema(self._reader.query, place)
        except BaseException:
            self.close()
            raise
        if self._writer is not None:
            self._writer.reached = True

    @classmethod
    def create(cls, dsn: str, ledger: str, *, at: str, schema: str | None = None, **options: Any) -> Self:
        """Create a ledger, complete or not at all, and open it. The user becomes its owner.

        Args:
            dsn: Server and database; see `locate`.
            ledger: Id of the ledger, 1 to 128 printable characters.
            at: Time of creation, ``YYYY-MM-DDTHH:MM:SS.ffffffZ``; no entry's time precedes it.
            schema: Its schema; by default one is named after the id.
            options: As for `open`.

        Raises:
            StoreExists: There is such a schema.
            StoreError: It cannot be made.
            EntryError, AppendError: The id or the time is malformed.
        """
        place = locate(dsn, ledger, schema)
        create_schema(place, ledger, at)
        return cls(place, **options)

    @classmethod
    def open(
        cls,
        dsn: str,
        ledger: str | None = None,
        *,
        schema: str | None = None,
        readonly: bool = False,
        **options: Any,
    ) -> Self:
        """Open an existing ledger: the one of that id or schema, or else the only one in the database.

        Args:
            dsn: Server and database; see `locate`.
            ledger: Its id.
            schema: Its schema, where that is not named after the id.
            readonly: Open for reading only.
            options: ``lock_wait_ms``, ``reconnect_ms`` and ``server_time`` of the class.

        Raises:
            StoreMissing: There is none, or several and none is named.
            StoreCorrupt: It contradicts itself; `verify_postgres` says where.
            UnsupportedSchema: Another release or a migration is needed.
            StoreError: The server cannot be reached.
        """
        place = locate(dsn, ledger, schema)
        return cls(place if place.schema else place.within(only_ledger(place)), readonly=readonly, **options)

    @property
    def ledger(self) -> str:
        """Id of the ledger this store holds."""
        return self._ledger

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        at: str,
        projections: Projections = (),
        expect: Sequence[Expect] = (),
        fence: Fence | None = None,
    ) -> tuple[Entry, ...]:
        """Append drafts and write projections in one commit. See `Store.append`.

        ``projections`` may be called more than once, if the server goes away meanwhile.
        """
        asked = Append(self._ledger, drafts, at, projections, expect, fence, self._server_time)
        entries = self._transact(asked.reads(), asked.decide)
        self._head = head_after(entries[-1])
        return entries

    def head(self, at_least: int | None = None) -> Head:
        """Return size, hash and time of the chain's end, or a known earlier one. See `Store.head`."""
        known = self._head
        if at_least is not None and known is not None and known.size >= at_least:
            return known
        return self._state()[0]

    def frontier(self) -> Frontier:
        """Return the frontier of the tree over all entries, of the same moment as the head of its size."""
        return self._state()[2]

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a full tile of the tree, or None."""
        return self._tiles.tile(level, number)

    def leaves(self, first: int, last: int) -> list[bytes]:
        """Return the leaf hashes of entries. See `Store.leaves`."""
        return self._tiles.leaves(first, last)

    def get(self, seq: int) -> Entry | None:
        """Return the entry with that sequence number, or None."""
        return get(self._reader, seq)

    def entries(
        self,
        *,
        since: int = 0,
        task: str | None = None,
        type: str | None = None,  # noqa: A002 - the field's name
        phase: str | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Entry]:
        """Iterate over the entries that match. See `Store.entries`."""
        left = -1 if limit is None else max(limit, 0)
        for row in scan(self._reader, since, {"task": task, "type": type}, reverse=reverse):
            if left == 0:
                return
            entry = parsed(row)
            if phase is None or entry.phase == phase:
                left -= 1
                yield entry

    def raw(self, since: int = 0) -> Iterator[RawEntry]:
        """Iterate over entries as stored, unchecked."""
        return scan(self._reader, since, {}, reverse=False)

    def projection(self, kind: str, key: str) -> Row | None:
        """Return one projection row, or None."""
        check_name(kind, key)
        rows = self._reader.query(_ROW, (kind, key))
        return Row(*rows[0]) if rows else None

    def projections(self, kind: str, prefix: str = "") -> Iterator[Row]:
        """Iterate over the rows of a kind whose key starts with ``prefix``, by key."""
        check_name(kind, prefix or kind)
        yield from starmap(Row, self._reader.query(_ROWS, (kind, prefix, prefix)))

    def lease(self, task: str, phase: str) -> Lease | None:
        """Return the latest lease on a task and phase, held or not."""
        check_names(task, phase)
        return postgres_leases.find(self._reader, task, phase)

    def leases(self, task: str | None = None) -> Iterator[Lease]:
        """Iterate over the latest leases, held or not, by task and phase."""
        if task is not None:
            check_names(task)
        return postgres_leases.list_all(self._reader, task)

    def close(self) -> None:
        """Close the connections; closing twice is allowed."""
        self._reader.close()
        if self._writer is not None:
            self._writer.close()

    def _settle(self, task: str, phase: str, now_ms: int, rule: Rule, expect: Sequence[Expect] = ()) -> Lease:
        """Apply a rule to a lease in one commit; nothing is written if it changes nothing."""

        def decide(moment: Moment) -> Plan[Lease]:
            check_versions(expect, moment.rows[1:])
            time_ms = postgres_leases.time_of(moment, now_ms, server_time=self._server_time)
            return postgres_leases.settle(moment, moment.rows[0], task, phase, time_ms, rule)

        return self._transact([postgres_leases.read_of_task(task), *version_reads(expect)], decide)

    def _transact(self, reads: Sequence[Statement], decide: Callable[[Moment], Plan[Result]]) -> Result:
        if self._writer is None:
            raise StoreReadOnly(f"`{self.place.label}` was opened for reading; open it for writing")
        return transact(self._writer, reads, decide)

    def _state(self) -> tuple[Head, int, Frontier]:
        rows = self._reader.query(_STATE)
        if not rows:
            raise StoreCorrupt("the head row is missing; run `engine ledger verify`")
        return read_state(rows[0])
