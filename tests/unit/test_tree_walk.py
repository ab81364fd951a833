"""The tree computed by walking full tiles, against the definition and against the tiles a store writes."""

import pytest

from phasegate.ledger.errors import RowUnreadable
from phasegate.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash
from phasegate.ledger.tree_walk import TreeWalk

DATA = [b"entry %d" % number for number in range(1000)]


def walked(datas, on_tile=None):
    walk = TreeWalk(on_tile)
    for start in range(0, len(datas), 256):
        walk.take(datas[start : start + 256])
    return walk


@pytest.mark.parametrize("size", [*range(131), 255, 256, 257, 511, 512, 513, 767, 1000])
def test_given_any_size_then_both_ways_lead_to_one_root(size):
    walk = walked(DATA[:size])
    assert walk.root() == Frontier().extended(map(leaf_hash, DATA[:size])).root()
    assert walk.size == size


def test_given_two_levels_then_both_ways_lead_to_one_root_and_the_tiles_add_up():
    tiles = []
    datas = [b"%d" % number for number in range(65_536 + 256 + 3)]
    walk = walked(datas, tiles.append)
    assert walk.root() == Frontier().extended(map(leaf_hash, datas)).root()
    assert [tile.number for tile in tiles if tile.level == 0] == list(range(257))
    (above,) = (tile for tile in tiles if tile.level == 1)
    assert above.hashes == b"".join(tile.root for tile in tiles[:256])


def test_given_rows_then_they_pass_through_as_they_are():
    rows = [(number, "T", "kind", data) for number, data in enumerate(DATA, 1)]
    walk = TreeWalk()
    assert list(walk.watch(iter(rows))) == rows
    assert walk.root() == walked(DATA).root()


@pytest.mark.parametrize("good", [0, 1, 99, 100, 255, 256, 257, 600])
def test_given_a_row_that_cannot_be_read_then_those_before_it_pass_through_and_are_taken(good):
    rows = [(number, "T", "kind", data) for number, data in enumerate(DATA[:good], 1)]

    def source():
        yield from rows
        raise RowUnreadable("the disk is gone")

    walk, passed = TreeWalk(sizes=(100,)), []
    with pytest.raises(RowUnreadable):
        passed.extend(walk.watch(source()))
    assert passed == rows
    assert walk.root() == walked(DATA[:good]).root()


def test_given_nothing_then_the_root_is_that_of_the_empty_tree():
    assert TreeWalk().root() == EMPTY_ROOT


def test_given_a_row_without_bytes_then_the_walk_goes_on_and_the_root_is_another():
    rows = [(1, "T", "kind", "text"), (2, "T", "kind", b"entry 1")]
    walk = TreeWalk()
    assert list(walk.watch(rows)) == rows
    assert walk.root() != walked(DATA[:2]).root()
