"""The Merkle tree against RFC 6962's own vectors, and exhaustively for small sizes against its definition."""

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

# Leaves and roots of the reference implementation of Certificate Transparency (RFC 6962).
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
# Audit paths and consistency proofs of the same tree, from RFC 6962 section 2.1.3's scheme.
INCLUSION = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}
CONSISTENCY = {
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}
SIZES = 131


def defined_root(leaves):
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


DATA = [f"leaf {number}".encode() for number in range(SIZES)]
EVERY_ROOT = [defined_root(DATA[:size]) for size in range(SIZES)]


def subtree(level, index):
    return root_of(map(leaf_hash, DATA[index << level : (index + 1) << level]))


def flipped(value):
    return value[:-1] + bytes([value[-1] ^ 1])


@pytest.mark.parametrize("size", range(9))
def test_given_the_reference_leaves_then_the_roots_are_the_reference_roots(size):
    assert root_of(map(leaf_hash, LEAVES[:size])).hex() == ROOTS[size]


def reference_subtree(level, index):
    return root_of(map(leaf_hash, LEAVES[index << level : (index + 1) << level]))


@pytest.mark.parametrize(("place", "path"), INCLUSION.items())
def test_given_the_reference_leaves_then_the_audit_paths_are_the_reference_paths(place, path):
    assert tuple(step.hex() for step in inclusion_proof(*place, reference_subtree)) == path


@pytest.mark.parametrize(("sizes", "path"), CONSISTENCY.items())
def test_given_the_reference_leaves_then_the_consistency_proofs_are_the_reference_ones(sizes, path):
    assert tuple(step.hex() for step in consistency_proof(*sizes, reference_subtree)) == path


def test_given_any_size_then_the_frontier_has_the_root_of_the_definition():
    frontier = Frontier()
    for size in range(SIZES):
        assert frontier.root() == EVERY_ROOT[size]
        assert len(frontier.nodes) == size.bit_count()
        if size < SIZES - 1:
            frontier = frontier.extended([leaf_hash(DATA[size])])


def test_given_leaves_one_by_one_or_at_once_then_the_frontier_is_the_same():
    leaves = list(map(leaf_hash, DATA))
    for cut in range(SIZES):
        assert Frontier().extended(leaves[:cut]).extended(leaves[cut:]) == Frontier().extended(leaves)


def test_given_every_leaf_of_every_size_then_its_proof_holds_and_no_other_place_does():
    for size in range(1, SIZES):
        for index in range(size):
            proof = inclusion_proof(index, size, subtree)
            leaf = leaf_hash(DATA[index])
            check_inclusion(leaf, index, size, proof, EVERY_ROOT[size])
            for place in {index - 1, index + 1, size} - {index}:
                with pytest.raises(ProofError):
                    check_inclusion(leaf, place, size, proof, EVERY_ROOT[size])


def test_given_every_two_sizes_then_the_consistency_proof_holds_and_no_other_root_does():
    for new in range(1, SIZES):
        for old in range(1, new + 1):
            proof = consistency_proof(old, new, subtree)
            check_consistency(old, EVERY_ROOT[old], new, EVERY_ROOT[new], proof)
            for before, after in (
                (flipped(EVERY_ROOT[old]), EVERY_ROOT[new]),
                (EVERY_ROOT[old], flipped(EVERY_ROOT[new])),
            ):
                with pytest.raises(ProofError):
                    check_consistency(old, before, new, after, proof)


def test_given_a_changed_shortened_or_lengthened_proof_then_it_does_not_hold():
    for size in (1, 2, 3, 7, 8, 64, 130):
        for index in {0, size // 2, size - 1}:
            proof = inclusion_proof(index, size, subtree)
            bad = (
                [(*proof, proof[0] if proof else EVERY_ROOT[1]), proof[:-1]] if proof else [(EVERY_ROOT[1],)]
            )
            bad += [(*proof[:at], flipped(step), *proof[at + 1 :]) for at, step in enumerate(proof)]
            for steps in bad:
                with pytest.raises(ProofError):
                    check_inclusion(leaf_hash(DATA[index]), index, size, steps, EVERY_ROOT[size])


def test_given_two_sizes_and_a_changed_proof_then_it_does_not_hold():
    for old, new in ((1, 2), (3, 7), (4, 8), (6, 8), (64, 130), (65, 129)):
        proof = consistency_proof(old, new, subtree)
        bad = [(*proof, proof[0]), proof[:-1], ()]
        bad += [(*proof[:at], flipped(step), *proof[at + 1 :]) for at, step in enumerate(proof)]
        for steps in bad:
            with pytest.raises(ProofError):
                check_consistency(old, EVERY_ROOT[old], new, EVERY_ROOT[new], steps)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3), (9, 3)])
def test_given_no_such_leaf_then_there_is_no_proof_of_it(index, size):
    with pytest.raises(ProofError):
        inclusion_proof(index, size, subtree)
    with pytest.raises(ProofError):
        check_inclusion(EVERY_ROOT[1], index, size, (), EVERY_ROOT[1])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_given_sizes_between_which_nothing_can_be_proven_then_no_proof_is_made_or_accepted(old, new):
    with pytest.raises(ProofError):
        consistency_proof(old, new, subtree)
    with pytest.raises(ProofError):
        check_consistency(old, EVERY_ROOT[0], new, EVERY_ROOT[3], ())


def test_given_equal_sizes_then_only_equal_roots_without_a_proof_are_consistent():
    check_consistency(5, EVERY_ROOT[5], 5, EVERY_ROOT[5], ())
    with pytest.raises(ProofError, match="two different trees"):
        check_consistency(5, EVERY_ROOT[5], 5, EVERY_ROOT[6], ())
    with pytest.raises(ProofError, match="no steps"):
        check_consistency(5, EVERY_ROOT[5], 5, EVERY_ROOT[5], (EVERY_ROOT[1],))


def test_given_something_that_is_no_hash_in_a_proof_then_it_is_refused():
    proof = inclusion_proof(2, 5, subtree)
    for bad in (b"", proof[0][:-1], proof[0] + b"x", proof[0].hex()):
        with pytest.raises(ProofError):
            check_inclusion(leaf_hash(DATA[2]), 2, 5, (bad, *proof[1:]), EVERY_ROOT[5])
