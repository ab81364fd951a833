"""The in-memory store: the SQLite store's twin for tests and dry runs, durable for nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from phasegate.ledger.chain import Head, check_name, extend, genesis, head_after, rows_for
from phasegate.ledger.entry import Entry, checked_ledger
from phasegate.ledger.errors import LeaseLost, StoreClosed, VersionConflict
from phasegate.ledger.leases import Fence, Lease, check_fence, check_names, check_request, kept_clock
from phasegate.ledger.leasing import Leasing
from phasegate.ledger.merkle import Frontier, leaf_hash
from phasegate.ledger.store import Expect, Projections, RawEntry, Row
from phasegate.ledger.tree import Tile, filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phasegate.ledger.entry import Draft
    from phasegate.ledger.leasing import Rule


class MemoryStore(Leasing):
    """A ledger in this process's memory, safe to share between threads.

    Args:
        ledger: Id of the ledger, 1 to 128 printable characters.
        at: Time of creation, which no entry's time precedes.
    """

    def __init__(self, ledger: str, *, at: str) -> None:
        self._ledger = checked_ledger(ledger)
        self._head = genesis(at)
        self._frontier = Frontier()
        self._tiles: dict[tuple[int, int], Tile] = {}
        self._entries: list[Entry] = []
        self._rows: dict[tuple[str, str], Row] = {}
        self._leases: dict[tuple[str, str], Lease] = {}
        self._clock_ms = 0
        self._mutex = threading.RLock()
        self._closed = False

    @classmethod
    def holding(cls, ledger: str, entries: Sequence[Entry], rows: Sequence[Row] = ()) -> Self:
        """Return a store of entries and rows that were read elsewhere, and verified there.

        Raises:
            EntryError: The id is no ledger's.
        """
        store = cls(ledger, at=entries[0].at if entries else "1970-01-01T00:00:00.000000Z")
        store._grow(entries)
        store._rows = {(row.kind, row.key): row for row in rows}
        if entries:
            store._head = head_after(entries[-1])
        return store

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
        """Append drafts and write projections, all or nothing. See `Store.append`."""
        if fence is not None:
            check_request(fence)
        with self._mutex:
            self._check_open()
            self._check_versions(expect)
            clock_ms = self._clock_ms if fence is None else self._pass(fence)
            entries = extend(self._head, drafts, at=at, ledger=self._ledger)
            rows = rows_for(projections, entries)
            # Nothing below raises: the append is done or was not begun.
            self._clock_ms = clock_ms
            self._grow(entries)
            self._head = head_after(entries[-1])
            for kind, key, body in rows:
                if body is None:
                    self._rows.pop((kind, key), None)
                else:
                    self._rows[kind, key] = Row(kind, key, self._head.size, body)
            return entries

    def head(self, at_least: int | None = None) -> Head:  # noqa: ARG002 - it always knows the end
        """Return size, hash and time of the chain's end. See `Store.head`."""
        with self._mutex:
            self._check_open()
            return self._head

    def frontier(self) -> Frontier:
        """Return the frontier of the tree over all entries."""
        with self._mutex:
            self._check_open()
            return self._frontier

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a full tile of the tree, or None."""
        with self._mutex:
            self._check_open()
            return self._tiles.get((level, number))

    def leaves(self, first: int, last: int) -> list[bytes]:
        """Return the leaf hashes of entries. See `Store.leaves`."""
        with self._mutex:
            self._check_open()
            return [leaf_hash(entry.bytes) for entry in self._entries[first:last]]

    def get(self, seq: int) -> Entry | None:
        """Return the entry with that sequence number, or None."""
        with self._mutex:
            self._check_open()
            return self._entries[seq - 1] if 1 <= seq <= len(self._entries) else None

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
        with self._mutex:
            self._check_open()
            found = self._entries[max(since, 0) :]
        if reverse:
            found.reverse()
        left = len(found) if limit is None else limit
        for entry in found:
            if left <= 0:
                return
            if (
                (task is None or entry.task == task)
                and (type is None or entry.type == type)
                and (phase is None or entry.phase == phase)
            ):
                left -= 1
                yield entry

    def raw(self, since: int = 0) -> Iterator[RawEntry]:
        """Iterate over entries as stored."""
        for entry in self.entries(since=since):
            yield RawEntry(entry.seq, entry.task, entry.type, entry.bytes)

    def projection(self, kind: str, key: str) -> Row | None:
        """Return one projection row, or None."""
        with self._mutex:
            self._check_open()
            return self._rows.get((kind, key))

    def projections(self, kind: str, prefix: str = "") -> Iterator[Row]:
        """Iterate over the rows of a kind whose key starts with ``prefix``, by key."""
        with self._mutex:
            self._check_open()
            rows = [row for row in self._rows.values() if row.kind == kind and row.key.startswith(prefix)]
        yield from sorted(rows)

    def lease(self, task: str, phase: str) -> Lease | None:
        """Return the latest lease on a task and phase, held or not."""
        check_names(task, phase)
        with self._mutex:
            self._check_open()
            return self._found((task, phase))

    def leases(self, task: str | None = None) -> Iterator[Lease]:
        """Iterate over the latest leases by task and phase."""
        if task is not None:
            check_names(task)
        with self._mutex:
            self._check_open()
            stored = sorted(self._leases.items())
            clock_ms = self._clock_ms
        return (lease._replace(seen_ms=clock_ms) for key, lease in stored if task in {None, key[0]})

    def close(self) -> None:
        """Forget everything; closing twice is allowed."""
        with self._mutex:
            self._closed = True

    def _grow(self, entries: Sequence[Entry]) -> None:
        self._entries.extend(entries)
        old = self._frontier.size
        self._frontier = self._frontier.extended(leaf_hash(entry.bytes) for entry in entries)
        for tile in filled(old, self._frontier.size, self):
            self._tiles[tile.level, tile.number] = tile

    def _found(self, key: tuple[str, str]) -> Lease | None:
        stored = self._leases.get(key)
        return None if stored is None else stored._replace(seen_ms=self._clock_ms)

    def _highest(self, task: str) -> int:
        return max((lease.epoch for lease in self._leases.values() if lease.task == task), default=0)

    def _check_versions(self, expect: Sequence[Expect]) -> None:
        for kind, key, seq in expect:
            check_name(kind, key)
            row = self._rows.get((kind, key))
            found = row.seq if row else 0
            if found != seq:
                raise VersionConflict(kind, key, seq, found)

    def _settle(self, task: str, phase: str, now_ms: int, rule: Rule, expect: Sequence[Expect] = ()) -> Lease:
        with self._mutex:
            self._check_open()
            self._check_versions(expect)
            key = task, phase
            found, time_ms = self._found(key), max(self._clock_ms, now_ms)
            try:
                lease = rule(found, time_ms, self._highest(task))
            except LeaseLost as lost:
                self._keep_expiry(lost)
                raise
            if lease is not found:
                self._leases[key] = lease
                self._clock_ms = kept_clock(self._clock_ms, time_ms, found)
            return lease

    def _pass(self, fence: Fence) -> int:
        """Return the time to keep when the fence lets an append through, or refuse it."""
        found, time_ms = self._leases.get((fence.task, fence.phase)), max(self._clock_ms, fence.now_ms)
        if found is None and fence.epoch is None:
            return self._clock_ms  # nothing was judged
        try:
            check_fence(found, fence, time_ms)
        except LeaseLost as lost:
            self._keep_expiry(lost)
            raise
        return kept_clock(self._clock_ms, time_ms, found)

    def _keep_expiry(self, lost: LeaseLost) -> None:
        # A lease once seen expired stays so, whatever the clock does.
        if lost.reason == "expired":
            self._clock_ms = lost.time_ms

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the store is closed; open it again")
