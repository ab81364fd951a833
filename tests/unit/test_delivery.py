"""Posting one letter to a receiver that behaves, misbehaves, or is not there."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
from outbox_receiver import HOST, Receiver, receiver

from phasegate.engine.app.outbox.delivery import (
    RESPONSE_BYTES_MAX,
    HttpSender,
    Letter,
    Reply,
    content_type,
    retry_after_ms,
)

KEY = "a" * 64
NOW = "2026-01-31T09:30:00.000000Z"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


def post(there: Receiver, path: str, body: bytes = b"{}", *, token: str = "", timeout_s: float = 10) -> Reply:
    letter = Letter(KEY, "webhook", there.url(path), body, token, {"X-More": "yes"}, timeout_s)
    return HttpSender().send(letter)


def test_a_letter_arrives_whole_and_under_its_key(there: Receiver) -> None:
    body = bytes(range(256))

    reply = post(there, "/done", body)

    assert (reply.status, reply.reason, json.loads(reply.body)) == (200, "", {"done": KEY})
    assert there.done()[KEY] == body


def test_what_the_receiver_sees(there: Receiver) -> None:
    reply = post(there, "/echo?x=1&y=%20", b'{"a":1}', token="Bearer se-cret")

    seen = json.loads(reply.body)
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert seen["path"] == "/echo?x=1&y=%20"
    assert seen["body"] == '{"a":1}'
    assert headers["idempotency-key"] == KEY
    assert headers["phasegate-effect"] == "webhook"
    assert headers["content-type"] == "application/json"
    assert headers["x-more"] == "yes"
    assert headers["content-length"] == "7"
    # The token was sent, and an echo of it is not kept.
    assert headers["authorization"] == "Bearer [redacted]"
    assert "se-cret" not in repr(Letter(KEY, "e", "u", b"", token="se-cret"))


def test_without_a_token_nothing_is_authorised(there: Receiver) -> None:
    assert "authorization" not in post(there, "/echo").body.decode().lower()


@pytest.mark.parametrize("status", [201, 204, 301, 400, 404, 409, 410, 422, 429, 500, 503])
def test_a_status_is_told(there: Receiver, status: int) -> None:
    reply = post(there, f"/status/{status}")

    assert reply.status == status
    assert bool(reply.reason) == (status >= 300)
    assert str(status) in reply.reason or status < 300


def test_a_redirect_is_not_followed(there: Receiver) -> None:
    before = len(there.arrivals())

    assert post(there, "/elsewhere").status == 307
    assert len(there.arrivals()) == before + 1


def test_a_conflict_names_its_key(there: Receiver) -> None:
    assert post(there, "/conflict").key == KEY


@pytest.mark.parametrize("wait", ["7", "Sat, 31 Jan 2026 09:31:00 GMT"])
def test_a_wish_for_patience_is_told(there: Receiver, wait: str) -> None:
    assert post(there, f"/later/{wait.replace(' ', '%20')}").retry_after == wait


def test_an_answer_that_breaks_off_keeps_its_status(there: Receiver) -> None:
    reply = post(there, "/short")

    assert (reply.status, reply.reason, reply.body) == (200, "", b"half")


def test_an_answer_without_end_is_cut(there: Receiver) -> None:
    reply = post(there, "/huge")

    assert (reply.status, len(reply.body)) == (200, RESPONSE_BYTES_MAX)


def test_an_answer_byte_by_byte_meets_the_deadline(there: Receiver) -> None:
    began = time.monotonic()

    reply = post(there, "/drip", timeout_s=0.5)

    assert time.monotonic() - began < 5
    assert (reply.status, reply.reason) == (0, "no answer within 0.5 s")


def test_what_is_no_http_is_no_answer(there: Receiver) -> None:
    reply = post(there, "/garbage")

    assert reply.status == 0
    assert reply.reason.startswith("no answer: ")
    assert reply.reason.isprintable()


def test_nobody_there_is_no_answer(there: Receiver) -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        url = f"http://{HOST}:{free.getsockname()[1]}/"
    reply = HttpSender().send(Letter(KEY, "webhook", url, b"", timeout_s=5))

    assert (reply.status, reply.reason) == (0, "no answer: Connection refused")


def test_plain_text_on_a_tls_port_is_no_answer(there: Receiver) -> None:
    url = there.url("/done").replace("http://", "https://")

    reply = HttpSender().send(Letter(KEY, "webhook", url, b"", timeout_s=5))

    assert reply.status == 0
    assert reply.reason


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', "application/json"),
        (b"# Title", "text/plain; charset=utf-8"),
        (b"\xff\xfe", "application/octet-stream"),
        (b"", "text/plain; charset=utf-8"),
    ],
)
def test_the_media_type_is_that_of_the_bytes(body: bytes, expected: str) -> None:
    assert content_type(body) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", 0),
        ("0", 0),
        ("120", 120_000),
        (" 5 ", 5_000),
        ("-5", 0),
        ("1.5", 0),
        ("9" * 30, 0),
        ("soon", 0),
        ("Sat, 31 Jan 2026 09:31:30 GMT", 90_000),
        ("Sat, 31 Jan 2026 09:29:00 GMT", 0),
        ("Sat, 31 Jan 2026 10:30:30 +0100", 30_000),
        ("Sat, 99 Jan 2026 10:30:30 GMT", 0),
        (f"Sat, 31 Jan {9**30} 10:30:30 GMT", 0),
    ],
)
def test_the_wait_a_header_asks_for(header: str, expected: int) -> None:
    assert retry_after_ms(header, NOW) == expected
