"""Verifier keys of signed notes: who signs, by which algorithm, with which Ed25519 key.

    verifier key   NAME+HASH+BASE64(ALGORITHM || public key)
    signer key     PRIVATE+KEY+NAME+HASH+BASE64(ALGORITHM || seed)
    HASH           first 4 bytes of SHA-256(NAME || 0x0A || ALGORITHM || public key), as 8 hex digits
    ALGORITHM      0x01 for notes and checkpoints, 0x04 for cosignatures of witnesses

Source: C2SP `signed-note` and `tlog-cosignature`, and the key encoding of Go's `golang.org/x/mod/sumdb/note`.
Narrower than they are in one point: a name is ASCII, so that it can stand in an entry, a file name and a
message as it is. One key has exactly one text; another spelling is refused.

Pure: no files and no randomness. Messages never repeat key material.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from phasegate.ledger.errors import KeyTextError, NoteError
from phasegate.ledger.notes import HASH_BYTES, Note, Signature

KEY_BYTES: Final = 32
NAME_CHARS_MAX: Final = 128
PRIVATE_WORD: Final = "PRIVATE"
PRIVATE_PREFIX: Final = f"{PRIVATE_WORD}+KEY+"

_is_name = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/@-]{{0,{NAME_CHARS_MAX - 1}}}").fullmatch
_is_hash = re.compile(r"[0-9a-f]{8}").fullmatch
_SPKI: Final = bytes.fromhex("302a300506032b6570032100")
"""DER of SubjectPublicKeyInfo up to the 32 bytes of an Ed25519 key (RFC 8410, section 4)."""


class Algorithm(IntEnum):
    """What a key signs: notes as they are, or checkpoints behind the time at which they were seen."""

    ED25519 = 1
    COSIGNATURE = 4


class KeyText(NamedTuple):
    """A key's text in its parts; whether the hash fits is for whoever knows the public key."""

    name: str
    key_hash: bytes
    algorithm: Algorithm
    key: bytes

    def encoded(self) -> str:
        """The text."""
        encoded = base64.b64encode(bytes([self.algorithm]) + self.key).decode()
        return f"{self.name}+{self.key_hash.hex()}+{encoded}"


class NoteSigner(Protocol):
    """Something that signs under a name: a key in a file, a KMS or an HSM."""

    @property
    def public_vkey(self) -> str:
        """Its verifier key."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64-byte Ed25519 signature over the data."""
        ...


class VerifierKey(NamedTuple):
    """A public key under a name, for one kind of signature."""

    name: str
    public: bytes
    algorithm: Algorithm = Algorithm.ED25519

    @property
    def key_hash(self) -> bytes:
        """The four bytes by which a signature line names the key; alone they collide by design."""
        return key_hash(self.name, self.public, self.algorithm)

    @property
    def text(self) -> str:
        """The verifier key as text."""
        return KeyText(self.name, self.key_hash, self.algorithm, self.public).encoded()

    @property
    def pem(self) -> str:
        """The public key as openssl, node and in-toto read it: `BEGIN PUBLIC KEY` (RFC 7468, section 13)."""
        body = base64.b64encode(_SPKI + self.public).decode()
        return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"

    @property
    def key_id(self) -> str:
        """`NAME+HASH`, by which a key is named in messages."""
        return f"{self.name}+{self.key_hash.hex()}"

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether the signature is this key's over the data (RFC 8032, section 5.1.7)."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - 20 ms that few commands need
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True

    def signatures_on(self, note: Note) -> list[bytes]:
        """What the note says are this key's signatures; nothing about them is checked."""
        mine = (self.name, self.key_hash)
        return [signature.data for signature in note.signatures if signature[:2] == mine]


def is_key_name(text: str) -> bool:
    """Whether a key can have this name: ASCII, so that it can stand in an entry and a file name as it is."""
    return _is_name(text) is not None and text != PRIVATE_WORD


def key_hash(name: str, public: bytes, algorithm: Algorithm = Algorithm.ED25519) -> bytes:
    """Return the four bytes by which signature lines name a key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:HASH_BYTES]


def parse_key_text(text: str) -> KeyText:
    """Take a key's text apart: of a verifier key, or of a signer key behind `PRIVATE+KEY+`.

    Raises:
        KeyTextError: It is none.
    """
    name, _, rest = text.partition("+")
    # Base64 may itself contain a plus.
    digits, _, encoded = rest.partition("+")
    if _is_hash(digits) is None:
        raise KeyTextError("malformed", "a key is `NAME+HASH+BASE64` with a hash of 8 lower-case hex digits")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KeyTextError("malformed", "the part behind the hash is not base64") from None
    if not data or data[0] not in list(Algorithm):
        raise KeyTextError("wrong_algorithm", "the key is not an Ed25519 one")
    if len(data) != 1 + KEY_BYTES:
        raise KeyTextError("malformed", f"an Ed25519 key has {KEY_BYTES} bytes, not {len(data) - 1}")
    if not is_key_name(name):
        raise KeyTextError("bad_name", "that is not the name of a key")
    return KeyText(name, bytes.fromhex(digits), Algorithm(data[0]), data[1:])


def check_key_text(text: str, found: KeyText, public: bytes) -> None:
    """Check that a key's text has the hash of its public part, and the one spelling it can have.

    Args:
        text: The text, without `PRIVATE+KEY+`.
        found: It in its parts.
        public: The public part, 32 bytes.

    Raises:
        KeyTextError: It has not.
    """
    if found.key_hash != key_hash(found.name, public, found.algorithm):
        raise KeyTextError("wrong_hash", "the hash in the key is not that of its name and public part")
    if found.encoded() != text:
        raise KeyTextError("malformed", "the key is spelled in another way than the format allows")


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        NoteError: It is none, is a private key, or is spelled in another way than the format allows.
    """
    if text.startswith(PRIVATE_WORD):
        raise NoteError("that is a private key; give the verifier key that `engine keys show` prints")
    found = parse_key_text(text)
    check_key_text(text, found, found.key)
    return VerifierKey(found.name, found.key, found.algorithm)


def signed_note(text: str, signer: NoteSigner) -> Signature:
    """Sign a note's text as it is.

    Raises:
        NoteError: The signer's key is none for notes.
    """
    key = parse_verifier_key(signer.public_vkey)
    if key.algorithm is not Algorithm.ED25519:
        raise NoteError(f"the key of `{key.name}` is for cosignatures, not for notes")
    return Signature(key.name, key.key_hash, signer.sign(text.encode()))


def check_signed(note: Note, key: VerifierKey) -> None:
    """Check that a key signed a note: it has signed at least once, and each of its signatures holds.

    Raises:
        NoteError: It did not.
    """
    found = key.signatures_on(note)
    if not found:
        raise NoteError(f"`{key.name}` has not signed the note, or with another key")
    if not all(key.verify(signature, note.text.encode()) for signature in found):
        raise NoteError(f"the signature of `{key.name}` does not hold over the note")
