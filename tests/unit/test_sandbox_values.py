"""Values between the halves: what arrives is plain, bounded and equal to what was meant."""

from __future__ import annotations

import collections
import enum
import math
import os
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate.engine.runners.sandbox.decode import decode
from phasegate.engine.runners.sandbox.encode import Bounds, Encoder
from phasegate.engine.runners.sandbox.errors import MalformedError, TooLargeError, UnsupportedError
from phasegate.engine.runners.sandbox.opaque import Opaque

BOUNDS = Bounds(message_bytes=100_000, depth=16, iterable_items=50)

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary()
    | st.fractions()
    | st.decimals(allow_nan=False)
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=4)
        | st.frozensets(st.integers() | st.text(max_size=3), max_size=4)
        | st.sets(st.integers(), max_size=4)
    ),
    max_leaves=12,
)


def decoded_or_refused(data: bytes) -> bool:
    """Whether decoding ends in a value or in the one error; any other exception goes through."""
    try:
        decode(data, BOUNDS)
    except MalformedError as error:
        return bool(str(error))
    return True


def travelled(value: object, bounds: Bounds = BOUNDS) -> object:
    return decode(Encoder(bounds, strict=False).encode(value), bounds)


def in_order(value: object) -> str:
    """The text of a value. A set's own depends on how it came to be; NaN is not equal to itself, so text it is."""
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__}({sorted(map(repr, value))})"
    if isinstance(value, dict):
        return f"dict({[(repr(key), in_order(item)) for key, item in value.items()]})"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({[in_order(item) for item in value]})"
    return repr(value)


@given(VALUES)
def test_given_a_plain_value_when_it_travels_then_it_is_the_same_in_type_and_text(value: object) -> None:
    arrived = travelled(value)
    assert type(arrived) is type(value)
    assert in_order(arrived) == in_order(value)


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, -0.0, 5e-324, 1 << 4000, -(1 << 63), "\ud800", range(3, 9, 2)]
)
def test_given_a_corner_value_when_it_travels_then_it_is_exact(value: object) -> None:
    assert repr(travelled(value)) == repr(value)


def test_given_nan_when_it_travels_then_it_is_nan() -> None:
    assert math.isnan(travelled(float("nan")))  # type: ignore[arg-type]


class Number(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __index__(self) -> int:
        return 99

    __hash__ = int.__hash__


class Text(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def encode(self, *_: object) -> bytes:  # type: ignore[override]
        return b"lie"

    __hash__ = str.__hash__


class Items(list):  # type: ignore[type-arg]
    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(["lie"])

    def __len__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Number(7), 7),
        (Text("x"), "x"),
        (Items([1, 2]), [1, 2]),
        (Colour.RED, 1),
        (Counter("aab"), {"a": 2, "b": 1}),
        (defaultdict(list, {1: [2]}), {1: [2]}),
        (OrderedDict(a=1), {"a": 1}),
        (namedtuple("Point", "x y")(1, 2), (1, 2)),  # noqa: PYI024 - the very thing under test
        (bytearray(b"x"), bytearray(b"x")),
    ],
)
def test_given_a_subclass_of_a_builtin_when_it_travels_then_the_plain_base_value_arrives(
    value: object, plain: object
) -> None:
    arrived = travelled(value)
    assert type(arrived) is type(plain)
    assert plain == arrived


def test_given_dict_views_when_they_travel_then_they_compare_as_views_do() -> None:
    source = {"a": 1, "b": 2}
    assert travelled(source.keys()) == {"a", "b"}
    assert travelled(source.items()) == {("a", 1), ("b", 2)}
    assert list(travelled(source.values())) == [1, 2]  # type: ignore[call-overload]


class Equal:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value", [Equal(), object(), len, int, deque([1]), (x for x in [1]), iter([1]), map(str, [1])]
)
def test_given_a_foreign_value_when_it_travels_then_it_equals_nothing(value: object) -> None:
    arrived = travelled(value)
    assert isinstance(arrived, Opaque)
    assert arrived != [1]
    assert arrived != arrived  # noqa: PLR0124 - not even itself
    assert [arrived] != [1]
    assert hash(arrived) is not None


