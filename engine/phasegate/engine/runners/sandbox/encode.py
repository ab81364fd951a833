# ruff: noqa: D102
# (The `put_` methods are the entries of one table and documented once, by the class.)
"""Typed, bounded encoding of the values that travel between the checker and the solution.

A value travels by copy. Subclasses of builtin types travel as the plain base value, read through the
base class's own methods, so whatever a subclass overrides (`__eq__`, `__iter__`, `__len__`) stays
behind. Iterators and unknown containers are materialised up to the limits; anything else becomes a
name only, which the other side shows as an object equal to nothing. `decode` is the inverse.

No I/O; runs in the worker, so it imports only what a worker has at hand anyway.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import TooLargeError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

U32 = struct.Struct("<I")
I64 = struct.Struct("<q")
F64 = struct.Struct("<d")
C128 = struct.Struct("<dd")
SIZED, CUT = 1, 2  # flags of a materialised iterable: it knows its length; it ended before its source did

_I64_MIN, _I64_MAX = -(1 << 63), (1 << 63) - 1
_NAME_CHARS = 100
_ALL = slice(None)


class Bounds(NamedTuple):
    """What one encoded value may cost."""

    message_bytes: int
    depth: int
    iterable_items: int


class Encoder:
    """Encodes one value after the other into fresh byte strings; `put_x` appends one of type x.

    Args:
        bounds: limits on what is produced.
        strict: raise `UnsupportedError` for a value without an encoding (the trusted half) instead of
            sending a stand-in (the solution half).
    """

    def __init__(self, bounds: Bounds, *, strict: bool) -> None:
        self.bounds = bounds
        self._strict = strict
        self._out = bytearray()

    def encode(self, value: object) -> bytes:
        """Return the encoding of `value`.

        Raises:
            TooLargeError: it would be longer than `bounds.message_bytes`.
            UnsupportedError: strict only; the value, or a part of it, has no encoding.
        """
        self._out = bytearray()
        self._put(value, self.bounds.depth)
        self._room(0)
        return bytes(self._out)

    def _room(self, size: int) -> None:
        if len(self._out) + size > self.bounds.message_bytes:
            raise TooLargeError(f"a value takes more than {self.bounds.message_bytes} bytes when encoded")

    def _put(self, value: Any, depth: int) -> None:
        kind = type(value)
        put = _PUT.get(kind) or _inherited(kind)
        if put is None or depth <= 0:
            self._stand_in(value, kind, depth)
        else:
            put(self, value, depth - 1)

    def _sized(self, tag: bytes, data: bytes) -> None:
        self._room(len(data))
        self._out += tag
        self._out += U32.pack(len(data))
        self._out += data

    def _many(self, tag: bytes, count: int, items: Iterable[Any], depth: int) -> None:
        self._out += tag
        self._out += U32.pack(count)
        for item in items:
            self._put(item, depth)
            self._room(0)

    def _pairs(self, tag: bytes, pairs: list[tuple[Any, Any]], depth: int) -> None:
        self._many(tag, 2 * len(pairs), (part for pair in pairs for part in pair), depth)

    def put_singleton(self, value: bool | None, _depth: int) -> None:  # noqa: FBT001 - a value, not an option
        self._out += b"N" if value is None else b"T" if value else b"F"

    def put_int(self, value: int, _depth: int) -> None:
        plain = int.__index__(value)
        if _I64_MIN <= plain <= _I64_MAX:
            self._out += b"i"
            self._out += I64.pack(plain)
        else:
            size = plain.bit_length() // 8 + 1
            self._room(size)
            self._sized(b"I", plain.to_bytes(size, "little", signed=True))

    def put_float(self, value: float, _depth: int) -> None:
        self._out += b"f"
        self._out += F64.pack(float.__float__(value))

    def put_complex(self, value: complex, _depth: int) -> None:
        plain = complex.__complex__(value)
        self._out += b"c"
        self._out += C128.pack(plain.real, plain.imag)

    def put_str(self, value: str, _depth: int) -> None:
        self._room(str.__len__(value))
        self._sized(b"s", str.encode(value, "utf-8", "surrogatepass"))

    def put_bytes(self, value: bytes, _depth: int) -> None:
        self._sized(b"b", bytes.__getitem__(value, _ALL))

    def put_bytearray(self, value: bytearray, _depth: int) -> None:
        self._sized(b"a", bytes(memoryview(value)))

    def put_list(self, value: list[Any], depth: int) -> None:
        plain = list.__getitem__(value, _ALL)
        self._many(b"l", len(plain), plain, depth)

    def put_tuple(self, value: tuple[Any, ...], depth: int) -> None:
        self._many(b"t", tuple.__len__(value), tuple.__iter__(value), depth)

    def put_set(self, value: set[Any], depth: int) -> None:
        self._many(b"S", set.__len__(value), set.__iter__(value), depth)

    def put_frozenset(self, value: frozenset[Any], depth: int) -> None:
        self._many(b"Z", frozenset.__len__(value), frozenset.__iter__(value), depth)

    def put_dict(self, value: dict[Any, Any], depth: int) -> None:
        self._pairs(b"d", list(dict.items(value)), depth)

    def put_keys(self, value: Any, depth: int) -> None:
        self._many(b"K", len(value), value, depth)

    def put_items(self, value: Any, depth: int) -> None:
        self._pairs(b"M", list(value), depth)

    def put_values(self, value: Any, depth: int) -> None:
        self._many(b"V", len(value), value, depth)

    def put_range(self, value: range, depth: int) -> None:
        self._out += b"r"
        for number in (value.start, value.stop, value.step):
            self.put_int(number, depth)

    def put_decimal(self, value: Any, _depth: int) -> None:
        self._sized(b"D", str(value).encode("ascii"))

    def put_fraction(self, value: Any, depth: int) -> None:
        self._out += b"Q"
        self.put_int(value.numerator, depth)
        self.put_int(value.denominator, depth)

    def _stand_in(self, value: Any, kind: type, depth: int) -> None:
        if self._strict:
            raise UnsupportedError(kind)
        name = type_name(kind).encode("utf-8", "replace")
        if depth > 0 and hasattr(kind, "__iter__") and not issubclass(kind, type):
            self._iterable(value, name, depth - 1)
        else:
            self._sized(b"O", name)

    def _iterable(self, value: Any, name: bytes, depth: int) -> None:
        self._sized(b"G", name)
        head = len(self._out)
        self._out += b"\0" + U32.pack(0)
        flags = 0 if hasattr(type(value), "__next__") else SIZED
        mark, count = len(self._out), 0
        try:
            for item in value:
                if count >= self.bounds.iterable_items or 2 * len(self._out) > self.bounds.message_bytes:
                    flags = CUT
                    break
                self._put(item, depth)
                mark, count = len(self._out), count + 1
        except Exception:  # noqa: BLE001 - an iterator of the solution may raise anything
            del self._out[mark:]
            flags = CUT
        self._out[head] = flags
        self._out[head + 1 : head + 5] = U32.pack(count)


def type_name(kind: type) -> str:
    """Return the name of a type, bounded to 100 characters."""
    return str(kind.__name__)[:_NAME_CHARS]


def _inherited(kind: type) -> Callable[[Encoder, Any, int], None] | None:
    for base in kind.__mro__:
        put = _PUT.get(base)
        if put is not None:
            return put
    for module, name, put in _RATIONALS:
        if module in sys.modules and kind is getattr(sys.modules[module], name, None):
            return put
    return None


# Found by name, so that a worker need not import what most programs never use.
_RATIONALS = (("decimal", "Decimal", Encoder.put_decimal), ("fractions", "Fraction", Encoder.put_fraction))
_PUT: dict[type, Callable[[Encoder, Any, int], None]] = {
    type(None): Encoder.put_singleton,
    bool: Encoder.put_singleton,
    int: Encoder.put_int,
    float: Encoder.put_float,
    complex: Encoder.put_complex,
    str: Encoder.put_str,
    bytes: Encoder.put_bytes,
    bytearray: Encoder.put_bytearray,
    list: Encoder.put_list,
    tuple: Encoder.put_tuple,
    dict: Encoder.put_dict,
    set: Encoder.put_set,
    frozenset: Encoder.put_frozenset,
    range: Encoder.put_range,
    type({}.keys()): Encoder.put_keys,
    type({}.items()): Encoder.put_items,
    type({}.values()): Encoder.put_values,
}
