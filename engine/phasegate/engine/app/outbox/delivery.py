"""Delivering one side effect: an HTTP POST with an idempotency key, no redirects, one deadline for all."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final, Protocol

import orjson

from phasegate.engine.app.outbox.policy import Target, parse_target

KEY_HEADER: Final = "Idempotency-Key"
EFFECT_HEADER: Final = "Phasegate-Effect"
RESPONSE_BYTES_MAX: Final = 64 * 1024
REDACTED: Final = b"[redacted]"

_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_CHUNK_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted.

    Attributes:
        key: idempotency key.
        effect: what the receiver is to do.
        url: where to.
        body: the bytes.
        token: credential of the header `Authorization`, with its scheme; empty for none. Never shown.
        headers: further headers.
        timeout_s: seconds all of it may take.
        media_type: of the body; told by its bytes without one.
    """

    key: str
    effect: str
    url: str
    body: bytes
    token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 30
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        status: HTTP status; 0 when there was no answer.
        reason: what went wrong, in words; empty for a status of success.
        body: the answer's body, cut at `RESPONSE_BYTES_MAX`, the token taken out of it.
        retry_after: header `Retry-After`; empty for none.
        key: header `Idempotency-Key`; empty for none.
    """

    status: int
    reason: str = ""
    body: bytes = b""
    retry_after: str = ""
    key: str = ""


class Sender(Protocol):
    """Posts letters."""

    def send(self, letter: Letter) -> Reply:
        """Post a letter and return what came back; nothing is raised for what the network does."""
        ...


class HttpSender:
    """Posts letters over HTTP/1.1, each on a connection of its own; certificates are verified."""

    def send(self, letter: Letter) -> Reply:
        """Post a letter."""
        connection = _connection(parse_target(letter.url), letter.timeout_s)
        late = threading.Event()
        watch = threading.Timer(letter.timeout_s, _cut, (connection, late))
        watch.daemon = True
        watch.start()
        try:
            return _exchange(connection, letter)
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = f"no answer within {letter.timeout_s:g} s" if late.is_set() else _told(error)
            return Reply(0, _redacted(said.encode(), letter.token).decode("utf-8", "replace"))
        finally:
            watch.cancel()
            connection.close()


def retry_after_ms(header: str, now: str) -> int:
    """Wait that a header `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3); 0 for none."""
    if _SECONDS.fullmatch(header.strip()):
        return int(header) * 1_000
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError):
        return 0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0, int((until - datetime.fromisoformat(now)).total_seconds() * 1_000))


def content_type(body: bytes) -> str:
    """Media type of a body: JSON, else text, else octets."""
    try:
        orjson.loads(body)
    except ValueError:
        try:
            body.decode()
        except ValueError:
            return "application/octet-stream"
        return "text/plain; charset=utf-8"
    return "application/json"


def _connection(target: Target, timeout_s: float) -> http.client.HTTPConnection:
    if target.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(target.host, target.port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(target.host, target.port, timeout=timeout_s)


def _exchange(connection: http.client.HTTPConnection, letter: Letter) -> Reply:
    target = parse_target(letter.url)
    path = f"{target.path}?{target.query}" if target.query else target.path
    connection.request("POST", path, letter.body, _headers(letter))
    response = connection.getresponse()
    status, text = response.status, response.reason or ""
    body = _redacted(_bounded(response), letter.token)
    success = http.client.OK <= status < http.client.MULTIPLE_CHOICES
    text = _printable(_redacted(text.encode(), letter.token).decode("utf-8", "replace"))
    return Reply(
        status,
        "" if success else f"the receiver answered {status} {text}".strip(),
        body,
        response.headers.get("Retry-After", ""),
        response.headers.get(KEY_HEADER, "").strip(' "'),
    )


def _headers(letter: Letter) -> dict[str, str]:
    headers = {
        "User-Agent": f"phasegate/{version('phasegate')}",
        "Accept": "*/*",
        **letter.headers,
        "Content-Type": letter.media_type or content_type(letter.body),
        "Connection": "close",
        KEY_HEADER: letter.key,
        EFFECT_HEADER: letter.effect,
    }
    return {**headers, "Authorization": letter.token} if letter.token else headers


def _bounded(response: http.client.HTTPResponse) -> bytes:
    """The beginning of the answer's body. The status says what happened, so a body that breaks off is cut."""
    body = bytearray()
    try:
        while len(body) < RESPONSE_BYTES_MAX:
            chunk = response.read(min(_CHUNK_BYTES, RESPONSE_BYTES_MAX - len(body)))
            if not chunk:
                break
            body += chunk
    except (OSError, http.client.HTTPException):
        pass
    return bytes(body)


def _redacted(data: bytes, token: str) -> bytes:
    """Bytes without the token, which a receiver may echo."""
    secret = token.rpartition(" ")[2].encode()
    return data.replace(secret, REDACTED) if secret else data


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:100]


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate does not hold: {_printable(error.verify_message)}"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"no answer: {_printable(str(text))}"


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """Break a connection whose time is up; whoever reads from it sees its end."""
    late.set()
    try:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
