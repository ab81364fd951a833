"""Our envelopes and those of `securesystemslib`: each verifies what the other signed."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope as LibraryEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Signature
from valid_statements import ALICE, ENGINE, STATEMENTS

from phasegate.engine.core.errors import NotEvaluated
from phasegate.engine.statements import Fault, KeyFault, KeyRefused, StatementError, Witness, sign, verify
from phasegate.engine.statements.dsse import PAYLOAD_TYPE, read_envelope
from phasegate.engine.statements.interop import (
    LibrarySignerAdapter,
    library_envelope,
    library_key,
    verify_key,
)

STATEMENT = STATEMENTS["witness"]


def library_pair(name: str = "builder"):
    """A signer of the library's, and its public key as ours."""
    bare = CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35))))
    ours = verify_key(name, bare.public_key)
    bare.public_key.keyid = ours.key_id
    return bare, ours


def test_the_library_verifies_what_we_sign():
    envelope = LibraryEnvelope.from_dict(json.loads(sign(STATEMENT, ENGINE)))
    assert set(envelope.verify([library_key(ENGINE.verify_key)], 1)) == {ENGINE.key_id}
    assert envelope.payload == STATEMENT.to_bytes()
    with pytest.raises(VerificationError):
        envelope.verify([library_key(ALICE.verify_key)], 1)


def test_the_library_verifies_what_we_decoded_and_refuses_it_changed():
    opened = read_envelope(sign(STATEMENT, ENGINE))
    key = library_key(ENGINE.verify_key)
    assert library_envelope(opened).verify([key], 1) == {ENGINE.key_id: key}
    with pytest.raises(VerificationError):
        library_envelope(opened._replace(payload=opened.payload + b" ")).verify([key], 1)


def test_we_verify_what_the_library_signs():
    signer, key = library_pair()
    envelope = LibraryEnvelope(STATEMENT.to_bytes(), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    written = json.dumps(envelope.to_dict(), indent=2).encode()
    assert verify(written, {key.key_id: key}, expected_type=Witness) == STATEMENT


def test_we_sign_with_a_signer_of_the_librarys():
    signer, key = library_pair()
    ours = LibrarySignerAdapter("builder", signer)
    assert (ours.name, ours.key_id) == ("builder", key.key_id)
    assert verify(sign(STATEMENT, ours), {key.key_id: key}, expected_type=Witness) == STATEMENT


def test_given_a_key_that_is_not_ed25519_then_it_is_refused():
    signer = CryptoSigner.generate_ecdsa()
    with pytest.raises(KeyRefused) as caught:
        LibrarySignerAdapter("builder", signer)
    assert caught.value.fault is KeyFault.WRONG_ALGORITHM


@pytest.mark.parametrize("public", ["not hex", None, "00"])
def test_given_a_public_key_that_is_none_then_it_is_refused(public):
    key = library_pair()[0].public_key
    key.keyval["public"] = public
    with pytest.raises(KeyRefused) as caught:
        verify_key("builder", key)
    assert caught.value.fault is KeyFault.MALFORMED


class Service:
    """A key service that answers what it is told to."""

    def __init__(self, answer):
        self._key, _ = library_pair()
        self._answer = answer
        self.public_key = self._key.public_key

    def sign(self, data):
        if isinstance(self._answer, Exception):
            raise self._answer
        return Signature("x", self._answer)


@pytest.mark.parametrize("answer", [OSError("no route to host"), RuntimeError("denied")])
def test_given_a_key_service_out_of_reach_then_nothing_is_signed(answer):
    with pytest.raises(NotEvaluated, match="did not sign"):
        sign(STATEMENT, LibrarySignerAdapter("builder", Service(answer)))


@pytest.mark.parametrize("answer", ["", "00" * 64, "00" * 63])
def test_given_a_key_service_that_answers_with_another_signature_then_it_is_refused(answer):
    with pytest.raises(StatementError) as caught:
        sign(STATEMENT, LibrarySignerAdapter("builder", Service(answer)))
    assert caught.value.fault is Fault.BAD_SIGNATURE
