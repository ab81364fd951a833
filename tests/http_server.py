"""A server in a process of its own, as `engine serve` starts it, and a client that speaks HTTP/1.1 to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

START_S = 30


class Server:
    """A running server.

    Attributes:
        said: the lines it wrote to standard error so far.
        url: where it listens.
    """

    def __init__(self, home: Path, *args: str) -> None:
        command = [
            sys.executable,
            "-m",
            "phasegate.engine.cli",
            "serve",
            "--home",
            str(home),
            "--port",
            "0",
            *args,
        ]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")}
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environ
        )
        self.said: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._listening.wait(START_S):
            self.process.kill()
        self.url = next((line.rsplit(" at ", 1)[1] for line in self.said if line.startswith("serving ")), "")

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))
            if line.startswith("trust: "):
                self._listening.set()
        self._listening.set()

    def stop(self) -> int:
        """Ask it to stop, and wait until it has; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(START_S)
        self._reader.join(START_S)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextmanager
def server(home: Path, *args: str) -> Iterator[Server]:
    """A server of a home, while this lasts."""
    running = Server(home, *args)
    try:
        assert running.url, running.said
        yield running
    finally:
        running.stop()


class Caller:
    """One connection with a token. For one thread.

    Args:
        url: where the server listens.
        token: the token.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname or "unix"), parts.port, timeout=60)
        if parts.scheme == "unix":
            self._connection.sock = socket.socket(socket.AF_UNIX)
            self._connection.sock.connect(parts.path)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._streaming: http.client.HTTPResponse | None = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON body of one request; header names with `_` for `-`."""
        said = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content = None if body is None else json.dumps(body)
        if content is not None:
            said["Content-Type"] = "application/json"
        self._connection.request(method, path, content, said)
        response = self._connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None

    def events(self, path: str, **headers: str) -> Iterator[tuple[int, str, Any]]:
        """The events of a stream: id, type, data."""
        said = {**self._headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self._connection.request("GET", path, None, said)
        self._streaming = response = self._connection.getresponse()
        assert response.status == 200, response.read()
        event: dict[str, str] = {}
        for raw in response:
            name, _, value = raw.decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
            elif "id" in event:
                yield int(event["id"]), event["event"], json.loads(event["data"])
                event = {}

    def close(self) -> None:
        """Close the connection."""
        if self._streaming is not None:
            self._streaming.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
