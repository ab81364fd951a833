"""Decoding of values sent by the other half: the inverse of `encode`, for bytes nobody vouches for.

Builds plain builtins only, looks no name up and runs no code of the sender. Every count is checked
against the bytes that are there before anything is allocated, nesting is bounded, and a dict or set
whose entries collapse into fewer is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .encode import C128, CUT, F64, I64, SIZED, U32, Bounds
from .errors import MalformedError
from .opaque import Opaque, OpaqueContainer, OpaqueIterator

if TYPE_CHECKING:
    from collections.abc import Callable

_DECIMAL_CHARS = 10_000
_NAME_BYTES = 400


def decode(data: bytes, bounds: Bounds) -> object:
    """Return the one value that `data` encodes.

    Raises:
        MalformedError: `data` is not exactly one value within `bounds`.
    """
    reader = _Reader(data, bounds)
    try:
        value = reader.value(bounds.depth)
    except (ValueError, TypeError, OverflowError, ArithmeticError) as error:
        raise MalformedError(f"a message holds an impossible value: {type(error).__name__}") from None
    if reader.left():
        raise MalformedError("a message has bytes after its value")
    return value


class _Reader:
    def __init__(self, data: bytes, bounds: Bounds) -> None:
        self._data = data
        self._bounds = bounds
        self._at = 0

    def left(self) -> int:
        return len(self._data) - self._at

    def value(self, depth: int) -> Any:
        if depth < 0:
            raise MalformedError(f"a value is nested deeper than {self._bounds.depth}")
        get = _GET.get(self.take(1))
        if get is None:
            raise MalformedError("a value has an unknown tag")
        return get(self, depth - 1)

    def take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise MalformedError("a message ends inside a value")
        return self._data[start : self._at]

    def sized(self) -> bytes:
        return self.take(U32.unpack(self.take(4))[0])

    def many(self, depth: int) -> list[Any]:
        count: int = U32.unpack(self.take(4))[0]
        if count > self.left():
            raise MalformedError("a count is larger than its message")
        return [self.value(depth) for _ in range(count)]

    def pairs(self, depth: int) -> dict[Any, Any]:
        parts = self.many(depth)
        if len(parts) % 2:
            raise MalformedError("a dict has a key without a value")
        built: dict[Any, Any] = self._distinct(
            dict(zip(parts[::2], parts[1::2], strict=True)), len(parts) // 2
        )
        return built

    @staticmethod
    def _distinct(built: Any, count: int) -> Any:
        if len(built) != count:
            raise MalformedError("a dict or set has equal entries")
        return built

    def set(self, depth: int) -> set[Any]:
        items = self.many(depth)
        built: set[Any] = self._distinct(set(items), len(items))
        return built

    def complex(self, _depth: int) -> complex:
        return complex(*C128.unpack(self.take(16)))

    def keys(self, depth: int) -> Any:
        items = self.many(depth)
        return self._distinct(dict.fromkeys(items), len(items)).keys()

    def range(self, depth: int) -> range:
        return range(self.value(depth), self.value(depth), self.value(depth))

    def decimal(self, _depth: int) -> Any:
        text = self.sized().decode("ascii")
        if len(text) > _DECIMAL_CHARS:
            raise MalformedError("a decimal has too many digits")
        from decimal import Decimal  # noqa: PLC0415 - rare, and costly to have in every worker

        return Decimal(text)

    def fraction(self, depth: int) -> Any:
        from fractions import Fraction  # noqa: PLC0415 - rare, and costly to have in every worker

        numerator, denominator = self.value(depth), self.value(depth)
        if type(numerator) is not int or type(denominator) is not int:
            raise MalformedError("a fraction is not made of integers")
        return Fraction(numerator, denominator)

    def name(self) -> str:
        name = self.sized()
        if len(name) > _NAME_BYTES:
            raise MalformedError("a type name is too long")
        return name.decode("utf-8")

    def iterable(self, depth: int) -> Opaque:
        name, flags = self.name(), self.take(1)[0]
        items = self.many(depth)
        if flags == SIZED:
            return OpaqueContainer(name, items)
        return OpaqueIterator(name, items, cut=flags == CUT)


_GET: dict[bytes, Callable[[_Reader, int], Any]] = {
    b"N": lambda _reader, _depth: None,
    b"T": lambda _reader, _depth: True,
    b"F": lambda _reader, _depth: False,
    b"i": lambda reader, _depth: I64.unpack(reader.take(8))[0],
    b"I": lambda reader, _depth: int.from_bytes(reader.sized(), "little", signed=True),
    b"f": lambda reader, _depth: F64.unpack(reader.take(8))[0],
    b"c": _Reader.complex,
    b"s": lambda reader, _depth: reader.sized().decode("utf-8", "surrogatepass"),
    b"b": lambda reader, _depth: reader.sized(),
    b"a": lambda reader, _depth: bytearray(reader.sized()),
    b"l": _Reader.many,
    b"t": lambda reader, depth: tuple(reader.many(depth)),
    b"S": _Reader.set,
    b"Z": lambda reader, depth: frozenset(reader.set(depth)),
    b"d": _Reader.pairs,
    b"K": _Reader.keys,
    b"M": lambda reader, depth: reader.pairs(depth).items(),
    b"V": lambda reader, depth: dict(enumerate(reader.many(depth))).values(),
    b"r": _Reader.range,
    b"D": _Reader.decimal,
    b"Q": _Reader.fraction,
    b"O": lambda reader, _depth: Opaque(reader.name()),
    b"G": _Reader.iterable,
}
