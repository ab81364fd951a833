"""Canonical JSON: RFC 8785 restricted to a subset in which there is one way to write a value.

The subset: one object at the top; ASCII keys; strings without lone surrogates; integers with
``|n| < 2**53``; no floats; at most ``MAX_DEPTH_LEVELS`` levels; at most ``MAX_ENTRY_BYTES`` bytes.
In it, sorting keys by code point equals the UTF-16 order of RFC 8785 section 3.2.3, and number
serialisation (section 3.2.2.3) is plain decimal, so that orjson with sorted keys writes the same bytes.
Fractions are written by callers as decimal strings.

Pure: no files, no clock.
"""

from __future__ import annotations

from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson

from phasegate.ledger.errors import CanonicalError, EntryTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

JSON: TypeAlias = "bool | int | str | Sequence[JSON] | Mapping[str, JSON] | None"

MAX_ENTRY_BYTES: Final = 65_535
MAX_DEPTH_LEVELS: Final = 32

# Sorted keys make the order; strict integers refuse |n| >= 2**53; the passthroughs keep orjson from
# writing dates, dataclasses and subclasses in a form of its own.
CANONICAL_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)

_SCALARS: Final[frozenset[type]] = frozenset({str, int, bool, type(None)})


def dumps(value: Mapping[str, JSON]) -> bytes:
    """Return the canonical bytes of an object.

    Args:
        value: A dict of plain str, int, bool, None, list, tuple and dict, and of string and integer
            enum members, which are written as their values. Anything else is refused: what it would
            be written as is not this module's to guess.

    Raises:
        CanonicalError: The value is outside the subset.
        EntryTooLarge: The bytes are more than ``MAX_ENTRY_BYTES``.
    """
    try:
        data = orjson.dumps(value, None, CANONICAL_OPTIONS)
    except (TypeError, ValueError) as error:  # orjson's JSONEncodeError is a TypeError
        check_object(value)
        raise CanonicalError(_encode_message(error)) from None
    # Plain values are written as they are; of others orjson takes some, NaN as null for one.
    if type(value) is not dict or not (data.isascii() and is_plain(value.values(), 1)):
        check_object(value)
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryTooLarge(len(data), MAX_ENTRY_BYTES)
    return data


def read_back(data: bytes) -> dict[str, JSON]:
    """Return the object that `dumps` wrote as these bytes, unchecked; it shares nothing with the first."""
    return cast("dict[str, JSON]", orjson.loads(data))


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
        again = orjson.dumps(value, None, CANONICAL_OPTIONS)
    except orjson.JSONDecodeError as error:
        raise CanonicalError(f"not JSON: {error}; the bytes were damaged or never canonical") from None
    except (TypeError, ValueError) as error:
        raise CanonicalError(_encode_message(error)) from None
    if again != data:
        raise CanonicalError(
            "valid JSON but not its canonical form (key order, duplicate key, white space or spelling); "
            "the bytes were rewritten by something else"
        )
    check_object(value)
    return cast("dict[str, JSON]", value)


def are_plain(objects: Sequence[dict[str, Any]], level: int) -> bool:
    """Tell what `is_plain` tells of the values of many objects at that level, most of which hold scalars."""
    kinds = map(type, chain.from_iterable(map(dict.values, objects)))
    return _SCALARS.issuperset(kinds) or is_plain(chain.from_iterable(map(dict.values, objects)), level)


def is_plain(values: Iterable[Any], level: int) -> bool:
    """Tell whether values are plain JSON without a float, not deeper than `MAX_DEPTH_LEVELS`.

    Args:
        values: The values of a container.
        level: Depth of that container; 1 for the top.
    """
    for item in values:
        kind = type(item)
        if kind is str or kind is int:
            continue
        if kind is dict or kind is list:
            if level == MAX_DEPTH_LEVELS:
                return False
            # Most containers of an entry are empty or one level deep; an empty one needs no call.
            if item and not is_plain(item.values() if kind is dict else item, level + 1):
                return False
        elif kind not in _SCALARS:
            return False
    return True


def check_object(value: object) -> None:
    """Check a decoded or given object in full.

    Raises:
        CanonicalError: It is no object, or holds a float, a foreign type, a key that is not ASCII, or
            too many levels.
    """
    if type(value) is not dict:
        raise CanonicalError("only an object can be canonical; wrap the value in one")
    _check_node(value, 1)


def _check_node(node: Any, level: int) -> None:
    if level > MAX_DEPTH_LEVELS:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH_LEVELS} levels; flatten the value")
    if type(node) is dict:
        _check_keys(node)
        node = node.values()
    for item in node:
        kind = type(item)
        if kind is dict or kind is list or kind is tuple:
            _check_node(item, level + 1)
        elif kind not in _SCALARS and not (isinstance(item, Enum) and type(item.value) in _SCALARS):
            raise CanonicalError(_foreign_message(item))


def _check_keys(node: dict[Any, Any]) -> None:
    for key in node:
        if type(key) is not str:
            raise CanonicalError("a key is not a plain string; convert it to one")
        if not key.isascii():
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
