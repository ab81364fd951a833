"""Ed25519 keys in the text form of signed notes, so that one key signs statements and checkpoints.

    verifier key   NAME+HASH+BASE64(0x01 || public key)
    signer key     PRIVATE+KEY+NAME+HASH+BASE64(0x01 || seed)
    HASH           first 4 bytes of SHA-256(NAME || 0x0A || 0x01 || public key), as 8 hex digits

Source: C2SP `signed-note` (key names, key ids, signature type 0x01) and the key encoding of Go's
`golang.org/x/mod/sumdb/note`. Narrower than both in one point: a name is ASCII, so that it can stand in a
ledger entry, a file name and a message as it is. One key has exactly one text; any other spelling is refused.

Pure: no files and no randomness. Messages never repeat key material.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from phasegate.engine.statements.errors import KeyFault, KeyRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM_ED25519: Final = b"\x01"
KEY_BYTES: Final = 32
NAME_CHARS_MAX: Final = 128
PRIVATE_WORD: Final = "PRIVATE"
_PRIVATE_PREFIX: Final = f"{PRIVATE_WORD}+KEY+"

_is_name = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/@-]{{0,{NAME_CHARS_MAX - 1}}}").fullmatch
_is_hash = re.compile(r"[0-9a-f]{8}").fullmatch


def parse_key_name(text: str) -> str:
    """The name of a key: a letter or digit, then letters, digits, `.`, `_`, `-`, `:`, `@` or `/`.

    Raises:
        KeyRefused: `bad_name`.
    """
    if _is_name(text) is None or text == PRIVATE_WORD:
        raise KeyRefused(
            KeyFault.BAD_NAME,
            "that is not the name of a key",
            f"use letters, digits and `. _ - : @ /`, at most {NAME_CHARS_MAX}, a letter or digit first",
        )
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
        object.__setattr__(self, "key_id", f"{self.name}+{_hash(self.name, self.public)}")

    @property
    def vkey(self) -> str:
        """The verifier key as text."""
        return f"{self.key_id}+{_encoded(self.public)}"

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
        name, key_hash, public = _split(text)
        key = cls(name, public)
        if key.key_id != f"{name}+{key_hash}":
            raise _wrong_hash()
        if key.vkey != text:
            raise _malformed("the key is spelled in another way than the format allows")
        return key

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is this key's over `data` (RFC 8032, section 5.1.7)."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - 20 ms that few commands need
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


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
        if not text.startswith(_PRIVATE_PREFIX):
            raise KeyRefused(
                KeyFault.NOT_PRIVATE,
                f"a private key begins with `{_PRIVATE_PREFIX}` and this does not",
                "give the file that `engine keys create` made, not the public part",
            )
        name, key_hash, seed = _split(text.removeprefix(_PRIVATE_PREFIX))
        key = cls.from_seed(name, seed)
        if key.key_id != f"{name}+{key_hash}":
            raise _wrong_hash()
        if key.secret_text() != text:
            raise _malformed("the key is spelled in another way than the format allows")
        return key

    def secret_text(self) -> str:
        """The signer key as text: whoever reads it can sign as its owner."""
        return f"{_PRIVATE_PREFIX}{self.key_id}+{_encoded(self._private.private_bytes_raw())}"

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature over `data` (RFC 8032, section 5.1.6); deterministic."""
        return self._private.sign(data)


def _hash(name: str, public: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\n" + ALGORITHM_ED25519 + public).hexdigest()[:8]


def _encoded(key: bytes) -> str:
    return base64.b64encode(ALGORITHM_ED25519 + key).decode()


def _split(text: str) -> tuple[str, str, bytes]:
    """Name, hash and the key's 32 bytes; base64 may itself contain a plus."""
    name, _, rest = text.partition("+")
    key_hash, _, encoded = rest.partition("+")
    if _is_hash(key_hash) is None:
        raise _malformed("a key is `NAME+HASH+BASE64` with a hash of 8 lower-case hex digits")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("the part behind the hash is not base64") from None
    if data[:1] != ALGORITHM_ED25519:
        raise KeyRefused(
            KeyFault.WRONG_ALGORITHM,
            "the key is not an Ed25519 one",
            "make one with `engine keys create NAME FILE`",
        )
    if len(data) != 1 + KEY_BYTES:
        raise _malformed(f"an Ed25519 key has {KEY_BYTES} bytes, not {len(data) - 1}")
    return parse_key_name(name), key_hash, data[1:]


def _malformed(message: str) -> KeyRefused:
    return KeyRefused(KeyFault.MALFORMED, message, "copy the key again, whole and in one line")


def _wrong_hash() -> KeyRefused:
    return KeyRefused(
        KeyFault.WRONG_HASH,
        "the hash in the key is not that of its name and public part",
        "copy the key again; name, hash and key belong together and none can be edited",
    )