def test_given_an_iterator_when_it_travels_then_it_can_be_walked_once() -> None:
    arrived = travelled(x * x for x in range(4))
    assert list(arrived) == [0, 1, 4, 9]  # type: ignore[call-overload]
    assert list(arrived) == []  # type: ignore[call-overload]


def test_given_an_unknown_container_when_it_travels_then_it_can_be_walked_measured_and_indexed() -> None:
    arrived = travelled(deque([3, 1, 2]))
    assert sorted(arrived) == [1, 2, 3]  # type: ignore[call-overload]
    assert len(arrived) == 3  # type: ignore[arg-type]
    assert arrived[0] == 3  # type: ignore[index]


def failing() -> object:
    yield 1
    raise ValueError("no more")


@pytest.mark.parametrize("source", [iter(int, 1), failing()], ids=["endless", "failing"])
def test_given_an_iterator_without_a_good_end_when_it_is_walked_then_it_fails_instead_of_ending(
    source: object,
) -> None:
    with pytest.raises(RuntimeError, match="failed or gave too many items"):
        list(travelled(source))  # type: ignore[call-overload]


def test_given_a_value_that_contains_itself_when_it_travels_then_it_ends_in_a_foreign_object() -> None:
    loop: list[object] = []
    loop.append(loop)
    inner: object = travelled(loop)
    while isinstance(inner, list):
        inner = inner[0]
    assert isinstance(inner, Opaque)


def test_given_a_value_over_the_limit_when_it_is_encoded_then_it_is_refused() -> None:
    blow_up: object = "x"
    for _ in range(15):
        blow_up = [blow_up] * 4
    for value in ("x" * 200_000, b"x" * 200_000, 1 << 2_000_000, [0] * 20_000, blow_up):
        with pytest.raises(TooLargeError):
            Encoder(BOUNDS, strict=False).encode(value)


@pytest.mark.parametrize("value", [object(), [len], {"a": iter([])}, deque()])
def test_given_the_trusted_half_when_a_value_has_no_encoding_then_it_is_told(value: object) -> None:
    with pytest.raises(UnsupportedError):
        Encoder(BOUNDS, strict=True).encode(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"?",
        b"i\0",
        b"NN",
        b"l\xff\xff\xff\xff",
        b"s\x05\0\0\0a",
        b"s\x01\0\0\0\xff",
        b"S\x02\0\0\0TT",
        b"S\x01\0\0\0l\0\0\0\0",
        b"d\x01\0\0\0N",
        b"d\x04\0\0\0TNTN",
        b"r" + (b"i" + bytes(8)) * 3,
        b"rNNN",
        b"Q" + b"i" + bytes(8) + b"i" + bytes(8),
        b"QNN",
        b"D\x01\0\0\0x",
        b"l\x01\0\0\0" * 50 + b"N",
        b"O" + b"\xff\xff\0\0" + bytes(0xFFFF),
    ],
)
def test_given_bytes_that_encode_nothing_when_decoded_then_they_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(data, BOUNDS)


@given(st.binary(max_size=200))
def test_given_any_bytes_when_decoded_then_a_value_or_one_error_comes_out(data: bytes) -> None:
    assert decoded_or_refused(data)


@given(VALUES, st.data())
def test_given_one_byte_changed_when_decoded_then_a_value_or_one_error_comes_out(
    value: object, data: st.DataObject
) -> None:
    encoded = bytearray(Encoder(BOUNDS, strict=False).encode(value))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    assert decoded_or_refused(bytes(encoded))


def test_given_the_interpreter_when_values_are_decoded_then_nothing_of_the_sender_is_looked_up() -> None:
    assert "os" not in repr(travelled(os))
    assert isinstance(travelled(collections), Opaque)
