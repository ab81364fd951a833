"""Is somebody listening who answers? Asked before anything heavy is imported.

An empty POST is a valid, empty OTLP request. Any HTTP status means a live server; what it thinks of the
request is the exporter's business. The question is asked on a thread of its own, because looking a name up
cannot be given a time limit.
"""

from __future__ import annotations

import http.client
import threading
from urllib.parse import urlsplit

from phasegate.telemetry.errors import ExportError

CONNECT_TIMEOUT_MS = 150
ANSWER_TIMEOUT_MS = 200


def probe(endpoint: str) -> None:
    """Return if a server at `endpoint` answers within `ANSWER_TIMEOUT_MS`.

    Raises:
        ExportError: nobody does, or the address is none.
    """
    problems: list[str] = []
    answered = threading.Event()

    def ask() -> None:
        problem = _ask(endpoint)
        if problem:
            problems.append(problem)
        answered.set()

    # A daemon, so that a look-up that hangs does not keep the process.
    threading.Thread(target=ask, name="phasegate-otlp-probe", daemon=True).start()
    if not answered.wait(ANSWER_TIMEOUT_MS / 1000):
        problems.append(f"no answer within {ANSWER_TIMEOUT_MS} ms")
    if problems:
        raise ExportError(
            f"the collector at {shown(endpoint)} is not there: {problems[0]}",
            "start the collector, or unset the OTEL_EXPORTER_OTLP_* endpoint; entries are sent later",
        )


def shown(endpoint: str) -> str:
    """Return an endpoint for a message: without user, password and query, which may be secret."""
    try:
        parts = urlsplit(endpoint)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "the configured endpoint"
    return f"`{parts.scheme}://{parts.hostname or ''}{port}{parts.path}`"


def _ask(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return "the endpoint is not an http or https address"
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=CONNECT_TIMEOUT_MS / 1000)
        try:
            headers = {"Content-Type": "application/x-protobuf", "Connection": "close"}
            connection.request("POST", parts.path or "/", body=b"", headers=headers)
            connection.getresponse()
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    return ""
