"""Whatever is sent to a server, it lives, answers with an error, lets nobody in, and needs no more memory.

`PHASEGATE_HTTP_GARBAGE` says how many inputs are sent.
"""

from __future__ import annotations

import os
import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from guarded_homes import TASK, Guarded, guarded_home
from http_server import Caller, Server, server

from phasegate.engine.app.access.roles import TokenRole

pytestmark = pytest.mark.attack

INPUTS = int(os.environ.get("PHASEGATE_HTTP_GARBAGE", "400"))
GROWTH_KIB_MAX = 16 * 1024
ANSWERED = frozenset({200, 400, 401, 403, 404, 405, 408, 409, 411, 413, 422, 429, 501, 505})
BODY = b'{"documents": {"plan.md": {"text": "# Plan"}}}'
REQUEST = (
    b"POST /v1/tasks/%b/evidence HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n"
    b"Content-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
)
PIECES = (
    b"\r\n", b"\r\n\r\n", b"\x00", b"\xff\xfe", b"Transfer-Encoding: chunked\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"..%2f..%2f", b"A" * 3000, b"[" * 2000, b'"\\ud800"', b"1e999",
    b"Bearer ", b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\n", b"If-Match: *\r\n", b"\xc3\x28",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    """A home with a task."""
    made = guarded_home(tmp_path_factory.mktemp("garbage"))
    made.open_task()
    return made


@pytest.fixture(scope="module")
def token(place: Guarded) -> str:
    """An agent's token."""
    with place.engine() as engine:
        return engine.tokens.create("ann", TokenRole.AGENT, key=place.keys["olga"])[0]


@pytest.fixture(scope="module")
def running(place: Guarded, token: str) -> Iterator[Server]:
    """A server of that home."""
    with server(place.root, "--rate", "0", "--timeout", "1") as process:
        yield process


def mutated(chance: random.Random, request: bytes) -> bytes:
    """A request with a few bytes taken out, put in, exchanged or repeated."""
    data = bytearray(request)
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        choice = chance.randrange(4)
        if choice == 0:
            del data[at : min(to, at + 20)]
        elif choice == 1:
            data[at:at] = chance.choice(PIECES)
        elif choice == 2:
            data[at:at] = chance.randbytes(chance.randint(1, 8))
        else:
            data[at:at] = data[at : min(to, at + 50)]
    return bytes(data)


def answer(url: str, data: bytes) -> bytes:
    """What comes back for these bytes, once nothing more is sent."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as link:
        try:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            found = b""
            while chunk := link.recv(65_536):
                found += chunk
        except ConnectionError:
            return b""
        return found


def rss_kib(pid: int) -> int:
    """Memory that a process has."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


@pytest.mark.parametrize("valid", [True, False])
def test_garbage_is_answered_and_changes_nothing(
    place: Guarded, running: Server, token: str, *, valid: bool
) -> None:
    chance = random.Random(f"garbage {valid}")
    # A token with one character exchanged lets nobody in, however the rest is spelled.
    sent = token if valid else token[:-1] + ("A" if token[-1] != "A" else "B")
    request = REQUEST % (b"T-404" if valid else TASK.encode(), sent.encode(), len(BODY), BODY)
    for _ in range(50):
        answer(running.url, mutated(chance, request))
    before_kib = rss_kib(running.process.pid)
    with place.engine() as engine:
        size = engine.store.head().size

    seen = set()
    for _ in range(INPUTS // 2):
        found = answer(running.url, mutated(chance, request))
        seen |= {int(code) for code in re.findall(rb"^HTTP/1\.1 (\d{3})", found, flags=re.MULTILINE)}

    assert seen <= ANSWERED, seen
    assert len(seen) > 2
    assert rss_kib(running.process.pid) - before_kib < GROWTH_KIB_MAX
    with Caller(running.url, token) as caller:
        assert caller.ask("GET", "/v1/whoami")[0] == 200
    with place.engine() as engine:
        assert engine.store.head().size == size
    assert not [line for line in running.said if "internal" in line or "Traceback" in line]


def test_a_body_that_does_not_come_is_not_waited_for_long(running: Server, token: str) -> None:
    request = REQUEST % (TASK.encode(), token.encode(), 1_000, b"{")
    parts = urlsplit(running.url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as link:
        link.sendall(request)
        found = link.recv(65_536)
    assert found.startswith(b"HTTP/1.1 408 ")


def test_no_name_lets_a_tool_pass_that_the_table_does_not(
    place: Guarded, running: Server, token: str
) -> None:
    chance = random.Random("tools")
    with Caller(running.url, token) as caller:
        _, listed = caller.ask("GET", f"/v1/tasks/{TASK}/tools")
        names = {item["tool"] for item in listed["tools"]}
        exact = {name for name in names if not name.endswith("*")}
        starts = tuple(name[:-1] for name in names if name.endswith("*"))
        for _ in range(INPUTS // 4):
            base = chance.choice([*sorted(exact), "Bash", "Write", "Read ", "mcp__x__y", ""])
            tool = "".join(
                chance.choice([c, c, c, c.swapcase(), c + chance.choice("\u200b /\n.*")]) for c in base
            )

            status, said = caller.ask("POST", f"/v1/tasks/{TASK}/tools/check", {"tool": tool})

            if status != 200:
                assert status == 422
                continue
            assert said["allowed"] is (tool in exact or bool(starts and tool.startswith(starts))), tool
