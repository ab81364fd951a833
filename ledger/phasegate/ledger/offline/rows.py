"""Entries that stand alone, as the rows that `verify_chain` takes, with the tree over them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import orjson

from phasegate.ledger.rotation import ROTATED
from phasegate.ledger.tree_walk import TreeWalk
from phasegate.ledger.verify import Verification, verify_chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phasegate.ledger.tree_walk import OnTile
    from phasegate.ledger.verify import StoredRow


def verify_entries(
    datas: Iterable[bytes],
    *,
    ledger: str | None = None,
    known: Mapping[int, str] | None = None,
    sizes: Collection[int] = (),
    on_tile: OnTile | None = None,
) -> tuple[Verification, TreeWalk]:
    """Verify the chain of entries that have no columns beside them, and compute the tree over them.

    Args:
        datas: The bytes of the entries, in order.
        ledger: The id they must carry; by default the first one's.
        known: Hashes noted earlier, by sequence number.
        sizes: Sizes at which the tree's root is wanted.
        on_tile: Told of each full tile.

    Returns:
        The verification, with its roots and the rotations of keys, and the walk, which has seen at least
        what was found good.
    """
    walk = TreeWalk(on_tile, sizes)
    chain = verify_chain(walk.watch(rows_of(datas)), ledger=ledger, known=known, keep=ROTATED)
    if chain.ok:
        chain = chain._replace(root=walk.root(), roots=tuple(walk.roots.items()))
    return chain, walk


def rows_of(datas: Iterable[bytes]) -> Iterator[StoredRow]:
    """Yield each entry with its place, and the task and type its own bytes name.

    What cannot be read gets empty columns: its bytes are refused before those are looked at.
    """
    for place, data in enumerate(datas, 1):
        try:
            value = orjson.loads(data)
        except ValueError:
            value = None
        if type(value) is dict:
            yield place, value.get("task"), value.get("type"), data
        else:
            yield place, "", "", data
