"""Writing transactions: alone among all writers, and done once even if the server goes away in the middle.

1. One round trip begins the transaction, locks the head row and reads what the decision needs. Every writer
   locks that row first, so they queue there, and what is read behind it is the latest.
2. The decision is made here, in Python.
3. One round trip sends what it says, and the commit.

A connection that is lost in 1 or 2 has written nothing. One that is lost in 3 leaves the outcome unknown.
Then the head row is locked again, by which time the server has ended the old transaction, and two things are
asked: did that transaction commit, and is there what it wrote? Both, because a crashed server may give the
number of an unfinished transaction out again, and because somebody else may write the same bytes. Only if it
did not is the whole transaction done again, from the reading on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from phasegate.ledger.errors import LedgerError, StoreCorrupt
from phasegate.ledger.merkle import HASH_BYTES, Frontier
from phasegate.ledger.postgres_driver import Connection, Rows, answered, psycopg, refusals, translate
from phasegate.ledger.postgres_link import Link

if TYPE_CHECKING:
    from phasegate.ledger.chain import Head

Statement: TypeAlias = "tuple[str, Sequence[object]]"
Result = TypeVar("Result")

# The clock is read outside the subquery, which is to say after the lock was waited for.
_BEGIN: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    (
        "SELECT size, hash, at, clock_ms, nodes, pg_current_xact_id()::text, "
        "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint "
        "FROM (SELECT size, hash, at, clock_ms, nodes FROM head FOR UPDATE) AS locked"
    ),
)
_STATUS: Final = b"SELECT pg_xact_status(%s::text::xid8)"


class Moment(NamedTuple):
    """What a transaction sees.

    Attributes:
        head: The chain's end.
        clock_ms: The latest time by which leases were judged.
        frontier: The tree's edge.
        server_ms: The server's time.
        rows: Of each reading statement, in order.
        connection: For further reading, in the transaction.
    """

    head: Head
    clock_ms: int
    frontier: Frontier
    server_ms: int
    rows: list[Rows]
    connection: Connection


class Plan(NamedTuple, Generic[Result]):
    """What a transaction does.

    Attributes:
        result: What it answers.
        writes: Its statements; without any it is rolled back.
        proof: A statement that has a row if and only if the writes are there; None if they may be repeated.
        refusal: What is raised once they are committed.
    """

    result: Result
    writes: Sequence[Statement] = ()
    proof: Statement | None = None
    refusal: LedgerError | None = None

    def answer(self) -> Result:
        """Return the result, or raise the refusal, of a transaction that is over."""
        if self.refusal is not None:
            raise self.refusal
        return self.result


class _Unsettled(Exception, Generic[Result]):
    """The connection was lost with the commit under way."""

    def __init__(self, plan: Plan[Result], transaction: str, cause: psycopg.Error) -> None:
        super().__init__()
        self.plan = plan
        self.transaction = transaction
        self.cause = cause


def transact(link: Link, reads: Sequence[Statement], decide: Callable[[Moment], Plan[Result]]) -> Result:
    """Do a transaction, once.

    Args:
        link: The connection for writing.
        reads: Statements whose rows the decision needs.
        decide: Makes the decision; asked again if the server went away before anything was written.

    Raises:
        LedgerError: Whatever ``decide`` raises; nothing was written.
        StoreError: The store could not do it. Of a `StoreFailed` the message says whether it may have.
    """
    with link.using:
        patience = link.patience()
        unsettled: _Unsettled[Result] | None = None
        while True:
            try:
                if unsettled is not None and _stands(link, unsettled):
                    return unsettled.plan.answer()
                unsettled = None
                return _attempt(link, reads, decide)
            except _Unsettled as found:
                unsettled = found
                patience.wait(found.cause, _UNKNOWN)
            except psycopg.Error as error:
                if not link.lost(error) and unsettled is None:
                    raise translate(error, link.place) from None
                # Even a refusal must not be told for what it is while an earlier commit is unsettled.
                patience.wait(error, _NOTHING if unsettled is None else _UNKNOWN)


_NOTHING: Final = "nothing was written; try again when it is back"
_UNKNOWN: Final = (
    "whether the last write was committed is not known; when it is back, read the ledger's end before you "
    "write again"
)


def _attempt(link: Link, reads: Sequence[Statement], decide: Callable[[Moment], Plan[Result]]) -> Result:
    connection = link.connection()
    try:
        moment, transaction = _begin(connection, reads)
        plan = decide(moment)
        if plan.writes:
            _finish(link, plan, transaction)
        else:
            connection.rollback()
    except (psycopg.Error, LedgerError):
        link.roll_back()
        raise
    except BaseException:
        # Whatever it was, a pipeline may have been left half-read: this connection is worth nothing now.
        link.drop()
        raise
    return plan.answer()


def _begin(connection: Connection, reads: Sequence[Statement]) -> tuple[Moment, str]:
    """Begin a transaction that holds the head row; return what it sees and its number.

    All statements go as one query, each with a snapshot of its own. A pipeline would be as quick, but the
    driver ends one with a request to flush, which makes the server forget how long it may wait for us in
    the middle of a transaction: a writer that is stopped there would hold up all others without limit.
    """
    cursor = psycopg.ClientCursor(connection)
    texts = [*_BEGIN, *(sql for sql, _ in reads)]
    cursor.execute("; ".join(texts).encode(), [value for _, values in reads for value in values])
    cursor.nextset()
    locked = cursor.fetchall()
    rows = [cursor.fetchall() for _ in reads if cursor.nextset()]
    if not locked:
        raise StoreCorrupt("the head row is missing; run `engine ledger verify` and restore a good copy")
    *state, transaction, server_ms = locked[0]
    end, clock_ms, frontier = read_state(state)
    return Moment(end, clock_ms, frontier, server_ms, rows, connection), transaction


def read_state(row: Sequence[Any]) -> tuple[Head, int, Frontier]:
    """Return end, clock and frontier of a head row (size, hash, at, clock_ms, nodes).

    Raises:
        StoreCorrupt: The nodes are not those of a tree of that size.
    """
    from phasegate.ledger.chain import Head  # noqa: PLC0415 - chain knows the store port, which knows it

    size, digest, at, clock_ms, nodes = row
    if size < 0 or len(nodes) != size.bit_count() * HASH_BYTES:
        raise StoreCorrupt(f"the frontier is not that of a tree of {size}; run `engine ledger verify`")
    hashes = tuple(nodes[at_ : at_ + HASH_BYTES] for at_ in range(0, len(nodes), HASH_BYTES))
    return Head(size, digest, at), clock_ms, Frontier(size, hashes)


def _finish(link: Link, plan: Plan[Result], transaction: str) -> None:
    connection = link.connection()
    try:
        with connection.pipeline():
            for sql, values in plan.writes:
                connection.execute(sql.encode(), values)
            connection.execute(b"COMMIT")
    except psycopg.Error as error:
        if error.sqlstate is not None and answered(error):
            raise  # a statement was refused, and with it all behind it: the commit as well
        link.drop()
        raise _Unsettled(plan, transaction, error) from None


def _stands(link: Link, unsettled: _Unsettled[Result]) -> bool:
    """Tell whether a transaction of unknown outcome was committed."""
    if unsettled.plan.proof is None:
        return False
    connection = link.connection()
    sql, values = unsettled.plan.proof
    try:
        # Behind the lock: whatever the old transaction was to become, it is over.
        _begin(connection, ())
        there = connection.execute(sql.encode(), values, binary=True).fetchall()
        return bool(there) and _committed(connection, unsettled.transaction)
    finally:
        link.roll_back()


def _committed(connection: Connection, transaction: str) -> bool:
    try:
        rows = connection.execute(_STATUS, (transaction,)).fetchall()
    except refusals.InvalidParameterValue:
        return False  # a number that this server has not given out: it crashed before it was written down
    # None: so long ago that the server has forgotten; then what is there decides.
    return rows[0][0] in {"committed", None}
