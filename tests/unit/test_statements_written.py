"""Statements and envelopes as they are written: canonical, of in-toto's and DSSE's form, and refused beyond their bounds."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from valid_statements import ENGINE, KEYS, PROCESS, RESULTS, STATEMENTS, TRANSITION, WITNESS, sha

from phasegate.engine.statements import (
    PREDICATES,
    EvidenceItem,
    Fault,
    Gate,
    StatementError,
    Subject,
    parse_statement,
    sign,
    verify_signed,
)
from phasegate.engine.statements.dsse import pae, read_envelope
from phasegate.engine.statements.schema_store import SCHEMA_NAMES, predicate_schema
from phasegate.engine.statements.statement import SUBJECTS_MAX
from phasegate.ledger import canonical
from phasegate.policies.model import Origin

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", STATEMENTS)
def test_given_a_signed_statement_when_verified_then_the_same_statement_comes_back(name):
    statement = STATEMENTS[name]
    verified = verify_signed(sign(statement, ENGINE), KEYS, expected_type=type(statement.predicate))
    assert verified.statement == statement
    assert verified.signers == (ENGINE.key_id,)


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_is_signed_is_canonical_json_and_so_is_the_envelope(name):
    statement = STATEMENTS[name]
    envelope = sign(statement, ENGINE)
    assert statement.to_bytes() == canonical.dumps(statement.to_dict())
    assert read_envelope(envelope).payload == statement.to_bytes()
    assert canonical.dumps(json.loads(envelope)) == envelope


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_is_written_fits_its_published_schema(name):
    written = json.loads(STATEMENTS[name].to_bytes())
    schema = predicate_schema(written["predicateType"])
    Draft202012Validator.check_schema(schema)
    assert not list(Draft202012Validator(schema).iter_errors(written["predicate"]))


def test_every_predicate_type_has_a_schema_and_every_schema_a_type():
    assert {kind.rsplit("/", 2)[1] for kind in PREDICATES} == set(SCHEMA_NAMES) == set(STATEMENTS)
    folder = ROOT / "engine/phasegate/engine/statements/schemas"
    assert {file.stem for file in folder.iterdir()} == set(SCHEMA_NAMES)
    with pytest.raises(StatementError) as caught:
        predicate_schema("https://phasegate.dev/predicates/../../x/v1")
    assert caught.value.fault is Fault.UNKNOWN_PREDICATE


def test_the_statement_has_the_fields_of_in_toto_v1():
    written = STATEMENTS["witness"].to_dict()
    assert written["_type"] == "https://in-toto.io/Statement/v1"
    assert written["predicateType"] == "https://phasegate.dev/predicates/witness/v1"
    assert written["subject"][0] == {"name": "test_results.json", "digest": {"sha256": sha("1")}}
    assert set(written) == {"_type", "subject", "predicateType", "predicate"}


def test_the_encoding_before_signing_is_that_of_the_dsse_specification():
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("ü", b"") == b"DSSEv1 2 \xc3\xbc 0 "


def test_a_transition_without_evidence_is_about_its_process():
    bare = TRANSITION.model_copy(update={"gate": Gate(checks=(), evidence=(), flags={}, broken_glass=None)})
    assert bare.to_statement().subject == (Subject("process:autopilot", PROCESS.digest),)
    assert parse_statement(bare.to_statement().to_bytes()).predicate == bare


def test_a_transition_that_completes_the_task_leads_nowhere():
    last = TRANSITION.model_copy(update={"to": None})
    assert parse_statement(last.to_statement().to_bytes()).predicate.to is None


def test_given_two_artifacts_of_one_name_when_stated_then_it_is_refused():
    item = EvidenceItem(name="a", digest=sha("1"), origin=Origin.CLAIMED)
    twice = Gate(checks=(), evidence=(item, item), flags={}, broken_glass=None)
    with pytest.raises(StatementError) as caught:
        TRANSITION.model_copy(update={"gate": twice}).to_statement()
    assert caught.value.fault is Fault.BAD_SUBJECT


@pytest.mark.parametrize(
    "subjects", [[], [RESULTS, RESULTS], [Subject(str(n), sha("1")) for n in range(SUBJECTS_MAX + 1)]]
)
def test_given_no_repeated_or_too_many_subjects_when_stated_then_it_is_refused(subjects):
    with pytest.raises(StatementError) as caught:
        WITNESS.to_statement(subjects)
    assert caught.value.fault is Fault.BAD_SUBJECT


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("", sha("1")),
        ("x" * 301, sha("1")),
        ("a", "1" * 63),
        ("a", sha("A")),
        ("a", sha("1") + "\n"),
        (1, sha("1")),
    ],
)
def test_given_a_name_or_digest_out_of_bounds_then_it_is_no_subject(name, digest):
    with pytest.raises(StatementError) as caught:
        Subject(name, digest)
    assert caught.value.fault is Fault.BAD_SUBJECT


def test_given_more_than_a_statement_may_hold_when_signed_then_it_is_refused():
    argv = tuple("x" * 2_000 for _ in range(40))
    big = WITNESS.model_copy(update={"argv": argv}).to_statement([RESULTS])
    with pytest.raises(StatementError) as caught:
        sign(big, ENGINE)
    assert caught.value.fault is Fault.TOO_LARGE


def test_given_a_lone_surrogate_when_signed_then_it_is_refused():
    with pytest.raises(StatementError) as caught:
        sign(WITNESS.to_statement([Subject("\ud800", sha("1"))]), ENGINE)
    assert caught.value.fault is Fault.WRONG_SHAPE


def test_given_a_signer_that_returns_no_signature_when_signing_then_it_is_refused():
    class Broken:
        name = "broken"
        key_id = 'broken"+00000000'

        def sign(self, data):
            return b""

    with pytest.raises(StatementError) as caught:
        sign(STATEMENTS["witness"], Broken())
    assert caught.value.fault is Fault.BAD_SIGNATURE


def test_a_statement_is_frozen():
    with pytest.raises(AttributeError):
        STATEMENTS["witness"].subject = ()
    with pytest.raises(ValueError, match="frozen"):
        WITNESS.exit_code = 1


def test_base64_of_the_payload_is_the_statement():
    assert base64.b64decode(json.loads(sign(STATEMENTS["witness"], ENGINE))["payload"]) == (
        STATEMENTS["witness"].to_bytes()
    )
