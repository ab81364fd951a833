"""Reading a store for an export: in one pass, verified as it goes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from phasegate.ledger.errors import ExportMismatch
from phasegate.ledger.tree_walk import TreeWalk
from phasegate.ledger.verify import Verification, verify_chain

if TYPE_CHECKING:
    from phasegate.ledger.store import RawEntry, Store
    from phasegate.ledger.tree_walk import OnTile
    from phasegate.ledger.verify import StoredRow

BATCH_ROWS = 256


def read_verified(
    store: Store,
    take: Callable[[list[RawEntry]], None],
    *,
    sizes: Collection[int] = (),
    on_tile: OnTile | None = None,
) -> tuple[Verification, TreeWalk]:
    """Hand on all entries present now, in batches of 256, and return what verification says of them.

    What is handed on is not verified yet: nothing may be made of it before this returns.

    Args:
        store: The ledger.
        take: Told of each batch, in order; only the last one is shorter.
        sizes: Sizes at which the tree's root is wanted.
        on_tile: Told of each full tile.

    Returns:
        The verification, with root and roots, and the walk that computed them.

    Raises:
        ExportMismatch: The ledger does not hold; the code says what is wrong with it.
        StoreError: It cannot be read.
    """
    walk = TreeWalk(on_tile, sizes)
    chain = verify_chain(walk.watch(_handed(store.raw(), take)), ledger=store.ledger)
    if chain.problem is not None:
        code, message = chain.problem.code, chain.problem.message
        raise ExportMismatch(
            code, f"the ledger does not hold ({code}): {message}; run `engine ledger verify`"
        )
    return chain._replace(root=walk.root(), roots=tuple(walk.roots.items())), walk


def _handed(rows: Iterator[RawEntry], take: Callable[[list[RawEntry]], None]) -> Iterator[StoredRow]:
    while batch := list(islice(rows, BATCH_ROWS)):
        if all(type(row.bytes) is bytes for row in batch):
            take(batch)
        yield from batch
