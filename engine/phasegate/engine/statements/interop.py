"""The way to and from `securesystemslib`: its verifier for our envelopes, its key services for our signing.

The library costs 150 ms to import and is imported here only, when a function is called. Signing and verifying
by `dsse` need none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phasegate.engine.core.errors import NotEvaluated
from phasegate.engine.statements.dsse import SIGNATURE_BYTES, Envelope
from phasegate.engine.statements.errors import Fault, KeyFault, KeyRefused, StatementError
from phasegate.engine.statements.note_keys import VerifyKey

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope as LibraryEnvelope
    from securesystemslib.signer import Signer as LibrarySigner  # type: ignore[attr-defined]
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

ED25519 = "ed25519"


def library_key(key: VerifyKey) -> SSlibKey:
    """A public key as the library's, under the same key id."""
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined] # noqa: PLC0415

    return SSlibKey(key.key_id, ED25519, ED25519, {"public": key.public.hex()})


def verify_key(name: str, key: SSlibKey) -> VerifyKey:
    """One of the library's public keys as ours, under a name.

    Raises:
        KeyRefused: `wrong_algorithm`, `malformed` or `bad_name`.
    """
    if (key.keytype, key.scheme) != (ED25519, ED25519):
        raise KeyRefused(
            KeyFault.WRONG_ALGORITHM,
            f"the key of `{name[:80]}` is a `{key.keytype}` key, not an Ed25519 one",
            "make an Ed25519 key in the key service",
        )
    try:
        public = bytes.fromhex(key.keyval["public"])
    except (KeyError, TypeError, ValueError):
        raise KeyRefused(
            KeyFault.MALFORMED, f"the public key of `{name[:80]}` is not hex", "export it again"
        ) from None
    return VerifyKey(name, public)


def library_envelope(envelope: Envelope) -> LibraryEnvelope:
    """A decoded envelope as the library's, whose `.verify([library_key(key)], 1)` is a second opinion."""
    from securesystemslib.dsse import Envelope as LibraryEnvelope  # noqa: PLC0415
    from securesystemslib.signer import Signature  # type: ignore[attr-defined] # noqa: PLC0415

    signatures = {key_id: Signature(key_id, sig.hex()) for key_id, sig in envelope.signatures.items()}
    return LibraryEnvelope(envelope.payload, envelope.payload_type, signatures)


class LibrarySignerAdapter:
    """A `Signer` whose key is behind one of the library's: a key service, a hardware token, a vault.

    Args:
        name: name of the key's owner.
        signer: from `securesystemslib.signer.Signer.from_priv_key_uri`.

    Raises:
        KeyRefused: as `verify_key`.
    """

    def __init__(self, name: str, signer: LibrarySigner) -> None:
        key: Any = signer.public_key
        self.verify_key = verify_key(name, key)
        self._signer = signer

    @property
    def name(self) -> str:
        """Name of the key's owner."""
        return self.verify_key.name

    @property
    def key_id(self) -> str:
        """`NAME+HASH`."""
        return self.verify_key.key_id

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature over `data`.

        Raises:
            NotEvaluated: the key service failed.
            StatementError: `bad_signature`: what it returned is not this key's signature.
        """
        try:
            signature = bytes.fromhex(self._signer.sign(data).signature)
        except Exception as error:  # each back end of the library raises errors of its own making
            raise NotEvaluated(
                f"the key service of `{self.name}` did not sign: {error}", "check its address and your access"
            ) from error
        # A round trip over a network has been paid; what comes back is checked before anybody relies on it.
        if len(signature) != SIGNATURE_BYTES or not self.verify_key.verify(signature, data):
            raise StatementError(
                Fault.BAD_SIGNATURE,
                f"the key service of `{self.name}` returned a signature that its key does not confirm",
                "check that public key and service belong together",
            )
        return signature
