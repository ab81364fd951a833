"""JSON-RPC messages, one a line: read strictly, written anew.

A message is parsed, checked and encoded again on its way, never passed on as bytes: what was decided on is
what the other side reads, whatever a second key of one name would have meant to its parser.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import orjson

Message: TypeAlias = dict[str, Any]

MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of one message, in either direction; what a tool is called with has a lower bound of its own."""
ID_CHARS_MAX: Final = 512
METHOD_CHARS_MAX: Final = 128
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INTERNAL_ERROR: Final = -32603
UNAVAILABLE: Final = -32000
VERSION_IN_META: Final = "io.modelcontextprotocol/protocolVersion"
"""In the `_meta` of each request of the versions from 2026 on, which have no handshake."""

# As deep as a message may be without a look whether it can be written again: readers go deeper than writers.
_SURELY_SHALLOW: Final = 100
_REMEDY: Final = "send one JSON-RPC 2.0 message a line, as the Model Context Protocol has them"


class Malformed(Exception):
    """A line that is no single message.

    Attributes:
        code: JSON-RPC error code.
        message: what is wrong.
        id: of the request it was meant to be; None where nobody can tell.
        meant: whether it was meant to be a message, as far as anybody can tell.
    """

    def __init__(self, code: int, message: str, id_: str | int | None = None, *, meant: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id_
        self.meant = meant

    def answer(self) -> Message:
        """What the sender is told."""
        data = {"code": "message.malformed", "remedy": _REMEDY}
        return error(self.id, self.code, self.message, data)


def parsed(line: bytes) -> Message:
    """The message in a line, with no key but those of JSON-RPC.

    Raises:
        Malformed: it is no JSON, a batch, or neither a request, a notification nor an answer.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Malformed(PARSE_ERROR, "a message is no JSON", meant=b"jsonrpc" in line) from None
    if isinstance(value, list):
        raise Malformed(INVALID_REQUEST, "batches are not taken")
    if not isinstance(value, dict):
        raise Malformed(INVALID_REQUEST, "a message is no object", meant=False)
    message = checked(value)
    if line.count(b"{") + line.count(b"[") > _SURELY_SHALLOW:
        _demand_writable(message)
    return message


def _demand_writable(message: Message) -> None:
    try:
        orjson.dumps(message)
    except TypeError:
        raise Malformed(INVALID_REQUEST, "a message is nested too deep", message.get("id")) from None


def checked(value: Message) -> Message:
    """The same message, with no key but those of JSON-RPC; raises Malformed."""
    key = value.get("id")
    if isinstance(key, bool) or not isinstance(key, str | int | None):
        raise Malformed(INVALID_REQUEST, "the id of a message is no text and no whole number")
    if isinstance(key, str) and len(key) > ID_CHARS_MAX:
        raise Malformed(INVALID_REQUEST, f"the id of a message has more than {ID_CHARS_MAX} characters")
    if value.get("jsonrpc") != "2.0":
        raise Malformed(INVALID_REQUEST, "a message is no JSON-RPC 2.0", key)
    if key is None and "id" in value:
        raise Malformed(INVALID_REQUEST, "the id of a message is null")
    found = {"jsonrpc": "2.0"} if key is None else {"jsonrpc": "2.0", "id": key}
    return found | (_asked(value, key) if "method" in value else _answered(value, key))


def _asked(value: Message, key: str | int | None) -> Message:
    """What a request or a notification has beside its id."""
    method, params = value["method"], value.get("params")
    if not isinstance(method, str) or len(method) > METHOD_CHARS_MAX:
        raise Malformed(INVALID_REQUEST, "the method of a message is none", key)
    if "result" in value or "error" in value:
        raise Malformed(INVALID_REQUEST, "a message asks and answers at once", key)
    if params is None:
        return {"method": method}
    if not isinstance(params, dict):
        raise Malformed(INVALID_REQUEST, "the params of a message are no object", key)
    return {"method": method, "params": params}


def _answered(value: Message, key: str | int | None) -> Message:
    """What an answer has beside its id."""
    found, told = value.get("result"), value.get("error")
    if isinstance(found, dict) and "error" not in value:
        return {"result": found}
    if "result" not in value and _is_error(told):
        return {"error": told}
    raise Malformed(INVALID_REQUEST, "a message neither asks nor answers", key)


def _is_error(value: object) -> bool:
    return (
        isinstance(value, dict) and type(value.get("code")) is int and isinstance(value.get("message"), str)
    )


def encoded(message: Message) -> bytes:
    """A message as a line."""
    return orjson.dumps(message) + b"\n"


def result(key: object, value: Message) -> Message:
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": key, "result": value}


def error(key: object, code: int, message: str, data: Message | None = None) -> Message:
    """The answer to a request that failed."""
    body: Message = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return {"jsonrpc": "2.0", "id": key, "error": body}


def notification(method: str, params: Message | None = None) -> Message:
    """A message that wants no answer."""
    found: Message = {"jsonrpc": "2.0", "method": method}
    return found if params is None else {**found, "params": params}
