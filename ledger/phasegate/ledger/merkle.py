"""The Merkle tree over a ledger's entries, as RFC 6962 section 2.1 (and RFC 9162) define it.

Everything here is pure: hashes in, hashes out. A tree is known by its **frontier**, the roots of the
perfect subtrees of which it consists, largest first; one frontier row in the store is enough to append.
Proofs need hashes of older subtrees: they come from a function that the caller passes in, so that a
store may keep full tiles and an auditor may compute them from leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from phasegate.ledger.errors import ProofError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

Subtree: TypeAlias = Callable[[int, int], bytes]
"""``subtree(level, index)``: root over the ``1 << level`` leaves from ``index << level`` on."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: the bytes of an entry behind a zero byte."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two children."""
    return sha256(b"\x01" + left + right).digest()


class Frontier(NamedTuple):
    """A tree's size and the roots of its perfect subtrees, largest (leftmost) first."""

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def extended(self, leaves: Iterable[bytes]) -> Frontier:
        """Return the frontier after more leaf hashes."""
        waiting, kept = list(self.nodes), list[bytes]()
        hashes = list(leaves)
        first, size = self.size, self.size + len(hashes)
        while hashes:
            row = [waiting.pop(), *hashes] if first & 1 else hashes
            if len(row) & 1:
                kept.append(row[-1])
            pairs = iter(row)
            hashes = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(pairs, pairs)  # noqa: B905 - pairs
            ]
            first >>= 1
        return Frontier(size, (*waiting, *reversed(kept)))

    def root(self) -> bytes:
        """Return the tree's root, 32 bytes."""
        if not self.nodes:
            return EMPTY_ROOT
        *rest, root = self.nodes
        for node in reversed(rest):
            root = node_hash(node, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    return Frontier().extended(leaves).root()


def inclusion_proof(index: int, size: int, subtree: Subtree) -> tuple[bytes, ...]:
    """Return the audit path of a leaf in the tree of a size, from the leaf upward.

    Raises:
        ProofError: There is no such leaf in a tree of that size.
    """
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}; name one below the size")
    return tuple(_path(index, 0, size, subtree))


def consistency_proof(old: int, new: int, subtree: Subtree) -> tuple[bytes, ...]:
    """Return the proof that the tree of size ``old`` is the beginning of the tree of size ``new``.

    Raises:
        ProofError: ``old`` is not between 1 and ``new``: every tree extends the empty one, unproven.
    """
    if not 1 <= old <= new:
        raise ProofError(f"no proof leads from size {old} to size {new}; the old size is 1 to the new one")
    return () if old == new else tuple(_growth(old, 0, new, subtree, whole=True))


def range_root(first: int, last: int, subtree: Subtree) -> bytes:
    """Return the root over leaves ``first`` to ``last`` (exclusive), cut as RFC 6962 cuts trees."""
    count = last - first
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return subtree(level, first >> level)
    middle = first + _split(count)
    return node_hash(range_root(first, middle, subtree), range_root(middle, last, subtree))


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash is at an index of the tree with that size and root (RFC 9162, 2.1.3.2).

    Raises:
        ProofError: It is not, or the proof is malformed.
    """
    if not 0 <= index < size:
        raise ProofError(f"there is no leaf {index} in a tree of {size}")
    _check_hashes((leaf, root, *proof))
    found = leaf
    for step, is_left in _sides(index, size - 1, proof):
        found = node_hash(step, found) if is_left else node_hash(found, step)
    if found != root:
        raise ProofError(f"leaf {index} is not in the tree: the proof leads to another root")


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that one tree is the beginning of another (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: It is not, or the proof is malformed.
    """
    _check_hashes((old_root, new_root, *proof))
    if not 1 <= old <= new:
        raise ProofError(f"no proof leads from size {old} to size {new}")
    if old == new:
        _check_equal(old, old_root, new_root, proof)
        return
    # A perfect old tree is itself the first step, which proofs leave out.
    first, *steps = [old_root, *proof] if old & (old - 1) == 0 else proof or [b""]
    before = after = first
    for step, is_left in _sides(*_strip(old - 1, new - 1), steps):
        if is_left:
            before, after = node_hash(step, before), node_hash(step, after)
        else:
            after = node_hash(after, step)
    if before != old_root:
        raise ProofError(
            f"the tree of size {new} does not begin with the tree of size {old}: it was rewritten"
        )
    if after != new_root:
        raise ProofError(f"the proof does not lead to the root at size {new}")


def _check_equal(size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofError("a proof between equal sizes has no steps")
    if old_root != new_root:
        raise ProofError(f"two different trees claim the size {size}")


def _sides(place: int, last: int, steps: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each step of a proof with whether it stands to the left, from the leaf upward."""
    for step in steps:
        if last == 0:
            raise ProofError("the proof is too long")
        is_left = bool(place & 1) or place == last
        yield step, is_left
        while is_left and place and not place & 1:
            place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")


def _strip(place: int, last: int) -> tuple[int, int]:
    while place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _path(index: int, first: int, last: int, subtree: Subtree) -> list[bytes]:
    if last - first == 1:
        return []
    middle = first + _split(last - first)
    if index < middle:
        return [*_path(index, first, middle, subtree), range_root(middle, last, subtree)]
    return [*_path(index, middle, last, subtree), range_root(first, middle, subtree)]


def _growth(old: int, first: int, last: int, subtree: Subtree, *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 for the leaves before ``old`` within ``first`` to ``last``."""
    if old == last:
        return [] if whole else [range_root(first, last, subtree)]
    middle = first + _split(last - first)
    if old <= middle:
        return [*_growth(old, first, middle, subtree, whole=whole), range_root(middle, last, subtree)]
    return [*_growth(old, middle, last, subtree, whole=False), range_root(first, middle, subtree)]


def _split(count: int) -> int:
    """The largest power of two below a count of at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(type(value) is not bytes or len(value) != HASH_BYTES for value in hashes):
        raise ProofError(f"a hash of a proof is not {HASH_BYTES} bytes")
