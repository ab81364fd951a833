"""Canonical bytes against the oracle `rfc8785`, against published vectors, and against attacks."""

from __future__ import annotations

import enum
import json
import math
from decimal import Decimal
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from phasegate.ledger.canonical import MAX_DEPTH_LEVELS, MAX_ENTRY_BYTES, dumps, loads
from phasegate.ledger.errors import CanonicalError, EntryTooLarge

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8785.json").read_text("utf-8"))
SAFE = 2**53 - 1

keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-SAFE, SAFE),
    st.sampled_from([0, SAFE, -SAFE, 2**31, -1]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(keys, values, max_size=6)


DOCUMENTS = 2_000
PER_EXAMPLE = 5


@pytest.mark.slow
@settings(max_examples=DOCUMENTS // PER_EXAMPLE, deadline=None)
@given(st.lists(objects, min_size=PER_EXAMPLE, max_size=PER_EXAMPLE))
def test_given_any_object_of_the_subset_then_the_bytes_are_those_of_rfc8785(documents):
    for value in documents:
        data = dumps(value)
        assert data == rfc8785.dumps(value)
        assert loads(data) == value


@settings(max_examples=300, deadline=None)
@given(objects, st.data())
def test_given_one_byte_changed_then_it_reads_as_something_else_or_not_at_all(value, data):
    good = dumps(value)
    place = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != good[place]))
    bad = good[:place] + bytes([byte]) + good[place + 1 :]
    try:
        read = loads(bad)
    except CanonicalError:
        return
    assert read != value or json.dumps(read) != json.dumps(value)
    assert dumps(read) == bad


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_given_any_bytes_then_only_a_canonical_error_can_come_out(data):
    try:
        read = loads(data)
    except CanonicalError:
        return
    assert dumps(read) == data


@settings(max_examples=300, deadline=None)
@given(objects, st.floats(), st.data())
def test_given_a_float_anywhere_then_it_is_refused(value, number, data):
    path = data.draw(st.lists(st.sampled_from(["list", "dict"]), max_size=4))
    inner: object = number
    for step in path:
        inner = [1, inner] if step == "list" else {"k": inner}
    with pytest.raises(CanonicalError, match="decimal string"):
        dumps({**value, "x": inner})


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=lambda v: v["source"])
def test_given_a_published_vector_in_the_subset_then_it_is_written_and_read(vector):
    canonical = vector["canonical"].encode()
    assert dumps(json.loads(vector["input"])) == canonical
    assert loads(canonical) == json.loads(vector["input"])


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: v["source"])
def test_given_a_published_vector_outside_the_subset_then_it_is_refused(vector):
    with pytest.raises(CanonicalError):
        loads(vector["canonical"].encode())


class Colour(enum.StrEnum):
    RED = "red"


class Plain(enum.Enum):
    PAIR = (1, 2)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -0.0,
        1.0,
        2**53,
        -(2**53),
        10**30,
        "\ud800",
        b"bytes",
        {1, 2},
        Decimal(1),
        Plain.PAIR,
        Text("subclass"),
        pytest.param(object(), id="an object"),
        {1: "key"},
        {"é": 1},
        {Text("a"): 1, "a": 2},
    ],
    ids=repr,
)
def test_given_a_value_outside_the_subset_then_it_is_refused_at_every_depth(value):
    for wrapped in ({"x": value}, {"x": [value]}, {"x": {"y": [{"z": value}]}}):
        with pytest.raises(CanonicalError):
            dumps(wrapped)


def test_given_enum_members_and_tuples_then_they_are_written_as_their_values():
    assert dumps({"a": Colour.RED, "b": (1, Colour.RED)}) == b'{"a":"red","b":[1,"red"]}'


@pytest.mark.parametrize("top", [[], "x", 1, None, (1,)], ids=repr)
def test_given_no_object_at_the_top_then_it_is_refused(top):
    with pytest.raises(CanonicalError, match="object"):
        dumps(top)


def nested(levels):
    value: dict[str, object] = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return value


def test_given_the_deepest_object_then_it_passes_and_one_level_more_does_not():
    deepest = dumps(nested(MAX_DEPTH_LEVELS))
    assert loads(deepest) == nested(MAX_DEPTH_LEVELS)
    with pytest.raises(CanonicalError, match="nested"):
        dumps(nested(MAX_DEPTH_LEVELS + 1))
    with pytest.raises(CanonicalError, match="nested"):
        loads(b'{"x":' + deepest + b"}")


@pytest.mark.parametrize("levels", [300, 2_000, 20_000])
def test_given_a_bomb_of_brackets_then_no_recursion_error_leaks(levels):
    with pytest.raises(CanonicalError):
        loads(b'{"x":' + b"[" * levels + b"]" * levels + b"}")
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    with pytest.raises(CanonicalError):
        dumps({"x": value})
    # Taken apart by hand: freeing a long chain of lists at once would recurse in C.
    while value:
        value = value.pop()  # type: ignore[assignment]


def test_given_a_cycle_then_it_is_refused():
    cycle: dict[str, object] = {}
    cycle["x"] = cycle
    with pytest.raises(CanonicalError):
        dumps(cycle)


def test_given_the_largest_entry_then_it_passes_and_one_byte_more_does_not():
    room = MAX_ENTRY_BYTES - len(dumps({"x": ""}))
    assert len(dumps({"x": "a" * room})) == MAX_ENTRY_BYTES
    with pytest.raises(EntryTooLarge) as caught:
        dumps({"x": "a" * (room + 1)})
    assert caught.value.size_bytes == MAX_ENTRY_BYTES + 1
    with pytest.raises(EntryTooLarge):
        loads(b'{"x":"' + b"a" * (room + 1) + b'"}')


def test_given_text_that_looks_like_numbers_then_it_stays_text():
    value = {"a": '":1.5,[2e9', "b": ["1.5", "-0", "null"], "c": "NaN"}
    assert loads(dumps(value)) == value
