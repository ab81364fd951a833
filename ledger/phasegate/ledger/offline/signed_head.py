"""The signed statement of where a ledger ends that a task's bundle brings: DSSE over an in-toto statement."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn

import orjson

from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.offline.found import Found
from phasegate.ledger.verify import Verification

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
PREDICATE_TYPE: Final = "https://phasegate.dev/predicates/head/v1"
_REMEDY: Final = "fetch the bundle again, or check whose key it is"


class _Envelope(NamedTuple):
    payload: bytes
    signatures: dict[str, bytes]


def check_head(data: bytes, chain: Verification, keys: Sequence[VerifierKey]) -> int:
    """Check that one of the keys signed where this chain ends; return how many entries that are.

    Args:
        data: The envelope.
        chain: The chain, found good.
        keys: The ledger's keys.

    Raises:
        Found: ``bad_head`` (no such statement), ``wrong_key`` (none of the keys signed it),
            ``bad_signature`` (a signature that names one does not hold), ``head_mismatch`` (it is about
            another chain).
    """
    envelope = _opened(data)
    kind = PAYLOAD_TYPE.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(envelope.payload), envelope.payload)
    mine = [(key, envelope.signatures.get(f"{key.name}+{key.key_hash.hex()}")) for key in keys]
    if not any(signature for _, signature in mine):
        raise Found("wrong_key", f"none of the keys given has signed the head of the ledger; {_REMEDY}")
    for key, signature in mine:
        if signature and not key.verify(signature, signed):
            raise Found(
                "bad_signature", f"the signature of `{key.name}` on the head does not hold; {_REMEDY}"
            )
    _check_statement(envelope.payload, chain)
    return chain.entries


def _check_statement(payload: bytes, chain: Verification) -> None:
    try:
        value: Any = orjson.loads(payload)
        predicate = value["predicate"]
        said = (value["predicateType"], predicate["ledger"], predicate["chain"])
    except (ValueError, KeyError, TypeError):
        _refuse("its payload is no statement")
    if said != (PREDICATE_TYPE, chain.ledger, {"size": chain.entries, "hash": chain.head.hash}):
        raise Found("head_mismatch", f"the signed head is not the end of these entries; {_REMEDY}")


def _opened(data: bytes) -> _Envelope:
    try:
        value: Any = orjson.loads(data)
        if value["payloadType"] != PAYLOAD_TYPE:
            _refuse("its payload has another type")
        signatures = {
            entry["keyid"]: base64.b64decode(entry["sig"], validate=True) for entry in value["signatures"]
        }
        return _Envelope(base64.b64decode(value["payload"], validate=True), signatures)
    except (ValueError, KeyError, TypeError, binascii.Error):
        _refuse("it is no envelope")


def _refuse(what: str) -> NoReturn:
    raise Found("bad_head", f"the signed head of the ledger cannot be read: {what}; {_REMEDY}")
