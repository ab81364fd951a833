"""Signing layouts and links: the keys of statements, under the ids that in-toto gives them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.keys import load_key
from phasegate.engine.core.approvals import STEERING_ROLES
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.statements.dsse import PAYLOAD_TYPE, encode_envelope, pae
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.engine.statements.ports import Signer
from phasegate.engine.statements.public_keys import in_toto_key_id
from phasegate.ledger.canonical import CANONICAL_OPTIONS


class KeyPair(NamedTuple):
    """A key that signs, and its public part."""

    public: VerifyKey
    signer: Signer


def engine_pair(engine: Engine) -> KeyPair:
    """The engine's key, which signs every link.

    Raises:
        KeyRefused: its public part cannot be read.
        NotEvaluated: the key cannot be reached.
    """
    return KeyPair(engine.keys.engine_vkey(), engine.notary.signer())


def owner_pair(engine: Engine, file: Path) -> KeyPair:
    """The key of a layout's owner, from its private key file.

    Raises:
        KeyRefused: it cannot be read.
        BadInput: it is registered neither as operator nor as supervisor.
    """
    key = load_key(file)
    if not engine.registrations.roles_of(key.key_id) & STEERING_ROLES:
        raise BadInput(
            f"the key of `{key.name}` is registered neither as operator nor as supervisor",
            "a layout is owned by one of these; without `--key` the engine alone signs it",
        )
    return KeyPair(key.verify_key, key)


def signed(metadata: Mapping[str, Any], *pairs: KeyPair) -> bytes:
    """A layout or link in an envelope, under the signature of each key by the id that in-toto gives it.

    Raises:
        IntegrityError: a public key does not belong to its private one.
        NotEvaluated: a key cannot be reached.
    """
    payload = orjson.dumps(metadata, None, CANONICAL_OPTIONS)
    return encode_envelope(
        payload, [(in_toto_key_id(pair.public), _signature(payload, pair)) for pair in pairs]
    )


def _signature(payload: bytes, pair: KeyPair) -> bytes:
    """A signature that its public key confirms: the two may come from different places."""
    data = pae(PAYLOAD_TYPE, payload)
    signature = pair.signer.sign(data)
    if not pair.public.verify(signature, data):
        raise IntegrityError(
            f"the public key of `{pair.public.name}` does not confirm what its private key signed",
            "put the public key beside the private one that belongs to it",
        )
    return signature
