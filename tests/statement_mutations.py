"""One change to a signed statement for every reason to refuse it: to its envelope, and to a payload truly signed."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from valid_statements import ALICE, ENGINE, KEYS, STATEMENTS, STRANGER, TRANSITION, sha, wrapped

from phasegate.engine.statements import Fault, StatementError, Transition, VerifyKey, Witness, verify
from phasegate.engine.statements.dsse import ENVELOPE_BYTES_MAX
from phasegate.engine.statements.statement import PAYLOAD_BYTES_MAX, SUBJECTS_MAX

VALID = wrapped(STATEMENTS["transition"].to_bytes())


def refused(data: bytes, *, keys: dict[str, VerifyKey] = KEYS, expected: type = Transition) -> StatementError:
    """The error that says why it is refused, with a remedy."""
    with pytest.raises(StatementError) as caught:
        verify(data, keys, expected_type=expected)
    assert caught.value.remedy
    assert caught.value.exit_code == 4
    return caught.value


def changed(**fields: Any) -> dict[str, Any]:
    """The envelope with other fields."""
    return {**copy.deepcopy(VALID), **fields}


def without(field: str) -> dict[str, Any]:
    """The envelope with a field less."""
    return {name: value for name, value in VALID.items() if name != field}


def resigned(**fields: Any) -> list[dict[str, Any]]:
    """The one signature with other fields."""
    return [{**VALID["signatures"][0], **fields}]


def as_bytes(value: Any) -> bytes:
    """JSON, or bytes as they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


RAW = as_bytes(VALID)
SIG = VALID["signatures"][0]["sig"]

ENVELOPE_MUTATIONS = {
    "empty": (b"", Fault.MALFORMED),
    "not json": (b"payload", Fault.MALFORMED),
    "not utf-8": (b"\xff" + RAW, Fault.MALFORMED),
    "byte order mark": (b"\xef\xbb\xbf" + RAW, Fault.MALFORMED),
    "nested without end": (b"[" * 60_000, Fault.MALFORMED),
    "cut": (RAW[:-1], Fault.MALFORMED),
    "trailing object": (RAW + b"{}", Fault.TRAILING_DATA),
    "trailing garbage": (RAW + b" x", Fault.TRAILING_DATA),
    "duplicate key": (b'{"payload":"e30=",' + RAW[1:], Fault.DUPLICATE_KEY),
    "too large": (RAW[:-1] + b" " * ENVELOPE_BYTES_MAX + b"}", Fault.TOO_LARGE),
    "an array": ([VALID], Fault.WRONG_SHAPE),
    "unknown field": (changed(note=""), Fault.WRONG_SHAPE),
    "no payload": (without("payload"), Fault.WRONG_SHAPE),
    "no payload type": (without("payloadType"), Fault.WRONG_SHAPE),
    "no signatures field": (without("signatures"), Fault.WRONG_SHAPE),
    "payload is a number": (changed(payload=1), Fault.WRONG_SHAPE),
    "payload type is null": (changed(payloadType=None), Fault.WRONG_SHAPE),
    "payload type is empty": (changed(payloadType=""), Fault.WRONG_SHAPE),
    "signatures is an object": (changed(signatures={}), Fault.WRONG_SHAPE),
    "signature is text": (changed(signatures=[SIG]), Fault.WRONG_SHAPE),
    "signature without key id": (changed(signatures=[{"sig": SIG}]), Fault.WRONG_SHAPE),
    "signature with empty key id": (changed(signatures=resigned(keyid="")), Fault.WRONG_SHAPE),
    "signature with a field more": (changed(signatures=resigned(cert="")), Fault.WRONG_SHAPE),
    "signature is a number": (changed(signatures=resigned(sig=1)), Fault.WRONG_SHAPE),
    "too many signatures": (
        changed(signatures=[{"keyid": str(n), "sig": SIG} for n in range(17)]),
        Fault.WRONG_SHAPE,
    ),
    "zero signatures": (changed(signatures=[]), Fault.NO_SIGNATURES),
    "one key twice": (changed(signatures=resigned() * 2), Fault.DUPLICATE_SIGNATURE),
    "payload without padding": (changed(payload="e30"), Fault.BAD_BASE64),
    "payload with white space": (changed(payload="e3 0="), Fault.BAD_BASE64),
    "payload with stray bits": (changed(payload="e31="), Fault.BAD_BASE64),
    "payload outside ascii": (changed(payload="e30é"), Fault.BAD_BASE64),
    "payload in two alphabets": (changed(payload="+_+_"), Fault.BAD_BASE64),
    "signature without padding": (changed(signatures=resigned(sig=SIG.rstrip("="))), Fault.BAD_BASE64),
    "signature with stray bits": (
        changed(signatures=resigned(sig=SIG[:-3] + chr(ord(SIG[-3]) + 1) + "==")),
        Fault.BAD_BASE64,
    ),
    "unknown key": (wrapped(STATEMENTS["transition"].to_bytes(), STRANGER), Fault.UNKNOWN_KEY),
    "key id of another": (changed(signatures=resigned(keyid=ALICE.key_id)), Fault.BAD_SIGNATURE),
    "key id in upper case": (changed(signatures=resigned(keyid=ENGINE.key_id.upper())), Fault.UNKNOWN_KEY),
    "empty signature": (changed(signatures=resigned(sig="")), Fault.BAD_SIGNATURE),
    "another payload": (changed(payload="e30="), Fault.BAD_SIGNATURE),
    "payload type swapped": (changed(payloadType="application/json"), Fault.BAD_SIGNATURE),
    "payload type swapped and signed": (
        wrapped(STATEMENTS["transition"].to_bytes(), payload_type="application/json"),
        Fault.WRONG_PAYLOAD_TYPE,
    ),
}


