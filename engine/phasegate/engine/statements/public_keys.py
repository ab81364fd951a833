"""Public keys as in-toto metadata names them.

Pure: the encodings of an Ed25519 key are fixed, so that neither a library nor a file is needed.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.ledger.canonical import dumps

_ED25519: Final = "ed25519"


def in_toto_key_id(key: VerifyKey) -> str:
    """The id that in-toto computes of the key's PEM file.

    SHA-256, in hex, of the canonical JSON of key type, scheme and value, as `securesystemslib` makes it.
    """
    return hashlib.sha256(dumps(_described(key))).hexdigest()


def in_toto_key(key: VerifyKey) -> dict[str, Any]:
    """The key as a layout names its functionaries."""
    return {"keyid": in_toto_key_id(key), **_described(key)}


def _described(key: VerifyKey) -> dict[str, Any]:
    return {"keytype": _ED25519, "keyval": {"public": key.public.hex()}, "scheme": _ED25519}
