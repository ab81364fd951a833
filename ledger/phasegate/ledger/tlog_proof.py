"""Proofs of single entries as C2SP `tlog-proof` defines them, readable without the ledger.

    c2sp.org/tlog-proof@v1
    extra BASE64               optional; nobody vouches for it
    index N                    of the leaf, from 0: the entry with sequence number N + 1
    BASE64(HASH)               the inclusion proof, from the leaf's sibling upward
    <empty line>
    CHECKPOINT                 the signed note, as it is

Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from phasegate.ledger.errors import ProofError
from phasegate.ledger.merkle import HASH_BYTES
from phasegate.ledger.notes import MAX_NOTE_BYTES

HEADER: Final = "c2sp.org/tlog-proof@v1"
PROOF_SUFFIX: Final = ".tlog-proof"
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 8192
_MAX_STEPS: Final = 64
_is_index = re.compile(r"index (0|[1-9][0-9]{0,15})").fullmatch


class TlogProof(NamedTuple):
    """A proof as read: the leaf's index, the hashes, and the bytes of the checkpoint."""

    leaf: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def encode_proof(index: int, hashes: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return the file of a proof.

    Args:
        index: The leaf's index, from 0.
        hashes: Its inclusion proof, 32 bytes each.
        checkpoint: The signed note, whole.
    """
    steps = [base64.b64encode(step).decode() for step in hashes]
    return "\n".join((HEADER, f"index {index}", *steps, "", "")).encode() + checkpoint


def parse_proof(data: bytes) -> TlogProof:
    """Read the file of a proof; whether it proves anything is not checked.

    Raises:
        ProofError: It is none.
    """
    before, blank, checkpoint = data.partition(b"\n\n")
    try:
        header, *lines = before.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ProofError("the lines of a proof before its checkpoint are ASCII") from None
    if header != HEADER or not blank:
        raise ProofError(f"a proof begins with `{HEADER}` and has an empty line before its checkpoint")
    if lines and lines[0].startswith("extra "):
        _decoded(lines.pop(0).removeprefix("extra "))
    index = _is_index(lines[0]) if lines else None
    if index is None or len(lines) > 1 + _MAX_STEPS:
        raise ProofError(f"a proof has a line `index N` and at most {_MAX_STEPS} hashes")
    hashes = tuple(map(_decoded, lines[1:]))
    if any(len(step) != HASH_BYTES for step in hashes):
        raise ProofError(f"a hash of a proof is not {HASH_BYTES} bytes")
    return TlogProof(int(index[1]), hashes, checkpoint)


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if base64.b64encode(data).decode() != text:
        raise ProofError("a line of a proof is not base64, or is spelled in another way")
    return data
