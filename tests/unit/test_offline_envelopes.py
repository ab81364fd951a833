"""Whoever verifies an export without the engine reads the envelopes that the engine took, and no others."""

from __future__ import annotations

import base64
import json

import pytest

from phasegate.engine.statements import dsse
from phasegate.engine.statements.errors import StatementError
from phasegate.ledger.offline.envelopes import read_envelope
from phasegate.ledger.offline.found import Found

PAYLOAD = b"\xfb\xff\xfe{}"
SIGNATURE = bytes([0xFB, 0xEF]) * 32


def envelope(payload: str, signature: str) -> bytes:
    signatures = [{"keyid": "alice+053ad9e2", "sig": signature}]
    return json.dumps(
        {"payload": payload, "payloadType": dsse.PAYLOAD_TYPE, "signatures": signatures}
    ).encode()


@pytest.mark.parametrize("encoded", [base64.b64encode, base64.urlsafe_b64encode])
def test_either_alphabet_of_base64_is_read(encoded) -> None:
    data = envelope(encoded(PAYLOAD).decode(), encoded(SIGNATURE).decode())

    read, by_engine = read_envelope(data, "it", "bad_statement"), dsse.read_envelope(data)

    assert (read.payload, dict(read.signatures)) == (by_engine.payload, dict(by_engine.signatures))
    assert read.payload == PAYLOAD
    assert read.encoded() == dsse.encode_envelope(PAYLOAD, [("alice+053ad9e2", SIGNATURE)])


@pytest.mark.parametrize("spelled", ["AB==", "AA=", "AA", "+_==", "A A==", "AA==\n", None, 7, ["AA=="]])
@pytest.mark.parametrize("is_payload", [True, False])
def test_another_spelling_is_refused_by_both(spelled, is_payload) -> None:
    good = base64.b64encode(PAYLOAD).decode()
    data = envelope(spelled, good) if is_payload else envelope(good, spelled)
    with pytest.raises(StatementError):
        dsse.read_envelope(data)
    with pytest.raises(Found):
        read_envelope(data, "it", "bad_statement")
