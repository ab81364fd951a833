"""Tiles of a growing tree, and proofs from them, against the tree computed from all its leaves."""

from hashlib import sha256

import pytest

from phasegate.ledger.errors import ProofError
from phasegate.ledger.merkle import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
)
from phasegate.ledger.tree import Tile, filled, subtree_of

LEAVES = [leaf_hash(b"%d" % number) for number in range(1500)]
MANY = [sha256(b"%d" % number).digest() for number in range(65_536 + 300)]


class Kept:
    """Leaves and full tiles as a store keeps them."""

    def __init__(self) -> None:
        self.known: list[bytes] = []
        self.tiles: dict[tuple[int, int], Tile] = {}
        self.frontier = Frontier()

    def tile(self, level: int, number: int) -> Tile | None:
        return self.tiles.get((level, number))

    def leaves(self, first: int, last: int) -> list[bytes]:
        return self.known[first:last]

    def grow(self, leaves: list[bytes]) -> None:
        self.known += leaves
        old, self.frontier = self.frontier.size, self.frontier.extended(leaves)
        for tile in filled(old, self.frontier.size, self):
            assert (tile.level, tile.number) not in self.tiles
            self.tiles[tile.level, tile.number] = tile


@pytest.mark.parametrize("step", [1, 3, 255, 256, 257, 1000])
def test_given_leaves_in_any_portions_then_the_full_tiles_are_the_same(step):
    kept = Kept()
    for start in range(0, len(LEAVES), step):
        kept.grow(LEAVES[start : start + step])
    assert sorted(kept.tiles) == [(0, number) for number in range(len(LEAVES) // 256)]
    for (_, number), tile in kept.tiles.items():
        hashes = LEAVES[number * 256 : (number + 1) * 256]
        assert tile == Tile(0, number, root_of(hashes), b"".join(hashes))


@pytest.mark.parametrize("cut", [0, 1, 65_535, 65_536, 65_700])
def test_given_a_second_level_then_its_tile_holds_the_roots_of_the_first(cut):
    kept = Kept()
    for portion in (MANY[:cut], MANY[cut:]):
        kept.grow(portion)
    tile = kept.tiles[1, 0]
    assert tile.hashes == b"".join(kept.tiles[0, number].root for number in range(256))
    assert tile.root == root_of(MANY[:65_536])
    assert len(kept.tiles) == 257 + 1


def test_given_a_tree_with_tiles_then_every_proof_holds_at_every_size():
    kept = Kept()
    kept.grow(LEAVES)
    for size in (1, 2, 255, 256, 257, 511, 512, 700, 1024, 1500):
        root, subtree = root_of(LEAVES[:size]), subtree_of(size, kept)
        for index in {0, 1, size // 2, 255, 256, size - 1}:
            if index < size:
                check_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, subtree), root)
        for old in (1, 200, 256, 300, size):
            if old <= size:
                proof = consistency_proof(old, size, subtree)
                check_consistency(old, root_of(LEAVES[:old]), size, root, proof)


def test_given_a_hash_that_is_missing_then_no_proof_is_made_of_the_rest():
    kept = Kept()
    kept.grow(MANY)
    del kept.tiles[0, 7], kept.tiles[1, 0]
    kept.known = kept.known[:100]
    with pytest.raises(ProofError, match="lacks"):
        inclusion_proof(len(MANY) - 1, len(MANY), subtree_of(len(MANY), kept))


def test_given_more_than_there_is_then_no_subtree_is_given():
    kept = Kept()
    kept.grow(LEAVES)
    with pytest.raises(ProofError, match="no subtree"):
        subtree_of(1000, kept)(8, 3)
