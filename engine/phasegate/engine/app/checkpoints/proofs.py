"""Roots and proofs of a ledger, from the tree that its store keeps."""

from __future__ import annotations

from typing import Any, NamedTuple

from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.errors import ProofError
from phasegate.ledger.merkle import (
    EMPTY_ROOT,
    check_consistency,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    range_root,
)
from phasegate.ledger.store import Store
from phasegate.ledger.tree import subtree_of


class Proof(NamedTuple):
    """A proof with what it is checked against.

    Attributes:
        root: root of the tree of `size` entries.
        hashes: the steps.
        old: size that is proven to be the beginning; 0 in a proof of inclusion.
        old_root: root at that size; empty in a proof of inclusion.
        seq: entry that is proven to be in the tree; 0 in a proof of consistency.
        leaf: hash of that entry as a leaf; empty in a proof of consistency.
    """

    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    old: int = 0
    old_root: bytes = b""
    seq: int = 0
    leaf: bytes = b""

    def json(self) -> dict[str, Any]:
        """As plain data; hashes in hex."""
        named: dict[str, Any] = (
            {"seq": self.seq, "leaf": self.leaf.hex()} if self.seq else {"old_size": self.old}
        )
        if not self.seq:
            named["old_root"] = self.old_root.hex()
        hashes = [step.hex() for step in self.hashes]
        return {**named, "size": self.size, "root": self.root.hex(), "hashes": hashes}


def root_at(store: Store, size: int) -> bytes:
    """The root over the first entries of a ledger; raises ProofError when hashes are missing."""
    return range_root(0, size, subtree_of(size, store)) if size else EMPTY_ROOT


def consistency(store: Store, old: int, new: int | None = None) -> Proof:
    """Prove that the ledger at one size is the beginning of it at another, by default as it is now.

    Raises:
        BadInput: there are no such sizes.
    """
    size = _size(store, new)
    try:
        hashes = consistency_proof(old, size, subtree_of(size, store))
    except ProofError as error:
        raise BadInput(str(error), "give sizes from 1 up to that of the ledger") from error
    return Proof(size, root_at(store, size), hashes, old=old, old_root=root_at(store, old))


def inclusion(store: Store, seq: int, size: int | None = None) -> Proof:
    """Prove that an entry is in the ledger at a size, by default as it is now.

    Raises:
        BadInput: there is no such entry at that size.
    """
    whole = _size(store, size)
    entry = store.get(seq) if 1 <= seq <= whole else None
    if entry is None:
        raise BadInput(f"there is no entry {seq} among {whole}", "see `engine ledger show`")
    hashes = inclusion_proof(seq - 1, whole, subtree_of(whole, store))
    return Proof(whole, root_at(store, whole), hashes, seq=seq, leaf=leaf_hash(entry.bytes))


def check_begins(store: Store, held: Checkpoint, where: str) -> None:
    """Check that the ledger, as it is, begins with a checkpoint that somebody holds.

    Raises:
        IntegrityError: it does not: it was cut, put back or rewritten, or has forked.
    """
    now = store.frontier()
    remedy = "restore the ledger from a backup, and compare both with what others hold"
    if held.size > now.size:
        text = f"{where} holds a checkpoint of {held.size} entries, and the ledger has {now.size}"
        raise IntegrityError(f"{text}: it was cut or put back to an earlier state", remedy)
    if held.size == 0:
        return
    try:
        proof = consistency_proof(held.size, now.size, subtree_of(now.size, store))
        check_consistency(held.size, held.root, now.size, now.root(), proof)
    except ProofError as error:
        text = f"{where} holds a checkpoint of {held.size} entries with which the ledger does not begin"
        raise IntegrityError(f"{text}: {error}", remedy) from error


def _size(store: Store, wanted: int | None) -> int:
    whole = store.frontier().size
    if wanted is None:
        return whole
    if not 1 <= wanted <= whole:
        raise BadInput(f"the ledger has {whole} entries, not {wanted}", "give a size from 1 up to that")
    return wanted
