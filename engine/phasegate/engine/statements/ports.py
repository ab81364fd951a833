"""What signing and verifying need from outside: a key that signs, and keys that verify."""

from __future__ import annotations

from typing import Protocol


class Signer(Protocol):
    """An Ed25519 key that signs; it may live in a file, a token or a key management service."""

    @property
    def name(self) -> str:
        """Name of the key's owner."""
        ...

    @property
    def key_id(self) -> str:
        """`NAME+HASH`; see `note_keys`."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature of RFC 8032 over `data`.

        Raises:
            NotEvaluated: the key cannot be reached.
        """
        ...


class Verifier(Protocol):
    """The public half of such a key."""

    @property
    def key_id(self) -> str:
        """`NAME+HASH`; see `note_keys`."""
        ...

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is this key's over `data`; never raises."""
        ...
