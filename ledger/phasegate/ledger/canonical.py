"""Canonical JSON: RFC 8785 restricted to a subset in which there is one way to write a value.

The subset: one object at the top; ASCII keys; strings without lone surrogates; integers with
``|n| < 2**53``; no floats; at most ``MAX_DEPTH_LEVELS`` levels; at most ``MAX_ENTRY_BYTES`` bytes.
In it, sorting keys by code point equals the UTF-16 order of RFC 8785 section 3.2.3, and number
serialisation (section 3.2.2.3) is plain decimal, so that orjson with sorted keys writes the same bytes.
Fractions are written by callers as decimal strings.

Pure: no files, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import orjson
from phasegate.ledger.errors import CanonicalError, EntryTooLarge

JSON: TypeAlias = "None | bool | int | str | Sequence[JSON] | Mapping[str, JSON]"

MAX_ENTRY_BYTES = 65_535
MAX_DEPTH_LEVELS = 32

# Sorted keys make the order; strict integers refuse |n| >= 2**53; the passthroughs keep orjson from
# writing dates and dataclasses in a form of its own.
CANONICAL_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)

SCALARS: frozenset[type] = frozenset({str, int, bool, type(None)})


def dumps(value: Mapping[str, JSON]) -> bytes:
    """Return the canonical bytes of an object.

    Args:
        value: A dict of plain str, int, bool, None, list, tuple and dict. Subclasses (enums, models)
            are refused: what they would be written as is not this module's to guess.

    Raises:
        CanonicalError: The value is outside the subset.
        EntryTooLarge: The bytes are more than ``MAX_ENTRY_BYTES``.
    """
    check_tree(value, 1)
    try:
        data = orjson.dumps(value, option=CANONICAL_OPTIONS)
    except (TypeError, ValueError) as error:  # orjson's JSONEncodeError is a TypeError
        raise CanonicalError(_encode_message(error)) from None
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryTooLarge(len(data), MAX_ENTRY_BYTES)
    return data


def loads(data: bytes) -> dict[str, JSON]:
    """Return the object whose canonical bytes these are.

    Encoding the result again must give the same bytes; that refuses white space, unsorted or duplicate
    keys, other spellings of a string or number, integers out of range and negative zero in one
    comparison.

    Raises:
        CanonicalError: The bytes are not JSON, not canonical, or outside the subset.
        EntryTooLarge: The bytes are more than ``MAX_ENTRY_BYTES``.
    """
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryTooLarge(len(data), MAX_ENTRY_BYTES)
    try:
        value = orjson.loads(data)
        again = orjson.dumps(value, option=CANONICAL_OPTIONS)
    except orjson.JSONDecodeError as error:
        raise CanonicalError(f"not JSON: {error}; the bytes were damaged or never canonical") from None
    except (TypeError, ValueError) as error:
        raise CanonicalError(_encode_message(error)) from None
    if again != data:
        raise CanonicalError(
            "valid JSON but not its canonical form (key order, duplicate key, white space or spelling); "
            "the bytes were rewritten by something else"
        )
    check_tree(value, 1)
    return cast("dict[str, JSON]", value)


def decode(data: bytes) -> dict[str, JSON]:
    """Decode bytes that `dumps` has just returned, without checking them again."""
    return cast("dict[str, JSON]", orjson.loads(data))


def check_tree(value: object, level: int) -> None:
    """Refuse an object tree with a float, a non-ASCII key, a foreign type or too many levels.

    Args:
        value: The object (a dict).
        level: Depth of ``value``; 1 for the top.

    Raises:
        CanonicalError: With what was found and what to write instead.
    """
    if type(value) is not dict:
        raise CanonicalError("only an object can be canonical; wrap the value in one")
    _check_node(value, level)


def _check_node(node: dict[object, object] | list[object] | tuple[object, ...], level: int) -> None:
    if level > MAX_DEPTH_LEVELS:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH_LEVELS} levels; flatten the value")
    values: Sequence[object]
    if type(node) is dict:
        _check_keys(node)
        values = node.values()  # type: ignore[assignment]  # iterated only
    else:
        values = cast("Sequence[object]", node)
    # One pass in C settles the usual flat case; only containers and offenders are looked at one by one.
    if SCALARS.issuperset(map(type, values)):
        return
    for item in values:
        kind = type(item)
        if kind in SCALARS:
            continue
        if kind is dict or kind is list or kind is tuple:
            _check_node(item, level + 1)  # type: ignore[arg-type]  # narrowed by the exact type
        else:
            raise CanonicalError(_foreign_message(item))


def _check_keys(node: dict[object, object]) -> None:
    try:
        ascii_keys = "".join(node).isascii()  # type: ignore[arg-type]  # other types raise TypeError
    except TypeError:
        raise CanonicalError("a key is not a string; write it as one") from None
    if not ascii_keys:
        raise CanonicalError("a key has a character outside ASCII; use ASCII keys only")


def _foreign_message(item: object) -> str:
    if isinstance(item, float):
        return f"`{item!r}` is a float; write it as a decimal string"
    return "a value is not plain null, boolean, integer, string, array or object; convert it first"


def _encode_message(error: Exception) -> str:
    text = str(error).lower()
    if "53-bit" in text or "64-bit" in text:
        return "an integer is not within 2**53; write it as a decimal string"
    if "surrogate" in text or "utf-8" in text:
        return "a string has a lone surrogate; escape or replace it first"
    return f"not encodable: {text}; use plain null, boolean, integer, string, array and object"
