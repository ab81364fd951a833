"""Public keys in the forms of others are the ones that others make themselves."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import SSlibKey
from valid_statements import ALICE, ENGINE

from phasegate.engine.statements.public_keys import in_toto_key, in_toto_key_id


def test_the_pem_file_is_the_one_that_cryptography_writes():
    for signer in (ALICE, ENGINE):
        key = Ed25519PublicKey.from_public_bytes(signer.verify_key.public)
        theirs = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert signer.verify_key.for_notes.pem.encode() == theirs


def test_the_id_is_the_one_that_securesystemslib_computes_of_the_pem_file():
    for signer in (ALICE, ENGINE):
        theirs = SSlibKey.from_crypto(load_pem_public_key(signer.verify_key.for_notes.pem.encode()))
        assert in_toto_key_id(signer.verify_key) == theirs.keyid
        assert in_toto_key(signer.verify_key) == {"keyid": theirs.keyid, **theirs.to_dict()}


def test_two_keys_have_two_ids():
    assert in_toto_key_id(ALICE.verify_key) != in_toto_key_id(ENGINE.verify_key)
