"""Signed statements under random change, and their models against their schemas."""

from __future__ import annotations

import base64
import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from valid_statements import ENGINE, KEYS, STATEMENTS

from phasegate.engine.statements import Fault, StatementError, parse_statement, sign, verify
from phasegate.engine.statements.dsse import read_envelope
from phasegate.engine.statements.schema_store import predicate_schema
from phasegate.ledger import canonical

ENVELOPES = {name: sign(statement, ENGINE) for name, statement in STATEMENTS.items()}
names = st.sampled_from(sorted(ENVELOPES))


def verified(name: str, data: bytes):
    return verify(data, KEYS, expected_type=type(STATEMENTS[name].predicate))


def reassembled(name: str, payload: bytes, signature: bytes) -> bytes:
    value = json.loads(ENVELOPES[name])
    value["payload"] = base64.b64encode(payload).decode()
    value["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return json.dumps(value).encode()


def cut_short(name: str, length: int, tail: bytes) -> bytes:
    return ENVELOPES[name][:length] + tail


def fault_of(read, data: bytes) -> Fault | None:
    try:
        read(data)
    except StatementError as error:
        return error.fault
    return None


def flipped(data: bytes, at: int, mask: int) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


@pytest.mark.parametrize("name", sorted(ENVELOPES))
def test_given_any_byte_of_payload_or_signature_changed_then_the_signature_does_not_hold(name):
    opened = read_envelope(ENVELOPES[name])
    signature = opened.signatures[ENGINE.key_id]
    assert verified(name, reassembled(name, opened.payload, signature)) == STATEMENTS[name]
    changed = [(flipped(opened.payload, at, 1 << at % 8), signature) for at in range(len(opened.payload))]
    changed += [(opened.payload, flipped(signature, at, 1 << bit)) for at in range(64) for bit in range(8)]
    for payload, sig in changed:
        with pytest.raises(StatementError) as caught:
            verified(name, reassembled(name, payload, sig))
        assert caught.value.fault is Fault.BAD_SIGNATURE


@settings(max_examples=400)
@given(names, st.data())
def test_given_any_byte_of_the_envelope_replaced_then_it_is_refused_or_means_the_same(name, data):
    envelope = ENVELOPES[name]
    at = data.draw(st.integers(0, len(envelope) - 1))
    changed = envelope[:at] + bytes([data.draw(st.integers(0, 255))]) + envelope[at + 1 :]
    try:
        statement = verified(name, changed)
    except StatementError:
        return
    # The other alphabet of base64 spells the same bytes; nothing else may get here.
    assert statement == STATEMENTS[name]
    assert read_envelope(changed) == read_envelope(envelope)


@settings(max_examples=300)
@given(st.binary(max_size=300) | st.builds(cut_short, names, st.integers(0, 2_000), st.binary(max_size=40)))
def test_given_any_bytes_then_nothing_but_a_named_fault_comes_of_them(data):
    for read in (read_envelope, parse_statement):
        assert fault_of(read, data) in {None, *Fault}


def paths_of(node, path=()):
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in items:
        yield from paths_of(value, (*path, step))


def replaced(tree, path, value):
    if not path:
        return value
    tree = copy.deepcopy(tree)
    node = tree
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return tree


hexes = st.integers(0, 16**64 - 1).map("{:064x}".format)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.sampled_from([2**53, 2**53 - 1, -(2**53), 1 - 2**53, 0])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(
        ["VERIFY", "VERIFY\n", "approve", "engine", "critic", "a" * 40, "a" * 301, "\x1c", "\x85", " "]
    )
    | hexes,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=600)
@given(names, st.data())
def test_given_any_value_in_any_place_then_model_and_schema_agree(name, data):
    written = STATEMENTS[name].to_dict()
    predicate = written["predicate"]
    path = data.draw(st.sampled_from(list(paths_of(predicate))))
    changed = replaced(predicate, path, data.draw(json_values))
    allowed = Draft202012Validator(predicate_schema(written["predicateType"])).is_valid(changed)
    assert fits(written, changed) is allowed


def fits(written, predicate) -> bool:
    """Whether the model takes the predicate; what it says of the subjects is beside the point."""
    fault = fault_of(parse_statement, json.dumps({**written, "predicate": predicate}).encode())
    assert fault in {None, Fault.BAD_PREDICATE, Fault.BAD_SUBJECT}
    return fault is not Fault.BAD_PREDICATE


@settings(max_examples=200)
@given(names, st.data())
def test_given_any_text_that_fits_then_what_is_signed_is_canonical_and_reads_back(name, data):
    tree = STATEMENTS[name].to_dict()
    texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
    tree["predicate"]["ledger"] = data.draw(texts)
    if "actor" in tree["predicate"]:
        tree["predicate"]["actor"] = data.draw(texts)
    statement = parse_statement(json.dumps(tree).encode())
    assert statement.to_bytes() == canonical.dumps(tree)
    assert verified(name, sign(statement, ENGINE)) == statement
