"""Envelopes as they are read: who signed, and one named fault for one mutation."""

from __future__ import annotations

import pytest
from statement_mutations import (
    ENVELOPE_MUTATIONS,
    PAYLOAD_MUTATIONS,
    RAW,
    SIG,
    VALID,
    as_bytes,
    changed,
    refused,
    resigned,
)
from valid_statements import ALICE, APPROVAL, ENGINE, KEYS, STATEMENTS, STRANGER, wrapped, wrapped_bytes

from phasegate.engine.statements import (
    Approval,
    Fault,
    Role,
    StatementError,
    Transition,
    sign,
    verify,
    verify_signed,
)


def test_given_the_unchanged_envelope_then_it_verifies():
    assert verify(RAW, KEYS, expected_type=Transition) == STATEMENTS["transition"]


@pytest.mark.parametrize("mutation", ENVELOPE_MUTATIONS)
def test_given_one_mutation_of_the_envelope_then_one_named_fault(mutation):
    value, fault = ENVELOPE_MUTATIONS[mutation]
    assert refused(as_bytes(value)).fault is fault


def test_every_fault_of_an_envelope_has_its_mutation():
    assert {fault for _, fault in ENVELOPE_MUTATIONS.values()} | {
        fault for _, fault in PAYLOAD_MUTATIONS.values()
    } | {Fault.NOT_AUTHORISED} == set(Fault)


def test_given_a_known_and_an_unknown_signer_then_only_the_known_one_counts():
    both = wrapped_bytes(STATEMENTS["transition"].to_bytes(), STRANGER, ENGINE)
    assert verify_signed(both, KEYS, expected_type=Transition).signers == (ENGINE.key_id,)


def test_given_two_known_signers_then_both_are_told():
    both = wrapped_bytes(STATEMENTS["transition"].to_bytes(), ALICE, ENGINE)
    assert verify_signed(both, KEYS, expected_type=Transition).signers == (ALICE.key_id, ENGINE.key_id)


def test_given_a_good_signature_beside_a_bad_one_of_a_known_key_then_it_is_refused():
    both = wrapped(STATEMENTS["transition"].to_bytes(), ENGINE, ALICE)
    both["signatures"][1]["sig"] = both["signatures"][0]["sig"]
    assert refused(as_bytes(both)).fault is Fault.BAD_SIGNATURE


def test_given_keys_narrowed_to_others_then_a_good_signature_does_not_count():
    keys = {ALICE.key_id: ALICE.verify_key}
    assert refused(RAW, keys=keys).fault is Fault.UNKNOWN_KEY


def test_given_url_safe_base64_then_it_verifies_as_dsse_demands():
    safe = str.maketrans("+/", "-_")
    value = changed(payload=VALID["payload"].translate(safe), signatures=resigned(sig=SIG.translate(safe)))
    assert verify(as_bytes(value), KEYS, expected_type=Transition) == STATEMENTS["transition"]


def test_given_the_right_key_and_role_then_an_approval_stands():
    verified = verify_signed(sign(STATEMENTS["approval"], ALICE), KEYS, expected_type=Approval)
    verified.statement.predicate.check_signer(KEYS[verified.signers[0]].name, {Role.REVIEWER, Role.OPERATOR})


@pytest.mark.parametrize(
    ("name", "roles"),
    [("bob", {Role.REVIEWER}), ("alice", {Role.OPERATOR}), ("alice", set()), ("Alice", {Role.REVIEWER})],
)
def test_given_another_name_or_role_then_nobody_signs_for_another(name, roles):
    with pytest.raises(StatementError) as caught:
        APPROVAL.check_signer(name, roles)
    assert caught.value.fault is Fault.NOT_AUTHORISED
