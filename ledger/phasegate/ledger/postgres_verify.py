"""Verification of a ledger on PostgreSQL: chain and tree from the rows, and the schema around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phasegate.ledger.chain import Head
from phasegate.ledger.entry import ZERO_HASH
from phasegate.ledger.errors import RowUnreadable, StoreCorrupt
from phasegate.ledger.postgres_driver import connect, psycopg, refusals, translate
from phasegate.ledger.postgres_place import locate
from phasegate.ledger.postgres_schema import (
    ALLOWED,
    applied_migrations,
    check_schema,
    only_ledger,
    shipped_lines,
    shipped_migrations,
    stored_lines,
    stored_privileges,
)
from phasegate.ledger.postgres_transact import read_state
from phasegate.ledger.tree_check import TileCheck, tree_problem
from phasegate.ledger.tree_walk import TreeWalk
from phasegate.ledger.verify import NOT_RULED_OUT, Problem, Verification, verify_chain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from phasegate.ledger.postgres_driver import Connection, Rows
    from phasegate.ledger.postgres_place import Place
    from phasegate.ledger.verify import StoredRow

READ_ROWS: Final = 2_000
TILE_ROWS: Final = 64

# One snapshot for all of it; nothing that is done meanwhile is seen, and nobody waits.
_BEGIN: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_STATE: Final = b"SELECT size, hash, at, clock_ms, nodes FROM head"
_ROWS: Final = b"SELECT seq, task, type, bytes FROM entries ORDER BY seq"
_TILES: Final = b"SELECT level, number, root, hashes FROM tiles ORDER BY level, number"
_NOTHING: Final = Head(0, ZERO_HASH, "")
_UNREADABLE: Final = (
    refusals.DataCorrupted,
    refusals.IndexCorrupted,
    refusals.InternalError_,
    UnicodeDecodeError,
)


def verify_postgres(
    dsn: str,
    ledger: str | None = None,
    *,
    schema: str | None = None,
    sizes: Collection[int] = (),
    keep: str | None = None,
) -> Verification:
    """Verify a ledger, read-only, in one snapshot; writers may go on meanwhile.

    Beyond the codes of `verify_chain`: ``head_mismatch`` and ``truncated`` (against the recorded head),
    ``tree_mismatch`` and ``tile_mismatch`` (the tree kept beside the chain is not that of the entries),
    ``schema_changed`` (a table, index, constraint, trigger, function, rule or policy is missing, altered,
    disabled or foreign), ``privileges_changed`` (somebody other than the owner may do more than append and
    read, or owns a part), ``store_corrupt`` (the database cannot read what it stores).

    The recorded head shows careless edits of the end; the owner and superusers can write it too, so
    truncation stays among what is not ruled out. Indexes are used where the server likes, not compared with
    their tables: `pg_amcheck` does that.

    Args:
        dsn: Server and database; see `locate`.
        ledger: The id it must have; by default that of the only one there, or of the schema's.
        schema: Its schema, where that is not named after the id.
        sizes: Sizes at which the tree's root is wanted, such as those of checkpoints.
        keep: Type of entries whose bytes are to be returned.

    Raises:
        StoreMissing: There is no such ledger.
        UnsupportedSchema: Another release or a migration is needed.
        StoreError: The server cannot be reached, was lost, or refuses to let this user read.
    """
    place = locate(dsn, ledger, schema)
    if not place.schema:
        place = place.within(only_ledger(place))
    try:
        connection = connect(place, readonly=True)
        try:
            connection.execute(_BEGIN)
            return _verify(connection, place, sizes, keep)
        finally:
            connection.close()
    except StoreCorrupt as error:
        return _failed(0, _NOTHING, Problem(None, "store_corrupt", str(error).lower()))
    except psycopg.Error as error:
        found = translate(error, place)
        if isinstance(found, StoreCorrupt):
            return _failed(0, _NOTHING, Problem(None, "store_corrupt", str(found).lower()))
        raise found from None


def _verify(connection: Connection, place: Place, sizes: Collection[int], keep: str | None) -> Verification:
    def query(text: str, values: tuple[object, ...]) -> Rows:
        return connection.execute(text.encode(), values).fetchall()

    recorded_ledger, _ = check_schema(query, place)
    recorded, _, frontier = read_state(connection.execute(_STATE, binary=True).fetchall()[0])
    tiles = TileCheck()
    tree = TreeWalk(tiles.note, sizes)
    chain = verify_chain(
        tree.watch(_rows(connection)),
        ledger=place.ledger or recorded_ledger,
        known={recorded.size: recorded.hash},
        keep=keep,
    )
    if not chain.ok:
        return chain
    problem = (
        _head_problem(chain.head, recorded)
        or tree_problem(tree, frontier)
        or tiles.problem(_tiles(connection))
        or next(surrounding_problems(connection, place.schema), None)
    )
    if problem is not None:
        return _failed(chain.entries, chain.head, problem)
    return chain._replace(root=tree.root(), roots=tuple(tree.roots.items()))


def _rows(connection: Connection) -> Iterator[StoredRow]:
    try:
        with connection.cursor("entries", binary=True) as cursor:
            cursor.itersize = READ_ROWS
            yield from cursor.execute(_ROWS)
    except _UNREADABLE as error:
        message = " ".join(str(error).split()).lower()
        raise RowUnreadable(f"the row cannot be read ({message}); restore a good copy") from None


def _head_problem(head: Head, recorded: Head) -> Problem | None:
    if head.size == recorded.size:
        return None
    message = f"entry {recorded.size + 1} is beyond the recorded head; something else added it"
    return Problem(recorded.size + 1, "head_mismatch", message)


def _tiles(connection: Connection) -> Iterator[tuple[int, int, bytes, bytes]]:
    with connection.cursor("tiles", binary=True) as cursor:
        cursor.itersize = TILE_ROWS
        yield from cursor.execute(_TILES)


def surrounding_problems(connection: Connection, schema: str) -> Iterator[Problem]:
    """Yield all that is wrong around the rows: of the schema first, then of rights.

    Args:
        connection: To the ledger's database.
        schema: The ledger's schema.
    """
    stored, shipped = stored_lines(connection, schema), shipped_lines()
    unguarded = "what was written since is unguarded, restore a copy"
    for lines, what in ((shipped - stored, "missing or altered"), (stored - shipped, "altered or foreign")):
        for line in sorted(lines):
            yield Problem(None, "schema_changed", f"{what}: `{line}`; {unguarded}")
    if applied_migrations(connection) != shipped_migrations():
        message = f"other migrations were applied than were shipped; {unguarded}"
        yield Problem(None, "schema_changed", message)
    for name, column, right in sorted(stored_privileges(connection, schema) - ALLOWED):
        target = f"{name}.{column}" if column else name
        message = f"`{right}` on `{target}` is not the owner's alone"
        remedy = "revoke it, and restore a copy if it was used"
        yield Problem(None, "privileges_changed", f"{message}; {remedy}")


def _failed(entries: int, head: Head, problem: Problem) -> Verification:
    return Verification(ok=False, entries=entries, head=head, problem=problem, not_ruled_out=NOT_RULED_OUT)