def payload_of(name: str, *path: str | int, value: Any = None, drop: bool = False) -> bytes:
    """A statement in which the value at a path is another, or gone."""
    tree = json.loads(STATEMENTS[name].to_bytes())
    node = tree
    for step in path[:-1]:
        node = node[step]
    if drop:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return json.dumps(tree).encode()


GOOD = STATEMENTS["transition"].to_bytes()
PAYLOAD_MUTATIONS = {
    "not json": (b"hello", Fault.MALFORMED),
    "trailing data": (GOOD + GOOD, Fault.TRAILING_DATA),
    "duplicate key": (b'{"_type":"x",' + GOOD[1:], Fault.DUPLICATE_KEY),
    "duplicate key within": (GOOD.replace(b'"checks":', b'"checks":[],"checks":'), Fault.DUPLICATE_KEY),
    "too large": (GOOD[:-1] + b" " * PAYLOAD_BYTES_MAX + b"}", Fault.TOO_LARGE),
    "statement v0.1": (
        payload_of("transition", "_type", value="https://in-toto.io/Statement/v0.1"),
        Fault.WRONG_STATEMENT_TYPE,
    ),
    "type is a number": (payload_of("transition", "_type", value=1), Fault.WRONG_STATEMENT_TYPE),
    "no type": (payload_of("transition", "_type", drop=True), Fault.WRONG_SHAPE),
    "no predicate": (payload_of("transition", "predicate", drop=True), Fault.WRONG_SHAPE),
    "a field more": (payload_of("transition", "extra", value=1), Fault.WRONG_SHAPE),
    "unknown predicate": (
        payload_of("transition", "predicateType", value="https://slsa.dev/provenance/v1"),
        Fault.UNKNOWN_PREDICATE,
    ),
    "predicate type is a list": (
        payload_of("transition", "predicateType", value=[]),
        Fault.UNKNOWN_PREDICATE,
    ),
    "later predicate": (
        payload_of("transition", "predicateType", value="https://phasegate.dev/predicates/transition/v2"),
        Fault.UNKNOWN_PREDICATE,
    ),
    "predicate of another type": (STATEMENTS["witness"].to_bytes(), Fault.UNEXPECTED_PREDICATE),
    "predicate under another type": (
        payload_of("transition", "predicateType", value=Witness.TYPE),
        Fault.BAD_PREDICATE,
    ),
    "predicate is a list": (payload_of("transition", "predicate", value=[]), Fault.BAD_PREDICATE),
    "field by its python name": (
        GOOD.replace(b'"from":"VERIFY"', b'"source":"VERIFY"'),
        Fault.BAD_PREDICATE,
    ),
    "a float": (payload_of("transition", "predicate", "attempt", value=1.0), Fault.BAD_PREDICATE),
    "a boolean count": (payload_of("transition", "predicate", "attempt", value=True), Fault.BAD_PREDICATE),
    "a count beyond 2**53": (
        payload_of("transition", "predicate", "attempt", value=2**53),
        Fault.BAD_PREDICATE,
    ),
    "a negative count": (payload_of("transition", "predicate", "attempt", value=-1), Fault.BAD_PREDICATE),
    "a lower-case phase": (payload_of("transition", "predicate", "to", value="review"), Fault.BAD_PREDICATE),
    "a phase with a newline": (
        payload_of("transition", "predicate", "to", value="REVIEW\n"),
        Fault.BAD_PREDICATE,
    ),
    "an impossible time": (
        payload_of("transition", "predicate", "at", value="2026-13-21T09:30:00.000000Z"),
        Fault.BAD_PREDICATE,
    ),
    "an unknown origin": (
        payload_of("transition", "predicate", "gate", "evidence", 0, "origin", value="trusted"),
        Fault.BAD_PREDICATE,
    ),
    "no subject": (payload_of("transition", "subject", value=[]), Fault.BAD_SUBJECT),
    "subject is an object": (payload_of("transition", "subject", value={}), Fault.WRONG_SHAPE),
    "subject without digest": (
        payload_of("transition", "subject", 0, "digest", drop=True),
        Fault.WRONG_SHAPE,
    ),
    "subject with a uri": (payload_of("transition", "subject", 0, "uri", value="x"), Fault.WRONG_SHAPE),
    "another digest": (
        payload_of("transition", "subject", 0, "digest", "sha1", value="0" * 40),
        Fault.WRONG_SHAPE,
    ),
    "upper-case digest": (
        payload_of("transition", "subject", 0, "digest", "sha256", value=sha("A")),
        Fault.BAD_SUBJECT,
    ),
    "subject that is no evidence": (
        payload_of("transition", "subject", 0, "digest", "sha256", value=sha("f")),
        Fault.BAD_SUBJECT,
    ),
    "subject renamed": (payload_of("transition", "subject", 0, "name", value="other"), Fault.BAD_SUBJECT),
    "evidence without its subject": (payload_of("transition", "subject", 1, drop=True), Fault.BAD_SUBJECT),
    "evidence named twice": (
        payload_of(
            "transition",
            "predicate",
            "gate",
            "evidence",
            value=[item.model_dump() for item in (*TRANSITION.gate.evidence, TRANSITION.gate.evidence[0])],
        ),
        Fault.BAD_SUBJECT,
    ),
    "two subjects of one name": (
        payload_of("transition", "subject", 1, "name", value="test_results.json"),
        Fault.BAD_SUBJECT,
    ),
    "thousands of subjects": (
        payload_of("transition", "subject", value=[0] * (SUBJECTS_MAX + 1)),
        Fault.BAD_SUBJECT,
    ),
}
