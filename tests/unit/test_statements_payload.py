"""Signed payloads as they are read: one named fault for one mutation; model and schema say the same."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from statement_mutations import GOOD, PAYLOAD_MUTATIONS, payload_of, refused
from valid_statements import ALICE, KEYS, STATEMENTS, wrapped_bytes

from phasegate.engine.statements import PREDICATES, Approval, Fault, Transition, verify
from phasegate.engine.statements.schema_store import predicate_schema


@pytest.mark.parametrize("mutation", PAYLOAD_MUTATIONS)
def test_given_one_mutation_of_a_signed_payload_then_one_named_fault(mutation):
    payload, fault = PAYLOAD_MUTATIONS[mutation]
    assert refused(wrapped_bytes(payload)).fault is fault


APPROVAL_MUTATIONS = {
    "blank reason": ("reason", " \n\t"),
    "reason of control characters": ("reason", "\x1c\x1d"),
    "reason too long": ("reason", "x" * 2_001),
    "unknown decision": ("decision", "APPROVE"),
    "engine approves": ("role", "engine"),
    "agent approves": ("role", "agent"),
    "unknown role": ("role", "root"),
    "nobody": ("actor", ""),
    "no time": ("at", None),
}


@pytest.mark.parametrize("mutation", APPROVAL_MUTATIONS)
def test_given_one_mutation_of_an_approval_then_it_does_not_fit_model_or_schema(mutation):
    field, value = APPROVAL_MUTATIONS[mutation]
    payload = payload_of("approval", "predicate", field, value=value)
    assert refused(wrapped_bytes(payload, ALICE), expected=Approval).fault is Fault.BAD_PREDICATE
    schema = Draft202012Validator(predicate_schema(Approval.TYPE))
    assert not schema.is_valid(json.loads(payload)["predicate"])


def fields_of(node, path=()):
    if isinstance(node, dict):
        for name, value in node.items():
            yield (*path, name)
            yield from fields_of(value, (*path, name))


FIELDS = [
    (name, path)
    for name, statement in STATEMENTS.items()
    for path in fields_of(statement.to_dict()["predicate"])
    if path not in {("reports", "junit"), ("gate", "flags", "VERIFY/coverage")}
]


@pytest.mark.parametrize(
    ("name", "path"), FIELDS, ids=lambda part: part if isinstance(part, str) else ".".join(part)
)
def test_given_a_predicate_that_lacks_a_field_or_has_one_more_then_model_and_schema_refuse(name, path):
    lacking = payload_of(name, "predicate", *path, drop=True)
    beside = payload_of(name, "predicate", *path[:-1], "unheard_of", value="x")
    schema = Draft202012Validator(predicate_schema(STATEMENTS[name].predicate.TYPE))
    for payload in (lacking, beside):
        assert refused(
            wrapped_bytes(payload), expected=PREDICATES[STATEMENTS[name].predicate.TYPE]
        ).fault is (Fault.BAD_PREDICATE)
        assert not schema.is_valid(json.loads(payload)["predicate"])


# No 1.0: to JSON Schema that is an integer, to the model, as to the canonical form, it is not.
ODD = [
    None, True, 0, -1, 2**53 - 1, 2**53, 1.5, "", "x", "x" * 300, "x" * 301, "x" * 2_001, "A", "PLAN\n", "IMP-1\n",
    "a" * 64, "A" * 64, "a" * 64 + "\n", "0" * 40, "enforce", "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00Z",
    [], ["x"], ["x"] * 65, ["x"] * 257, {}, {"a": "b"}, {"A": "observe"}, {f"a{i}": "off" for i in range(65)},
    {f"a{i}": "0" * 64 for i in range(9)},
]  # fmt: skip


@pytest.mark.parametrize("name", STATEMENTS)
def test_given_an_odd_value_in_any_field_then_model_and_schema_say_the_same_of_it(name):
    predicate = STATEMENTS[name].to_dict()["predicate"]
    kind = PREDICATES[STATEMENTS[name].predicate.TYPE]
    schema = Draft202012Validator(predicate_schema(kind.TYPE))
    for path in fields_of(predicate):
        for value in ODD:
            payload = json.loads(payload_of(name, "predicate", *path, value=value))["predicate"]
            try:
                fits = bool(kind.model_validate(payload, by_alias=True, by_name=False))
            except ValidationError:
                fits = False
            assert schema.is_valid(payload) == fits, (path, value)


def test_given_a_message_about_hostile_input_then_it_stays_one_short_line():
    payload = payload_of("transition", "predicate", "`\n\x1b[31m" + "x" * 5_000, value=1)
    message = str(refused(wrapped_bytes(payload)))
    assert len(message) < 600
    assert message.isprintable()


def test_given_spaces_and_another_order_in_a_signed_payload_then_it_is_read_all_the_same():
    spelled = json.dumps(dict(reversed(json.loads(GOOD).items())), indent=1).encode()
    assert verify(wrapped_bytes(spelled), KEYS, expected_type=Transition) == STATEMENTS["transition"]
