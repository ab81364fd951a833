"""An append on PostgreSQL: what is read for it, what is decided, and the statements that write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from phasegate.ledger import postgres_leases
from phasegate.ledger.chain import check_name, extend, rows_for
from phasegate.ledger.errors import LeaseLost, StoreCorrupt, VersionConflict
from phasegate.ledger.leases import Fence, check_request
from phasegate.ledger.merkle import leaf_hash
from phasegate.ledger.postgres_transact import Moment, Plan, Statement
from phasegate.ledger.postgres_tree import tile_writes
from phasegate.ledger.store import Expect, Projection, Projections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phasegate.ledger.entry import Draft, Entry
    from phasegate.ledger.postgres_driver import Rows

INSERT_CHUNK_ROWS: Final = 512

_LAST: Final = "SELECT seq, encode(sha256(bytes), 'hex') FROM entries ORDER BY seq DESC LIMIT 1"
_INSERT_ONE: Final = "INSERT INTO entries (seq, task, type, bytes) VALUES (%s, %s, %s, %b)"
_INSERT: Final = (
    "INSERT INTO entries (seq, task, type, bytes) "
    "SELECT * FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::bytea[])"
)
_SET_HEAD: Final = "UPDATE head SET size = %s, hash = %s, at = %s, clock_ms = %s, nodes = %b"
_PROOF: Final = "SELECT 1 FROM entries WHERE seq = %s AND encode(sha256(bytes), 'hex') = %s"
_VERSION: Final = "SELECT seq FROM projections WHERE kind = %s AND key = %s"
_UPSERT: Final = (
    "INSERT INTO projections (kind, key, seq, body) VALUES (%s, %s, %s, %b) "
    "ON CONFLICT (kind, key) DO UPDATE SET seq = excluded.seq, body = excluded.body"
)
_FORGET: Final = "DELETE FROM projections WHERE kind = %s AND key = %s"


class Append(NamedTuple):
    """What an append was asked for; see `Store.append`, and `time_of` for ``server_time``."""

    ledger: str
    drafts: Sequence[Draft]
    at: str
    projections: Projections
    expect: Sequence[Expect]
    fence: Fence | None
    server_time: bool

    def reads(self) -> list[Statement]:
        """Return what `decide` needs read: the last entry, the versions, and the leases if there is a fence.

        Raises:
            AppendError: A version check names no projection.
            LeaseInvalid: The fence is malformed.
        """
        statements: list[Statement] = [(_LAST, ())]
        statements += version_reads(self.expect)
        if self.fence is not None:
            check_request(self.fence)
            statements.append(postgres_leases.read_of_task(self.fence.task))
        return statements

    def decide(self, moment: Moment) -> Plan[tuple[Entry, ...]]:
        """Make the checks and seal the entries; return what writes them.

        Raises:
            LedgerError: As `Store.append`.
        """
        check_versions(self.expect, moment.rows[1:])
        clock_ms = moment.clock_ms
        if self.fence is not None:
            time_ms = postgres_leases.time_of(moment, self.fence.now_ms, server_time=self.server_time)
            try:
                clock_ms = postgres_leases.pass_fence(moment, moment.rows[-1], self.fence, time_ms)
            except LeaseLost as lost:
                return postgres_leases.kept_expiry(moment, lost)
        _check_end(moment)
        entries = extend(moment.head, self.drafts, at=self.at, ledger=self.ledger)
        return _plan(moment, entries, rows_for(self.projections, entries), clock_ms)


def version_reads(expect: Sequence[Expect]) -> list[Statement]:
    """Return the statements whose rows `check_versions` needs.

    Raises:
        AppendError: A version check names no projection.
    """
    for kind, key, _ in expect:
        check_name(kind, key)
    return [(_VERSION, (kind, key)) for kind, key, _ in expect]


def check_versions(expect: Sequence[Expect], found: Sequence[Rows]) -> None:
    """Refuse to go on where a projection is at another version; further rows found do not matter.

    Raises:
        VersionConflict: One is.
    """
    for (kind, key, seq), rows in zip(expect, found, strict=False):
        version = rows[0][0] if rows else 0
        if version != seq:
            raise VersionConflict(kind, key, seq, version)


def _check_end(moment: Moment) -> None:
    """Refuse to build on an end that is not the recorded one."""
    found = [tuple(row) for row in moment.rows[0]]
    recorded = [(moment.head.size, moment.head.hash)] if moment.head.size else []
    if found != recorded:
        raise StoreCorrupt(f"entry {moment.head.size} is not the recorded head; run `engine ledger verify`")


def _plan(
    moment: Moment, entries: tuple[Entry, ...], rows: Sequence[Projection], clock_ms: int
) -> Plan[tuple[Entry, ...]]:
    leaves = [leaf_hash(entry.bytes) for entry in entries]
    frontier = moment.frontier.extended(leaves)
    last = entries[-1]
    head = _SET_HEAD, (last.seq, last.hash, last.at, clock_ms, b"".join(frontier.nodes))
    tiles = tile_writes(moment.connection, moment.frontier.size, leaves)
    writes = [*_inserts(entries), *_changes(rows, last.seq), *tiles, head]
    return Plan(entries, writes, proof=(_PROOF, (last.seq, last.hash)))


def _inserts(entries: tuple[Entry, ...]) -> Iterator[Statement]:
    """Yield statements of bounded size that insert the entries."""
    if len(entries) == 1:  # by far the most; arrays would cost it a tenth
        (entry,) = entries
        yield _INSERT_ONE, (entry.seq, entry.task, entry.type, entry.bytes)
        return
    for first in range(0, len(entries), INSERT_CHUNK_ROWS):
        chunk = entries[first : first + INSERT_CHUNK_ROWS]
        rows = ((entry.seq, entry.task, entry.type, entry.bytes) for entry in chunk)
        yield _INSERT, [list(column) for column in zip(*rows, strict=True)]


def _changes(rows: Sequence[Projection], size: int) -> Iterator[Statement]:
    for kind, key, body in rows:
        yield (_FORGET, (kind, key)) if body is None else (_UPSERT, (kind, key, size, body))
