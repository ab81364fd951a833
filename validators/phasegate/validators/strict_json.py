"""JSON read strictly: what two parsers could read differently is refused.

Follows the I-JSON restrictions (RFC 7493): UTF-8, no duplicate names, no lone surrogates, no numbers that a
double or a 64-bit integer cannot hold; plus limits on size and depth. No I/O.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import printable, quoted


def parse(
    content: bytes,
    max_bytes: int = LIMITS.max_json_bytes,
    max_values: int = LIMITS.max_json_values,
) -> Any:
    """Return the value that `content` encodes.

    Raises:
        MalformedJsonError: code `json.too_large`, `json.not_utf8`, `json.malformed`, `json.duplicate_key`,
            `json.not_a_number`, `json.number_too_large`, `json.too_deep` or `json.lone_surrogate`.
    """
    if len(content) > max_bytes:
        message = f"the document has {len(content)} bytes, more than the {max_bytes} allowed"
        _refuse("json.too_large", "document", message, "split the document or leave out what is not evidence")
    text = _decoded(content)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse(
            "json.malformed",
            f"line {error.lineno} column {error.colno}",
            f"the document is not json: {error.msg.lower()}",
            "write the file with a json library",
        )
    except RecursionError:
        _too_deep()
    except ValueError:
        # int() refuses literals of more than 4,300 digits with a bare ValueError.
        _number_too_large("a number with thousands of digits")
    _check_tree(value, max_values)
    return value


def pointer(path: list[str | int]) -> str:
    """Return the RFC 6901 JSON pointer of `path`, or `document` for the root.

    It is for people to read: characters that do not print are escaped, and a long one is cut.
    """
    if not path:
        return "document"
    return printable("".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse("json.not_utf8", f"byte {error.start}", "the document is not utf-8", "save the file as utf-8")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                message = f"the key {quoted(name)} stands twice in one object"
                _refuse("json.duplicate_key", f"key {quoted(name)}", message, "keep one of the two")
            seen.add(name)
    return members


def _no_constant(literal: str) -> NoReturn:
    _refuse(
        "json.not_a_number",
        "document",
        f"{quoted(literal)} is not a json number",
        "write null and a reason instead of NaN or an infinity",
    )


def _check_tree(root: Any, max_values: int) -> None:
    """Walk without recursion: the depth is the author's choice."""
    stack: list[tuple[Any, int]] = [(root, 1)]
    seen = 0
    while stack:
        value, depth = stack.pop()
        if isinstance(value, (dict, list)):
            if depth > LIMITS.max_json_depth:
                _too_deep()
            seen += len(value)
            if seen > max_values:
                message = f"the document holds more than {max_values} values"
                _refuse("json.too_large", "document", message, "leave out what is not evidence")
            children = value.values() if isinstance(value, dict) else value
            stack.extend((child, depth + 1) for child in children)
            if isinstance(value, dict):
                for name in value:
                    _check_text(name)
        else:
            _check_scalar(value)


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        _number_too_large("a number beyond the range of a double")
    elif isinstance(value, int) and abs(value) > LIMITS.max_json_integer:
        _number_too_large("an integer beyond 64 bits")


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        _refuse(
            "json.lone_surrogate",
            f"text {quoted(text)}",
            "a string holds half of a surrogate pair",
            "escape characters beyond U+FFFF as a pair, or write them as utf-8",
        )


def _too_deep() -> NoReturn:
    message = f"arrays and objects nest more than {LIMITS.max_json_depth} deep"
    _refuse("json.too_deep", "document", message, "flatten the document")


def _number_too_large(what: str) -> NoReturn:
    message = f"the document holds {what}"
    _refuse("json.number_too_large", "document", message, "write large numbers as strings")


def _refuse(code: str, place: str, message: str, remedy: str) -> NoReturn:
    raise MalformedJsonError(message, remedy, code=code, place=place)
