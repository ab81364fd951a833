"""How messages repeat what an author wrote: short, printable, in backticks."""

from __future__ import annotations

import json
from typing import Any

from phasegate.validators.limits import LIMITS

_ELLIPSIS = "..."


def quoted(value: Any, max_chars: int = LIMITS.max_quoted_chars) -> str:
    """Return `value` in backticks for use in a message.

    Strings stand as they are, other JSON values as JSON; see `printable` for what is escaped and cut.

    Args:
        value: a string or a parsed JSON value.
        max_chars: longest text between the backticks.
    """
    text = value if isinstance(value, str) else _as_json(value)
    return f"`{printable(text, max_chars)}`"


def printable(text: str, max_chars: int = LIMITS.max_quoted_chars) -> str:
    """Return text as one printable line that any encoding can carry.

    Control characters and lone surrogates are escaped, backticks become apostrophes, and what is longer than
    `max_chars` is cut and marked by an ellipsis.
    """
    escaped = "".join(_escaped(character) for character in text[: max_chars + 1])
    if len(escaped) > max_chars:
        return escaped[: max_chars - len(_ELLIPSIS)] + _ELLIPSIS
    return escaped


def _as_json(value: Any) -> str:
    # A container may be megabytes long; its size says more than its first bytes.
    if isinstance(value, dict):
        return f"object with {len(value)} keys"
    if isinstance(value, list):
        return f"array of {len(value)}"
    return json.dumps(value, default=str)


def _escaped(character: str) -> str:
    if character == "`":
        return "'"
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
