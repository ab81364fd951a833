"""The proofs of single entries that lie in an export, checked against the entries themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from phasegate.ledger.errors import ProofError
from phasegate.ledger.merkle import check_inclusion, leaf_hash
from phasegate.ledger.offline.found import Found
from phasegate.ledger.offline.inventory import proof_path, read_file
from phasegate.ledger.offline.ledger_keys import follow_keys
from phasegate.ledger.offline.signed import Signed, check_content, check_keys, check_witnesses, read_signed
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.tlog_proof import MAX_PROOF_BYTES, TlogProof, parse_proof
from phasegate.ledger.verify import Verification

CHECKPOINTS_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of all different checkpoints in the proofs of one export, which are kept while it is read."""


class Proofs:
    """All proofs of an export.

    Args:
        root: The export's folder.
        indexes: The leaves that have a proof.

    Attributes:
        sizes: The sizes of the checkpoints in them.

    Raises:
        Found: ``bad_proof`` or ``bad_checkpoint``: one cannot be read.
    """

    def __init__(self, root: Path, indexes: Sequence[int]) -> None:
        # Proofs of one export share one checkpoint; it is read and checked once.
        self._signed: dict[bytes, Signed] = {}
        self._bytes = 0
        self._leaves: dict[int, bytes] = {}
        self._proofs = {index: self._read(root, index) for index in indexes}
        self.sizes = {signed.checkpoint.size for signed in self._signed.values()}

    def watch(self, datas: Iterable[bytes]) -> Iterator[bytes]:
        """Yield entries as they come, noting the leaves that have a proof."""
        if not self._proofs:
            yield from datas
            return
        for index, data in enumerate(datas):
            if index in self._proofs:
                self._leaves[index] = leaf_hash(data)
            yield data

    def check(self, chain: Verification, terms: Terms) -> None:
        """Check all proofs, once the entries were watched and found good.

        Raises:
            Found: ``bad_proof``, or what a checkpoint in one is refused for.
        """
        keys = follow_keys(chain, terms.keys)
        for signed in self._signed.values():
            check_content(signed, chain)
            check_keys(signed, keys)
            if terms.witnesses:
                check_witnesses(signed, terms.witnesses, terms.quorum)
        for index, proof in self._proofs.items():
            checkpoint = self._signed[proof.checkpoint].checkpoint
            name = proof_path(index)
            if proof.leaf != index:
                raise Found("bad_proof", f"`{name}` is about leaf {proof.leaf}, not {index}", index + 1)
            leaf = self._leaves.get(index, b"")
            try:
                check_inclusion(leaf, index, checkpoint.size, proof.hashes, checkpoint.root)
            except ProofError as error:
                raise Found("bad_proof", f"`{name}`: {error}", index + 1) from None

    def _read(self, root: Path, index: int) -> TlogProof:
        name = proof_path(index)
        try:
            proof = parse_proof(read_file(root, name, MAX_PROOF_BYTES))
        except ProofError as error:
            raise Found("bad_proof", f"`{name}`: {error}", index + 1) from None
        if proof.checkpoint not in self._signed:
            self._bytes += len(proof.checkpoint)
            if self._bytes > CHECKPOINTS_BYTES_MAX:
                raise Found("bad_proof", "the proofs hold too many different checkpoints; take some out")
            self._signed[proof.checkpoint] = read_signed(proof.checkpoint, f"the checkpoint in `{name}`")
        return proof
