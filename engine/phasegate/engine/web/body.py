"""The body of a request: read within bounds of size and time, refused where readers would differ over it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request

from phasegate.engine.web.problems import Refusal
from phasegate.engine.web.service import Service

NAME_CHARS_SHOWN = 40


async def read_body(service: Service, request: Request) -> None:
    """Read the body, within its bounds of size and time; what follows finds it read.

    Raises:
        Refusal: it is too large or too slow, breaks off, or has a name twice.
    """
    bytes_max = service.settings.body_bytes_max
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    try:
        async with asyncio.timeout(service.settings.timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
    except ClientDisconnect:
        raise Refusal(400, "gone", "the caller went away before the body was there") from None
    except TimeoutError:
        raise Refusal(408, "body_too_slow", "the body did not come in time", "send it faster") from None
    demand_names_once(body)
    request._body = bytes(body)  # noqa: SLF001 - where Starlette keeps a body that was read


def demand_names_once(body: bytes | bytearray) -> None:
    """Refuse JSON in which a name stands twice: readers differ over which of the two counts.

    What is no JSON at all is told of by whoever reads it.

    Raises:
        Refusal: a name stands twice in one object.
    """
    with suppress(ValueError, RecursionError):
        json.loads(body, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> None:
    seen = set[str]()
    for name, _ in pairs:
        if name in seen:
            shown = ascii(name[:NAME_CHARS_SHOWN])[1:-1]
            text = f"the name `{shown}` stands twice in one object of the body"
            raise Refusal(422, "schema", text, "name each once")
        seen.add(name)


def _too_large(bytes_max: int) -> Refusal:
    text = f"the body has more than {bytes_max} bytes"
    return Refusal(413, "body_too_large", text, "send less at once", {"Connection": "close"})
