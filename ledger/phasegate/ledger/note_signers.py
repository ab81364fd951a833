"""A signer whose seed is at hand. A KMS or an HSM stands behind the same port, `note_keys.NoteSigner`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from phasegate.ledger.errors import KeyTextError, NoteError
from phasegate.ledger.note_keys import (
    KEY_BYTES,
    PRIVATE_PREFIX,
    Algorithm,
    KeyText,
    VerifierKey,
    check_key_text,
    is_key_name,
    parse_key_text,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SeedSigner:
    """A private key under a name, for one kind of signature. Shown and compared by its public part only."""

    key: VerifierKey
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes, algorithm: Algorithm = Algorithm.ED25519) -> Self:
        """Return the signer of a 32-byte seed (RFC 8032, section 5.1.5).

        Raises:
            KeyTextError: The name cannot be a key's, or the seed has another length.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        if not is_key_name(name):
            raise KeyTextError("bad_name", "that is not the name of a key")
        if len(seed) != KEY_BYTES:
            raise KeyTextError("malformed", f"an Ed25519 seed has {KEY_BYTES} bytes, not {len(seed)}")
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(VerifierKey(name, private.public_key().public_bytes_raw(), algorithm), private)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a signer key.

        Raises:
            NoteError: It is none.
        """
        if not text.startswith(PRIVATE_PREFIX):
            raise NoteError(f"a private key begins with `{PRIVATE_PREFIX}`, and this does not")
        rest = text.removeprefix(PRIVATE_PREFIX)
        found = parse_key_text(rest)
        signer = cls.from_seed(found.name, found.key, found.algorithm)
        check_key_text(rest, found, signer.key.public)
        return signer

    @property
    def public_vkey(self) -> str:
        """The verifier key as text; what others are given."""
        return self.key.text

    def secret_text(self) -> str:
        """The signer key as text: whoever reads it can sign as its owner."""
        seed = self._private.private_bytes_raw()
        return PRIVATE_PREFIX + KeyText(self.key.name, self.key.key_hash, self.key.algorithm, seed).encoded()

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64-byte Ed25519 signature over the data; deterministic."""
        return self._private.sign(data)
