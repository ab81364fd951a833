"""The store port: what a ledger store does, whatever it is built on.

A store appends entries and updates projection rows in one transaction, and reads both back. It is not
shaped by SQLite: no cursor, connection or SQL shows through. `memory` and `sqlite` implement it and
pass one contract test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from phasegate.ledger.entry import Draft, Entry
from phasegate.ledger.leases import Fence, Lease

if TYPE_CHECKING:
    from phasegate.ledger.chain import Head
    from phasegate.ledger.merkle import Frontier
    from phasegate.ledger.tree import Tile

MAX_DRAFTS_PER_APPEND = 4096
MAX_PROJECTION_BYTES = 16 * 1024 * 1024
MAX_KIND_CHARS = 64
MAX_KEY_CHARS = 512


class Projection(NamedTuple):
    """A projection row to write in the append's transaction; a body of None deletes the row.

    The store stamps the row with the sequence number of the append's last entry.
    """

    kind: str
    key: str
    body: bytes | None


class Expect(NamedTuple):
    """A version check: row (kind, key) must carry exactly ``seq``; 0 means it must not exist."""

    kind: str
    key: str
    seq: int


class Row(NamedTuple):
    """A projection row as stored."""

    kind: str
    key: str
    seq: int
    body: bytes


class RawEntry(NamedTuple):
    """An entry as stored: the plain columns beside its bytes, nothing parsed, nothing checked."""

    seq: int
    task: str
    type: str
    bytes: bytes


Projections: TypeAlias = Sequence[Projection] | Callable[[tuple[Entry, ...]], Sequence[Projection]]
"""Rows to write, or a function of the sealed entries that returns them, called in the transaction."""


class Store(Protocol):
    """An append-only ledger with projections that follow it."""

    @property
    def ledger(self) -> str:
        """Id of the ledger this store holds."""
        ...

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        at: str,
        projections: Projections = (),
        expect: Sequence[Expect] = (),
        fence: Fence | None = None,
    ) -> tuple[Entry, ...]:
        """Append drafts as entries and write projections, all or nothing, durably on return.

        Args:
            drafts: 1 to `MAX_DRAFTS_PER_APPEND` drafts, in order.
            at: Time of the append; an entry never carries a time before its predecessor's, so the
                later of this and the last entry's is written.
            projections: Rows to write, or a function of the sealed entries.
            expect: Version checks, all made before anything is written.
            fence: What is demanded of a lease; made after the version checks, in the same transaction.

        Raises:
            VersionConflict: A version check failed; nothing was written.
            LeaseLost, LeaseHeld: The fence does not hold; nothing was written.
            LeaseInvalid: The fence is malformed.
            EntryError, CanonicalError, EntryTooLarge, AppendError: The input was refused.
            StoreError: The store could not do it (busy, full, corrupt, read-only, closed).
        """
        ...

    def head(self, at_least: int | None = None) -> Head:
        """Return size, hash and time of the chain's end.

        Args:
            at_least: An earlier end will do, one that this store knows without reading, if it has at least
                so many entries.
        """
        ...

    def frontier(self) -> Frontier:
        """Return the frontier of the tree over all entries."""
        ...

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a full tile of the tree, or None."""
        ...

    def leaves(self, first: int, last: int) -> list[bytes]:
        """Return the leaf hashes of the entries from index ``first`` to ``last`` (exclusive).

        The entry with sequence number 1 has index 0.
        """
        ...

    def get(self, seq: int) -> Entry | None:
        """Return the entry with that sequence number, or None."""
        ...

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
        """Iterate over the entries present at the first step, with ``seq > since``, that match.

        Args:
            since: Sequence number to start after.
            task: Only this task's.
            type: Only this type's.
            phase: Only this phase's.
            limit: At most so many.
            reverse: Newest first.
        """
        ...

    def raw(self, since: int = 0) -> Iterator[RawEntry]:
        """Iterate over entries as stored, unchecked, for verification."""
        ...

    def projection(self, kind: str, key: str) -> Row | None:
        """Return one projection row, or None."""
        ...

    def projections(self, kind: str, prefix: str = "") -> Iterator[Row]:
        """Iterate over the rows of a kind whose key starts with ``prefix``, by key."""
        ...

    def lease_acquire(
        self,
        task: str,
        phase: str,
        holder: str,
        *,
        now_ms: int,
        ttl_ms: int,
        expect: Sequence[Expect] = (),
    ) -> Lease:
        """Acquire the lease on a task and phase under the task's next epoch, durably on return.

        Args:
            task: Task id, 1 to 128 printable characters.
            phase: Phase name, 1 to 64 printable characters.
            holder: Who acquires it, 1 to 256 printable characters.
            now_ms: The caller's time in milliseconds; the store judges by the later of this and the
                latest it has seen.
            ttl_ms: Time to expiry, `LEASE_TTL_MS_MIN` to `LEASE_TTL_MS_MAX`.
            expect: Version checks, made first and in the same transaction.

        Returns:
            The lease; ``taken_from`` names the holder before if that one had not released it.

        Raises:
            VersionConflict: A version check failed; nothing was written.
            LeaseHeld: It is held, be it by the same holder; nothing was written.
            LeaseInvalid: The input is out of bounds.
            StoreError: The store could not do it.
        """
        ...

    def lease_renew(
        self, task: str, phase: str, holder: str, epoch: int, *, now_ms: int, ttl_ms: int, window_ms: int
    ) -> Lease:
        """Prolong a lease to ``ttl_ms`` from now, if it expires within ``window_ms``.

        Before that nothing is written and the lease is returned as it is. A renewal never shortens.

        Raises:
            LeaseLost: Epoch or holder are others, or it has expired; it was not prolonged.
            LeaseInvalid, StoreError: As for `lease_acquire`.
        """
        ...

    def lease_release(self, task: str, phase: str, holder: str, epoch: int, *, now_ms: int) -> Lease:
        """Give a lease up; its row stays with its epoch. Releasing twice is allowed.

        Raises:
            LeaseLost: Epoch or holder are others; nothing was written.
            LeaseInvalid, StoreError: As for `lease_acquire`.
        """
        ...

    def lease(self, task: str, phase: str) -> Lease | None:
        """Return the latest lease on a task and phase, held or not; None if there never was one."""
        ...

    def leases(self, task: str | None = None) -> Iterator[Lease]:
        """Iterate over the latest leases, held or not, by task and phase; of one task if given."""
        ...

    def close(self) -> None:
        """Release everything; closing twice is allowed."""
        ...
