"""Checkpoints of a ledger: C2SP `tlog-checkpoint` bodies, signed as notes, cosigned by witnesses.

    ORIGIN                     the ledger's name
    SIZE                       entries in the tree, decimal
    BASE64(ROOT)               32 bytes
    EXTENSION ...              lines of others, kept as they are

A log signs the body itself (signature type 0x01); a witness signs it behind the time at which it saw it
(C2SP `tlog-cosignature`, type 0x04), and so vouches that everything it had seen before was its beginning.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from phasegate.ledger.errors import NoteError
from phasegate.ledger.note_keys import Algorithm, NoteSigner, VerifierKey, parse_verifier_key
from phasegate.ledger.notes import Note, Signature, check_text

FIELD_LINES: Final = 3
ROOT_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
TIME_BYTES: Final = 8
_is_size = re.compile(r"0|[1-9][0-9]{0,15}").fullmatch


class Checkpoint(NamedTuple):
    """What a ledger was at a size: its name, how many entries, the tree's root over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The body of the note."""
        root = base64.b64encode(self.root).decode()
        return check_text("\n".join((self.origin, str(self.size), root, *self.extensions)) + "\n")


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the body of a checkpoint.

    Raises:
        NoteError: It is not one.
    """
    lines = check_text(text).split("\n")[:-1]
    if len(lines) < FIELD_LINES or not all(lines):
        raise NoteError("a checkpoint is origin, size and root, a line each, and lines are never empty")
    origin, size, encoded, *extensions = lines
    if _is_size(size) is None:
        raise NoteError(f"the size of a checkpoint is a decimal number, not `{size[:20]}`")
    try:
        root = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        root = b""
    if len(root) != ROOT_BYTES or base64.b64encode(root).decode() != encoded:
        raise NoteError(f"the root of a checkpoint is base64 of {ROOT_BYTES} bytes")
    return Checkpoint(origin, int(size), root, tuple(extensions))


def cosigned_text(body: str, time_s: int) -> bytes:
    """What a witness signs: the time in seconds since 1970, then the checkpoint's body."""
    return f"cosignature/v1\ntime {time_s}\n{body}".encode()


def cosign(note: Note, signer: NoteSigner, time_s: int) -> Signature:
    """Cosign a checkpoint as one that is consistent with everything the witness saw before.

    Args:
        note: The checkpoint.
        signer: The witness's key; it signs cosignatures only.
        time_s: When it was seen, in seconds since 1970.

    Raises:
        NoteError: It is no checkpoint, or the key is none for cosignatures.
    """
    parse_checkpoint(note.text)
    key = parse_verifier_key(signer.public_vkey)
    if key.algorithm is not Algorithm.COSIGNATURE:
        raise NoteError(f"the key of `{key.name}` is for notes, not for cosignatures")
    signature = signer.sign(cosigned_text(note.text, time_s))
    return Signature(key.name, key.key_hash, time_s.to_bytes(TIME_BYTES, "big") + signature)


def cosigned_at(note: Note, key: VerifierKey) -> int:
    """Return when a witness last cosigned a checkpoint, in seconds since 1970; each of its lines must hold.

    Raises:
        NoteError: It did not, or a cosignature of it does not hold.
    """
    found = key.signatures_on(note)
    if not found:
        raise NoteError(f"the witness `{key.name}` has not cosigned the checkpoint")
    times = []
    for data in found:
        time_s = int.from_bytes(data[:TIME_BYTES], "big")
        if len(data) != TIME_BYTES + SIGNATURE_BYTES or not key.verify(
            data[TIME_BYTES:], cosigned_text(note.text, time_s)
        ):
            raise NoteError(f"the cosignature of `{key.name}` does not hold over the checkpoint")
        times.append(time_s)
    return max(times)


def check_quorum(note: Note, witnesses: Sequence[VerifierKey], least: int) -> tuple[str, ...]:
    """Return the names of the witnesses that cosigned a checkpoint, if they are enough.

    One that did not sign is not counted. A cosignature that does not hold is refused: somebody made it.

    Raises:
        NoteError: They are fewer than ``least``, or a cosignature does not hold.
    """
    names = {key.name: key for key in witnesses if key.signatures_on(note)}
    for key in names.values():
        cosigned_at(note, key)
    if len(names) < least:
        raise NoteError(f"{len(names)} of the {least} witnesses demanded have cosigned the checkpoint")
    return tuple(sorted(names))
