"""DSSE envelopes: signing a statement, and verifying one that somebody hands over.

Source: DSSE v1.0 `protocol.md` (pre-authentication encoding, verification) and `envelope.md` (JSON form).
Narrower where DSSE leaves a choice: every signature names its key, no key signs twice, base64 is padded and
has one spelling in either alphabet, and fields beyond those of the format are refused.

An envelope is verified in the order of the protocol: decode, signatures, payload type, payload. The payload
is not looked into before a signature over it holds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

import orjson

from phasegate.engine.statements.catalogue import parse_statement
from phasegate.engine.statements.errors import Fault, StatementError
from phasegate.engine.statements.ports import Signer, Verifier
from phasegate.engine.statements.predicate import Predicate
from phasegate.engine.statements.statement import Statement
from phasegate.engine.statements.strict_reading import as_object, read_object, refuse_shape
from phasegate.validators.quoting import quoted

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
SIGNATURE_BYTES: Final = 64
SIGNATURES_MAX: Final = 16
ENVELOPE_BYTES_MAX: Final = 128 * 1024
KEY_ID_CHARS_MAX: Final = 256

_ENVELOPE_FIELDS = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE_FIELDS = frozenset({"keyid", "sig"})
_TO_STANDARD = str.maketrans("-_", "+/")

P = TypeVar("P", bound=Predicate)


class Envelope(NamedTuple):
    """A decoded envelope; nothing about it is proven yet.

    Attributes:
        payload: the bytes that are signed.
        payload_type: what they are said to be.
        signatures: signature by the id of the key that is said to have made it, in their order.
    """

    payload: bytes
    payload_type: str
    signatures: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Verified(Generic[P]):
    """A statement under at least one good signature of a known key.

    Attributes:
        statement: what was signed.
        signers: ids of the known keys that signed it, in the order of their signatures.
    """

    statement: Statement[P]
    signers: tuple[str, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: what a DSSE signature is over.

    `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body`, lengths in bytes as ASCII decimals.
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(statement: Statement[Predicate], signer: Signer) -> bytes:
    """Sign a statement; the envelope is canonical JSON.

    Raises:
        StatementError: `too_large` or `wrong_shape` for the statement, `bad_signature` when the signer
            returns something that is no signature.
        NotEvaluated: the signer cannot reach its key.
    """
    return sign_payload(statement.to_bytes(), signer)


def sign_payload(payload: bytes, signer: Signer) -> bytes:
    """Sign the canonical bytes of a statement; see `sign`.

    Raises:
        StatementError: `bad_signature` when the signer returns something that is no signature.
        NotEvaluated: the signer cannot reach its key.
    """
    signature = signer.sign(pae(PAYLOAD_TYPE, payload))
    if len(signature) != SIGNATURE_BYTES:
        raise StatementError(
            Fault.BAD_SIGNATURE,
            f"the signer `{signer.key_id}` returned {len(signature)} bytes, not {SIGNATURE_BYTES}",
            "use an Ed25519 key",
        )
    return encode_envelope(payload, [(signer.key_id, signature)])


def encode_envelope(payload: bytes, signatures: Iterable[tuple[str, bytes]]) -> bytes:
    """An envelope of in-toto's payload type as canonical JSON.

    Args:
        payload: the bytes that are signed.
        signatures: key id and signature over their `pae`, in order.
    """
    # Fields in the order of their names and base64 without escapes: canonical without a second pass.
    signed = b",".join(
        b'{"keyid":%b,"sig":"%b"}' % (orjson.dumps(key_id), base64.b64encode(signature))
        for key_id, signature in signatures
    )
    return b'{"payload":"%b","payloadType":"%b","signatures":[%b]}' % (
        base64.b64encode(payload),
        PAYLOAD_TYPE.encode(),
        signed,
    )


def verify(envelope: bytes, keys: Mapping[str, Verifier], *, expected_type: type[P]) -> Statement[P]:
    """The statement in an envelope that one of `keys` signed; see `verify_signed`.

    Raises:
        StatementError: as `verify_signed`.
    """
    return verify_signed(envelope, keys, expected_type=expected_type).statement


def verify_signed(envelope: bytes, keys: Mapping[str, Verifier], *, expected_type: type[P]) -> Verified[P]:
    """Verify an envelope and read its statement.

    Signatures of unknown keys count for nothing; every signature that names a known key must hold, and there
    must be one.

    Args:
        envelope: the envelope's JSON.
        keys: the trusted keys by their id; narrow them to those that may sign what is expected.
        expected_type: the predicate type that is expected.

    Raises:
        StatementError: any fault but `not_authorised`.
    """
    opened = read_envelope(envelope)
    signers = _signers(opened, keys)
    if opened.payload_type != PAYLOAD_TYPE:
        _refuse_payload_type(opened.payload_type)
    statement = parse_statement(opened.payload)
    if type(statement.predicate) is not expected_type:
        raise StatementError(
            Fault.UNEXPECTED_PREDICATE,
            f"the statement is a `{statement.predicate.TYPE}`, not a `{expected_type.TYPE}`",
            "hand in the statement that was asked for",
        )
    return Verified(cast("Statement[P]", statement), signers)


def read_envelope(data: bytes) -> Envelope:
    """Decode an envelope without verifying it.

    Raises:
        StatementError: `malformed`, `trailing_data`, `duplicate_key`, `too_large`, `wrong_shape`,
            `bad_base64`, `no_signatures` or `duplicate_signature`.
    """
    value = read_object(data, "the envelope", ENVELOPE_BYTES_MAX, _ENVELOPE_FIELDS)
    payload_type = _text(value["payloadType"], "the payload type")
    payload = _decoded(value["payload"], "the payload")
    return Envelope(payload, payload_type, _signatures(value["signatures"]))


def _signatures(value: Any) -> dict[str, bytes]:
    if not isinstance(value, list):
        refuse_shape("the signatures of the envelope are not an array")
    if not value:
        raise StatementError(Fault.NO_SIGNATURES, "the envelope has no signature", "sign it")
    if len(value) > SIGNATURES_MAX:
        refuse_shape(f"the envelope has {len(value)} signatures, more than the {SIGNATURES_MAX} allowed")
    signatures: dict[str, bytes] = {}
    for item in value:
        fields = as_object(item, "a signature", _SIGNATURE_FIELDS)
        key_id = _text(fields["keyid"], "the key id of a signature")
        if key_id in signatures:
            raise StatementError(
                Fault.DUPLICATE_SIGNATURE,
                f"the key {quoted(key_id)} signed twice",
                "keep one signature of each key",
            )
        signatures[key_id] = _decoded(fields["sig"], "a signature")
    return signatures


def _signers(opened: Envelope, keys: Mapping[str, Verifier]) -> tuple[str, ...]:
    signed = pae(opened.payload_type, opened.payload)
    known = [(keys[key_id], sig) for key_id, sig in opened.signatures.items() if key_id in keys]
    if not known:
        named = quoted(", ".join(opened.signatures))
        raise StatementError(
            Fault.UNKNOWN_KEY,
            f"no known key signed the envelope, only {named}",
            "get the signer's verifier key from whom you trust for it, not from whom you have the envelope",
        )
    for key, signature in known:
        if not key.verify(signature, signed):
            raise StatementError(
                Fault.BAD_SIGNATURE,
                f"the signature of {quoted(key.key_id)} does not hold over payload and payload type",
                "fetch the envelope again from its source",
            )
    return tuple(key.key_id for key, _ in known)


def _refuse_payload_type(payload_type: str) -> None:
    raise StatementError(
        Fault.WRONG_PAYLOAD_TYPE,
        f"the payload is a {quoted(payload_type)}, not an in-toto statement",
        f"expect `{PAYLOAD_TYPE}`",
    )


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= KEY_ID_CHARS_MAX:
        refuse_shape(f"{what} is not a text of 1 to {KEY_ID_CHARS_MAX} characters")
    return value


def _decoded(value: Any, what: str) -> bytes:
    """Standard or URL-safe base64, as DSSE demands of verifiers, in its one padded spelling."""
    if not isinstance(value, str):
        refuse_shape(f"{what} is not base64 text")
    mixed = ("-" in value or "_" in value) and ("+" in value or "/" in value)
    standard = value.translate(_TO_STANDARD)
    try:
        data = base64.b64decode(standard, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or mixed or base64.b64encode(data).decode() != standard:
        raise StatementError(Fault.BAD_BASE64, f"{what} is not base64 in its padded form", "encode it again")
    return data
