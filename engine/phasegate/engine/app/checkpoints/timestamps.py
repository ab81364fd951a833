"""Timestamps (RFC 3161): a third party says when a checkpoint was there, which no clock of ours can.

A timestamp is over the SHA-256 of a checkpoint's bytes. It says nothing of what came after, and is worth what
its authority is: whose root certificate counts is for whoever checks it to say.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from phasegate.engine.app.outbox.delivery import HttpSender, Letter, Sender
from phasegate.engine.core.errors import BadInput, IntegrityError, NotEvaluated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampRequest, TimeStampResponse

TIMEOUT_S: Final = 30
OK: Final = 200
_QUERY: Final = "application/timestamp-query"


class Stamped(NamedTuple):
    """What a timestamp says.

    Attributes:
        at: when its authority saw the bytes, RFC 3339 UTC.
        serial: the authority's number for it.
        digest: SHA-256 of the bytes, in hex.
    """

    at: str
    serial: int
    digest: str


def request_timestamp(data: bytes, url: str, sender: Sender | None = None) -> bytes:
    """Ask an authority for a timestamp; returns its answer, DER.

    Args:
        data: bytes of a checkpoint.
        url: the authority's.
        sender: posts.

    Raises:
        NotEvaluated: the extra is not installed, or the authority gave none.
        IntegrityError: what it gave is not about these bytes, or not for this request.
    """
    client = _client()
    asked: TimeStampRequest = (
        client.TimestampRequestBuilder().data(data).hash_algorithm(client.HashAlgorithm.SHA256).build()
    )
    body = asked.as_bytes()
    key = hashlib.sha256(body).hexdigest()
    letter = Letter(key, "timestamp", url, body, media_type=_QUERY, timeout_s=TIMEOUT_S)
    reply = (sender or HttpSender()).send(letter)
    if reply.status != OK:
        said = reply.reason or reply.body[:200].decode("utf-8", "replace")
        raise NotEvaluated(
            f"the timestamp authority at `{url}` answered {reply.status}: {said}", "try again, or ask another"
        )
    given = _decoded(reply.body)
    _about(given, data)
    if given.tst_info.nonce != asked.nonce:
        raise IntegrityError("the timestamp is for another request", "ask again; somebody answers old ones")
    return reply.body


def check_timestamp(data: bytes, token: bytes, roots: Sequence[Certificate]) -> Stamped:
    """What a timestamp says of these bytes, once it is found to hold.

    Args:
        data: bytes of the checkpoint.
        token: the authority's answer, DER.
        roots: certificates that are trusted for timestamps.

    Raises:
        NotEvaluated: the extra is not installed.
        BadInput: there is no root, or the token is none.
        IntegrityError: it is of other bytes, or no chain leads from its signature to a root.
    """
    client = _client()
    if not roots:
        text = "no certificate is trusted for timestamps"
        raise BadInput(text, "name the authority's root: `--root FILE.pem`")
    given = _decoded(token)
    _about(given, data)
    builder = client.VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(given, data)
    except (client.VerificationError, ValueError) as error:
        text = f"the timestamp does not hold: {' '.join(str(error).split())}"
        remedy = "get the authority's root certificate from itself, and the timestamp anew"
        raise IntegrityError(text, remedy) from error
    said = given.tst_info
    at = said.gen_time.astimezone(UTC) if said.gen_time.tzinfo else said.gen_time.replace(tzinfo=UTC)
    return Stamped(_written(at), said.serial_number, hashlib.sha256(data).hexdigest())


def read_roots(pem: bytes) -> list[Certificate]:
    """The certificates of a PEM file; raises BadInput when it has none."""
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - only for timestamps

    try:
        return load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadInput("the file has no certificate", "give the root's certificate, PEM") from error


def _about(given: TimeStampResponse, data: bytes) -> None:
    try:
        # What stands in the token is read only now, and may be no token.
        imprint = given.tst_info.message_imprint.message
    except ValueError as error:
        raise _no_answer() from error
    if imprint != hashlib.sha256(data).digest():
        text = "the timestamp is of other bytes"
        raise IntegrityError(text, "give the checkpoint it was asked for, unchanged")


def _decoded(token: bytes) -> TimeStampResponse:
    client = _client()
    try:
        given: TimeStampResponse = client.decode_timestamp_response(token)
        granted = given.status in {client.PKIStatus.GRANTED, client.PKIStatus.GRANTED_WITH_MODS}
    except ValueError as error:
        raise _no_answer() from error
    if not granted:
        said = "; ".join(given.status_string) or f"status {given.status}"
        raise NotEvaluated(f"the authority gave no timestamp: {said}", "ask it again, or another")
    return given


def _no_answer() -> BadInput:
    return BadInput("this is no answer of a timestamp authority", "give the file it sent, DER")


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _client() -> ModuleType:
    try:
        import rfc3161_client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise NotEvaluated(
            "timestamps need the extra `timestamp`", "install it: `pip install phasegate[timestamp]`"
        ) from error
    return rfc3161_client
