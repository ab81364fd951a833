"""DSSE envelopes over in-toto statements: their signatures; what the statements say is not looked at."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.offline.found import Found

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_TO_STANDARD: Final = str.maketrans("-_", "+/")


class Envelope(NamedTuple):
    """An envelope as read: the statement's bytes, and signatures by key id."""

    payload: bytes
    signatures: Mapping[str, bytes]

    def signers(self, keys: Mapping[str, VerifierKey], what: str) -> tuple[str, ...]:
        """Return the ids of the keys that signed it.

        Args:
            keys: Keys by id, `NAME+HASH`; signatures of others count for nothing.
            what: What to call it.

        Raises:
            Found: ``bad_signature``: a signature that names one of the keys does not hold.
        """
        kind = PAYLOAD_TYPE.encode()
        signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)
        mine = [(keys[name], signature) for name, signature in self.signatures.items() if name in keys]
        for key, signature in mine:
            if not key.verify(signature, signed):
                raise Found("bad_signature", f"the signature of `{key.name}` on {what} does not hold")
        return tuple(key.key_id for key, _ in mine)

    def encoded(self) -> bytes:
        """The envelope as the engine writes it: canonical JSON, standard base64."""
        signatures = [
            {"keyid": name, "sig": base64.b64encode(signature).decode()}
            for name, signature in self.signatures.items()
        ]
        payload = base64.b64encode(self.payload).decode()
        return orjson.dumps({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": signatures})


def read_envelope(data: bytes, what: str, code: str) -> Envelope:
    """Read an envelope.

    Args:
        data: Its bytes.
        what: What to call it.
        code: The code of the problem if it is none.

    Raises:
        Found: It is no envelope, or its payload has another type.
    """
    try:
        value: Any = orjson.loads(data)
        kind = value["payloadType"]
        signatures = {one["keyid"]: _decoded(one["sig"]) for one in value["signatures"]}
        envelope = Envelope(_decoded(value["payload"]), signatures)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Found(code, f"{what} cannot be read: it is no envelope") from None
    if kind != PAYLOAD_TYPE:
        raise Found(code, f"{what} cannot be read: its payload has another type")
    return envelope


def _decoded(text: str) -> bytes:
    """Standard or URL-safe base64, as DSSE demands of verifiers, in its one padded spelling."""
    standard = text.translate(_TO_STANDARD)
    data = base64.b64decode(standard, validate=True)
    if base64.b64encode(data).decode() != standard:
        raise ValueError(text)
    return data
