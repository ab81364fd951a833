"""A receiver of side effects: HTTP, in a process of its own, which does each key once and remembers it.

    python outbox_receiver.py PORT FOLDER SEED

What it has done is a file per key in FOLDER/done, made whole or not at all and durable before it answers, so
that it can be killed at any moment. Every arrival is a line in FOLDER/arrived. How it answers depends on the
path: `/done` answers 200; `/trouble` is out of order half of the time, in one of several ways, before or after
doing it; `/slow` does it, and answers after a while; `/status/N` answers N and does nothing; `/conflict` answers 409 and names the key; `/echo` shows what
it was sent; `/drip` answers byte by byte without end; `/huge` answers without end; `/garbage` is not HTTP;
`/short` breaks off its answer; `/elsewhere` redirects to `/done`; `/later` asks for patience.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"
READY_S = 20
SLOW_S = 2


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        self.server.note(f"{key} {self.path}")
        name, _, rest = self.path.partition("?")[0].strip("/").partition("/")
        getattr(self, f"answer_{name}")(key, body, rest)

    def answer_done(self, key: str, body: bytes, _rest: str) -> None:
        self.server.do(key, body)
        self.reply(200, json.dumps({"done": key}).encode())

    def answer_trouble(self, key: str, body: bytes, _rest: str) -> None:
        how = self.server.random.choice(["fine"] * 4 + ["503", "drop", "503 after", "drop after"])
        if how == "fine" or how.endswith("after"):
            self.server.do(key, body)
        if how.startswith("drop"):
            self.hang_up()
        elif how.startswith("503"):
            self.reply(503, b"out of order")
        else:
            self.reply(201, b"{}")

    def answer_slow(self, key: str, body: bytes, _rest: str) -> None:
        self.server.do(key, body)
        self.server.note(f"{key} done")
        time.sleep(SLOW_S)
        self.reply(200, b"{}")

    def answer_status(self, _key: str, _body: bytes, rest: str) -> None:
        self.reply(int(rest), b"as you like")

    def answer_conflict(self, key: str, _body: bytes, _rest: str) -> None:
        self.reply(409, b"known", {"Idempotency-Key": f'"{key}"'})

    def answer_echo(self, _key: str, body: bytes, rest: str) -> None:
        seen = {"path": self.path, "headers": dict(self.headers), "body": body.decode("latin-1")}
        self.reply(int(rest or 200), json.dumps(seen).encode())

    def answer_later(self, _key: str, _body: bytes, rest: str) -> None:
        self.reply(429, b"", {"Retry-After": rest.replace("%20", " ")})

    def answer_elsewhere(self, _key: str, _body: bytes, _rest: str) -> None:
        self.reply(307, b"", {"Location": "/done"})

    def answer_drip(self, _key: str, _body: bytes, _rest: str) -> None:
        self.trickle(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000, pause_s=0.05)

    def answer_huge(self, _key: str, _body: bytes, _rest: str) -> None:
        self.trickle(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"y" * 4_000_000, size=100_000)

    def answer_garbage(self, _key: str, _body: bytes, _rest: str) -> None:
        self.trickle(b"\x00\x01\x02 what is this\r\n\r\n", size=100)

    def answer_short(self, _key: str, _body: bytes, _rest: str) -> None:
        self.trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", size=100)

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def trickle(self, data: bytes, *, size: int = 1, pause_s: float = 0) -> None:
        try:
            for place in range(0, len(data), size):
                self.wfile.write(data[place : place + size])
                self.wfile.flush()
                time.sleep(pause_s)
        except OSError:
            pass
        self.hang_up()

    def hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """The receiver, and what it remembers."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, folder: Path, seed: int) -> None:
        super().__init__((HOST, port), Handler)
        self.folder = folder
        self.random = random.Random(seed)
        (folder / "done").mkdir(parents=True, exist_ok=True)
        self.arrived = os.open(folder / "arrived", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, line: str) -> None:
        os.write(self.arrived, f"{line}\n".encode())

    def do(self, key: str, body: bytes) -> None:
        """Do what is asked, once for each key: the link fails where the key is known."""
        beside = self.folder / f"new-{os.getpid()}-{time.monotonic_ns()}-{self.random.getrandbits(64):x}"
        with beside.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, self.folder / "done" / key)
        except FileExistsError:
            self.note(f"{key} again")
        beside.unlink()

    def handle_error(self, *_args: object) -> None:
        """A deliverer that was killed is no error."""


class Receiver:
    """The receiver's process, seen by a test; it comes back on the same port."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder = folder
        self.seed = seed
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.seed += 1
        command = [sys.executable, "-I", "-S", __file__, str(self.port), str(self.folder), str(self.seed)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        limit = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, "the receiver did not start"
                assert time.monotonic() < limit, "the receiver does not listen"
                time.sleep(0.005)
            else:
                return

    def kill(self) -> None:
        """End it at once, wherever it is."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def done(self) -> dict[str, bytes]:
        """What it has done, by key."""
        return {file.name: file.read_bytes() for file in (self.folder / "done").iterdir()}

    def arrivals(self) -> list[str]:
        """Key and path of each arrival, and `again` where a key was known."""
        file = self.folder / "arrived"
        return file.read_text().splitlines() if file.exists() else []


@contextmanager
def receiver(folder: Path, seed: int = 1) -> Iterator[Receiver]:
    """A running receiver."""
    running = Receiver(folder, seed)
    try:
        yield running
    finally:
        running.kill()


if __name__ == "__main__":
    Server(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])).serve_forever()
