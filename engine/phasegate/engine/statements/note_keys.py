"""Ed25519 keys in the text form of signed notes, so that one key signs statements and checkpoints.

The format is that of `phasegate.ledger.note_keys`; here are the keys of people and of the engine, which sign
statements and notes (signature type 0x01), with errors that a command can show.

Pure: no files and no randomness. Messages never repeat key material.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from phasegate.engine.statements.errors import KeyFault, KeyRefused
from phasegate.ledger.errors import KeyTextError
from phasegate.ledger.note_keys import (
    KEY_BYTES,
    NAME_CHARS_MAX,
    PRIVATE_PREFIX,
    PRIVATE_WORD,
    Algorithm,
    KeyText,
    VerifierKey,
    check_key_text,
    is_key_name,
    key_hash,
    parse_key_text,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_REMEDIES: Final = {
    "malformed": "copy the key again, whole and in one line",
    "bad_name": f"use letters, digits and `. _ - : @ /`, at most {NAME_CHARS_MAX}, a letter or digit first",
    "wrong_algorithm": "make one with `engine keys create NAME FILE`",
    "wrong_hash": "copy the key again; name, hash and key belong together and none can be edited",
}


def parse_key_name(text: str) -> str:
    """The name of a key: a letter or digit, then letters, digits, `.`, `_`, `-`, `:`, `@` or `/`.

    Raises:
        KeyRefused: `bad_name`.
    """
    if not is_key_name(text):
        raise _refused(KeyTextError("bad_name", "that is not the name of a key"))
    return text


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key under a name.

    Attributes:
        name: name of its owner.
        public: the 32 bytes of RFC 8032.
        key_id: `NAME+HASH`. Name and hash together identify the key: four bytes alone collide by design.
    """

    name: str
    public: bytes
    key_id: str = field(init=False)

    def __post_init__(self) -> None:
        parse_key_name(self.name)
        if len(self.public) != KEY_BYTES:
            raise _malformed(f"an Ed25519 public key has {KEY_BYTES} bytes, not {len(self.public)}")
        object.__setattr__(self, "key_id", self.for_notes.key_id)

    @property
    def vkey(self) -> str:
        """The verifier key as text."""
        return self.for_notes.text

    @property
    def for_notes(self) -> VerifierKey:
        """The key as the ledger's notes know it."""
        return VerifierKey(self.name, self.public)

    @classmethod
    def parse(cls, text: str) -> VerifyKey:
        """Read a verifier key.

        Raises:
            KeyRefused: `private`, `malformed`, `bad_name`, `wrong_algorithm` or `wrong_hash`.
        """
        if text.startswith(PRIVATE_WORD):
            raise KeyRefused(
                KeyFault.PRIVATE,
                "that is a private key, not a verifier key",
                "keep it secret; give the public part that `engine keys show` prints",
            )
        found = _split(text)
        _check(text, found, found.key)
        return cls(found.name, found.key)

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is this key's over `data` (RFC 8032, section 5.1.7)."""
        return self.for_notes.verify(signature, data)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under a name; a `Signer`. Shown and compared by its public part only."""

    verify_key: VerifyKey
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Name of its owner."""
        return self.verify_key.name

    @property
    def key_id(self) -> str:
        """`NAME+HASH`."""
        return self.verify_key.key_id

    @property
    def public_vkey(self) -> str:
        """The verifier key as text; what others are given."""
        return self.verify_key.vkey

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> SigningKey:
        """The key of a 32-byte seed (RFC 8032, section 5.1.5).

        Raises:
            KeyRefused: `bad_name` or `malformed`.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        if len(seed) != KEY_BYTES:
            raise _malformed(f"an Ed25519 seed has {KEY_BYTES} bytes, not {len(seed)}")
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(VerifyKey(name, private.public_key().public_bytes_raw()), private)

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read a signer key.

        Raises:
            KeyRefused: `not_private`, `malformed`, `bad_name`, `wrong_algorithm` or `wrong_hash`.
        """
        if not text.startswith(PRIVATE_PREFIX):
            raise KeyRefused(
                KeyFault.NOT_PRIVATE,
                f"a private key begins with `{PRIVATE_PREFIX}` and this does not",
                "give the file that `engine keys create` made, not the public part",
            )
        rest = text.removeprefix(PRIVATE_PREFIX)
        found = _split(rest)
        key = cls.from_seed(found.name, found.key)
        _check(rest, found, key.verify_key.public)
        return key

    def secret_text(self) -> str:
        """The signer key as text: whoever reads it can sign as its owner."""
        public, seed = self.verify_key.public, self._private.private_bytes_raw()
        said = KeyText(self.name, key_hash(self.name, public), Algorithm.ED25519, seed)
        return f"{PRIVATE_PREFIX}{said.encoded()}"

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature over `data` (RFC 8032, section 5.1.6); deterministic."""
        return self._private.sign(data)


def _split(text: str) -> KeyText:
    """A key's text in its parts; a key for cosignatures is none of ours."""
    try:
        found = parse_key_text(text)
    except KeyTextError as error:
        raise _refused(error) from None
    if found.algorithm is not Algorithm.ED25519:
        raise _refused(KeyTextError("wrong_algorithm", "the key is for cosignatures of a witness only"))
    return found


def _check(text: str, found: KeyText, public: bytes) -> None:
    try:
        check_key_text(text, found, public)
    except KeyTextError as error:
        raise _refused(error) from None


def _malformed(message: str) -> KeyRefused:
    return _refused(KeyTextError("malformed", message))


def _refused(error: KeyTextError) -> KeyRefused:
    return KeyRefused(KeyFault(error.fault), error.message, _REMEDIES[error.fault])
