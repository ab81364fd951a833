"""Statements and envelopes: what is written, and one mutation for every reason to refuse what is read."""

from __future__ import annotations

import base64
import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from valid_statements import (
    ALICE,
    APPROVAL,
    ENGINE,
    KEYS,
    PROCESS,
    RESULTS,
    STATEMENTS,
    STRANGER,
    TRANSITION,
    WITNESS,
    sha,
    wrapped,
    wrapped_bytes,
)

from phasegate.engine.core.errors import EngineError
from phasegate.engine.statements import (
    PREDICATES,
    Approval,
    EvidenceItem,
    Fault,
    Gate,
    Role,
    Statement,
    StatementError,
    Subject,
    Transition,
    VerifyKey,
    Witness,
    parse_statement,
    sign,
    verify,
    verify_signed,
)
from phasegate.engine.statements.dsse import ENVELOPE_BYTES_MAX, pae, read_envelope
from phasegate.engine.statements.schema_store import SCHEMA_NAMES, predicate_schema
from phasegate.engine.statements.statement import PAYLOAD_BYTES_MAX, SUBJECTS_MAX
from phasegate.ledger import canonical
from phasegate.policies.model import Origin

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "statements.md").read_text("utf-8")
VALID = wrapped(STATEMENTS["transition"].to_bytes())


def refused(data: bytes, *, keys=KEYS, expected=Transition) -> StatementError:
    with pytest.raises(StatementError) as caught:
        verify(data, keys, expected_type=expected)
    assert caught.value.remedy
    assert caught.value.exit_code == 4
    return caught.value


# What is written


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


# What is read: the envelope


def changed(**fields):
    return {**copy.deepcopy(VALID), **fields}


def without(field):
    return {name: value for name, value in VALID.items() if name != field}


def resigned(**fields):
    return [{**VALID["signatures"][0], **fields}]


def as_bytes(value) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


RAW = as_bytes(VALID)
SIG = VALID["signatures"][0]["sig"]
LAST = "AQgw"[("AQgw".index(SIG[-3]) + 1) % 4] if SIG[-3] in "AQgw" else "x"

ENVELOPE_MUTATIONS = {
    "empty": (b"", Fault.MALFORMED),
    "not json": (b"payload", Fault.MALFORMED),
    "not utf-8": (b"\xff" + RAW, Fault.MALFORMED),
    "byte order mark": (b"\xef\xbb\xbf" + RAW, Fault.MALFORMED),
    "nested without end": (b"[" * 60_000, Fault.MALFORMED),
    "cut": (RAW[:-1], Fault.MALFORMED),
    "trailing object": (RAW + b"{}", Fault.TRAILING_DATA),
    "trailing garbage": (RAW + b" x", Fault.TRAILING_DATA),
    "duplicate key": (b'{"payload":"e30=",' + RAW[1:], Fault.DUPLICATE_KEY),
    "too large": (RAW[:-1] + b" " * ENVELOPE_BYTES_MAX + b"}", Fault.TOO_LARGE),
    "an array": ([VALID], Fault.WRONG_SHAPE),
    "unknown field": (changed(note=""), Fault.WRONG_SHAPE),
    "no payload": (without("payload"), Fault.WRONG_SHAPE),
    "no payload type": (without("payloadType"), Fault.WRONG_SHAPE),
    "no signatures field": (without("signatures"), Fault.WRONG_SHAPE),
    "payload is a number": (changed(payload=1), Fault.WRONG_SHAPE),
    "payload type is null": (changed(payloadType=None), Fault.WRONG_SHAPE),
    "payload type is empty": (changed(payloadType=""), Fault.WRONG_SHAPE),
    "signatures is an object": (changed(signatures={}), Fault.WRONG_SHAPE),
    "signature is text": (changed(signatures=[SIG]), Fault.WRONG_SHAPE),
    "signature without key id": (changed(signatures=[{"sig": SIG}]), Fault.WRONG_SHAPE),
    "signature with empty key id": (changed(signatures=resigned(keyid="")), Fault.WRONG_SHAPE),
    "signature with a field more": (changed(signatures=resigned(cert="")), Fault.WRONG_SHAPE),
    "signature is a number": (changed(signatures=resigned(sig=1)), Fault.WRONG_SHAPE),
    "too many signatures": (
        changed(signatures=[{"keyid": str(n), "sig": SIG} for n in range(17)]),
        Fault.WRONG_SHAPE,
    ),
    "zero signatures": (changed(signatures=[]), Fault.NO_SIGNATURES),
    "one key twice": (changed(signatures=resigned() * 2), Fault.DUPLICATE_SIGNATURE),
    "payload without padding": (changed(payload="e30"), Fault.BAD_BASE64),
    "payload with white space": (changed(payload="e3 0="), Fault.BAD_BASE64),
    "payload with stray bits": (changed(payload="e31="), Fault.BAD_BASE64),
    "payload outside ascii": (changed(payload="e30é"), Fault.BAD_BASE64),
    "payload in two alphabets": (changed(payload="+_+_"), Fault.BAD_BASE64),
    "signature without padding": (changed(signatures=resigned(sig=SIG.rstrip("="))), Fault.BAD_BASE64),
    "signature with stray bits": (
        changed(signatures=resigned(sig=SIG[:-3] + chr(ord(SIG[-3]) + 1) + "==")),
        Fault.BAD_BASE64,
    ),
    "unknown key": (wrapped(STATEMENTS["transition"].to_bytes(), STRANGER), Fault.UNKNOWN_KEY),
    "key id of another": (changed(signatures=resigned(keyid=ALICE.key_id)), Fault.BAD_SIGNATURE),
    "key id in upper case": (changed(signatures=resigned(keyid=ENGINE.key_id.upper())), Fault.UNKNOWN_KEY),
    "empty signature": (changed(signatures=resigned(sig="")), Fault.BAD_SIGNATURE),
    "another payload": (changed(payload="e30="), Fault.BAD_SIGNATURE),
    "payload type swapped": (changed(payloadType="application/json"), Fault.BAD_SIGNATURE),
    "payload type swapped and signed": (
        wrapped(STATEMENTS["transition"].to_bytes(), payload_type="application/json"),
        Fault.WRONG_PAYLOAD_TYPE,
    ),
}


def test_given_the_unchanged_envelope_then_it_verifies():
    assert verify(RAW, KEYS, expected_type=Transition) == STATEMENTS["transition"]


@pytest.mark.parametrize("mutation", ENVELOPE_MUTATIONS)
def test_given_one_mutation_of_the_envelope_then_one_named_fault(mutation):
    value, fault = ENVELOPE_MUTATIONS[mutation]
    assert refused(as_bytes(value)).fault is fault


def test_every_fault_of_an_envelope_has_its_mutation():
    assert {fault for _, fault in ENVELOPE_MUTATIONS.values()} | PAYLOAD_FAULTS | {
        Fault.NOT_AUTHORISED
    } == set(Fault)


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


# What is read: the payload, truly signed


def payload_of(name: str, *path, value=None, drop=False) -> bytes:
    tree = json.loads(STATEMENTS[name].to_bytes())
    node = tree
    for step in path[:-1]:
        node = node[step]
    if drop:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return json.dumps(tree).encode()


GOOD = STATEMENTS["transition"].to_bytes()
PAYLOAD_MUTATIONS = {
    "not json": (b"hello", Fault.MALFORMED),
    "trailing data": (GOOD + GOOD, Fault.TRAILING_DATA),
    "duplicate key": (b'{"_type":"x",' + GOOD[1:], Fault.DUPLICATE_KEY),
    "duplicate key within": (GOOD.replace(b'"checks":', b'"checks":[],"checks":'), Fault.DUPLICATE_KEY),
    "too large": (GOOD[:-1] + b" " * PAYLOAD_BYTES_MAX + b"}", Fault.TOO_LARGE),
    "statement v0.1": (
        payload_of("transition", "_type", value="https://in-toto.io/Statement/v0.1"),
        Fault.WRONG_STATEMENT_TYPE,
    ),
    "type is a number": (payload_of("transition", "_type", value=1), Fault.WRONG_STATEMENT_TYPE),
    "no type": (payload_of("transition", "_type", drop=True), Fault.WRONG_SHAPE),
    "no predicate": (payload_of("transition", "predicate", drop=True), Fault.WRONG_SHAPE),
    "a field more": (payload_of("transition", "extra", value=1), Fault.WRONG_SHAPE),
    "unknown predicate": (
        payload_of("transition", "predicateType", value="https://slsa.dev/provenance/v1"),
        Fault.UNKNOWN_PREDICATE,
    ),
    "predicate type is a list": (
        payload_of("transition", "predicateType", value=[]),
        Fault.UNKNOWN_PREDICATE,
    ),
    "later predicate": (
        payload_of("transition", "predicateType", value="https://phasegate.dev/predicates/transition/v2"),
        Fault.UNKNOWN_PREDICATE,
    ),
    "predicate of another type": (STATEMENTS["witness"].to_bytes(), Fault.UNEXPECTED_PREDICATE),
    "predicate under another type": (
        payload_of("transition", "predicateType", value=Witness.TYPE),
        Fault.BAD_PREDICATE,
    ),
    "predicate is a list": (payload_of("transition", "predicate", value=[]), Fault.BAD_PREDICATE),
    "field by its python name": (
        GOOD.replace(b'"from":"VERIFY"', b'"source":"VERIFY"'),
        Fault.BAD_PREDICATE,
    ),
    "a float": (payload_of("transition", "predicate", "attempt", value=1.0), Fault.BAD_PREDICATE),
    "a boolean count": (payload_of("transition", "predicate", "attempt", value=True), Fault.BAD_PREDICATE),
    "a count beyond 2**53": (
        payload_of("transition", "predicate", "attempt", value=2**53),
        Fault.BAD_PREDICATE,
    ),
    "a negative count": (payload_of("transition", "predicate", "attempt", value=-1), Fault.BAD_PREDICATE),
    "a lower-case phase": (payload_of("transition", "predicate", "to", value="review"), Fault.BAD_PREDICATE),
    "a phase with a newline": (
        payload_of("transition", "predicate", "to", value="REVIEW\n"),
        Fault.BAD_PREDICATE,
    ),
    "an impossible time": (
        payload_of("transition", "predicate", "at", value="2026-13-21T09:30:00.000000Z"),
        Fault.BAD_PREDICATE,
    ),
    "an unknown origin": (
        payload_of("transition", "predicate", "gate", "evidence", 0, "origin", value="trusted"),
        Fault.BAD_PREDICATE,
    ),
    "no subject": (payload_of("transition", "subject", value=[]), Fault.BAD_SUBJECT),
    "subject is an object": (payload_of("transition", "subject", value={}), Fault.WRONG_SHAPE),
    "subject without digest": (
        payload_of("transition", "subject", 0, "digest", drop=True),
        Fault.WRONG_SHAPE,
    ),
    "subject with a uri": (payload_of("transition", "subject", 0, "uri", value="x"), Fault.WRONG_SHAPE),
    "another digest": (
        payload_of("transition", "subject", 0, "digest", "sha1", value="0" * 40),
        Fault.WRONG_SHAPE,
    ),
    "upper-case digest": (
        payload_of("transition", "subject", 0, "digest", "sha256", value=sha("A")),
        Fault.BAD_SUBJECT,
    ),
    "subject that is no evidence": (
        payload_of("transition", "subject", 0, "digest", "sha256", value=sha("f")),
        Fault.BAD_SUBJECT,
    ),
    "subject renamed": (payload_of("transition", "subject", 0, "name", value="other"), Fault.BAD_SUBJECT),
    "evidence without its subject": (payload_of("transition", "subject", 1, drop=True), Fault.BAD_SUBJECT),
    "evidence named twice": (
        payload_of(
            "transition",
            "predicate",
            "gate",
            "evidence",
            value=[item.model_dump() for item in (*TRANSITION.gate.evidence, TRANSITION.gate.evidence[0])],
        ),
        Fault.BAD_SUBJECT,
    ),
    "two subjects of one name": (
        payload_of("transition", "subject", 1, "name", value="test_results.json"),
        Fault.BAD_SUBJECT,
    ),
    "thousands of subjects": (
        payload_of("transition", "subject", value=[0] * (SUBJECTS_MAX + 1)),
        Fault.BAD_SUBJECT,
    ),
}
PAYLOAD_FAULTS = {fault for _, fault in PAYLOAD_MUTATIONS.values()}


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


# Who signed


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


def test_errors_are_the_engines_and_exit_with_integrity():
    assert issubclass(StatementError, EngineError)


def test_a_statement_is_frozen():
    with pytest.raises(AttributeError):
        STATEMENTS["witness"].subject = ()
    with pytest.raises(ValueError, match="frozen"):
        WITNESS.exit_code = 1


# What it costs, and what the documentation says


def test_signing_and_verifying_statements_does_not_import_securesystemslib():
    code = (
        "import sys; import phasegate.engine.statements as s; print('pydantic' in sys.modules);"
        "from phasegate.engine.statements.dsse import sign, verify; import phasegate.engine.app.people.keys;"
        "print([n for n in ('securesystemslib', 'cryptography', 'jsonschema') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["False", "[]"]


def test_every_name_the_package_offers_can_be_imported_from_it():
    import phasegate.engine.statements as package

    assert {name for names in package._HOMES.values() for name in names} == set(package.__all__)
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError):
        package.nothing  # noqa: B018


def examples() -> list[dict]:
    blocks = re.findall(r"```json\n(.*?)```", DOC, flags=re.DOTALL)
    return [json.loads(block) for block in blocks]


def test_the_documented_statements_are_statements():
    statements = [block for block in examples() if "_type" in block]
    assert {parse_statement(json.dumps(block).encode()).predicate.TYPE for block in statements} == set(
        PREDICATES
    )


def test_the_documented_envelope_verifies_with_the_documented_key():
    (envelope,) = [block for block in examples() if "payload" in block]
    key = VerifyKey.parse(next(line.strip() for line in DOC.splitlines() if line.startswith("    alice+")))
    statement = verify(json.dumps(envelope).encode(), {key.key_id: key}, expected_type=Approval)
    assert isinstance(statement, Statement)
    assert statement.to_dict() in examples()


def test_the_documentation_names_every_field_and_every_fault():
    for kind in PREDICATES.values():
        for name, field in kind.model_fields.items():
            assert f"`{field.alias or name}`" in DOC
    assert {fault for fault in Fault if f"`{fault}`" in DOC} == set(Fault)


def test_base64_of_the_payload_is_the_statement():
    assert base64.b64decode(json.loads(sign(STATEMENTS["witness"], ENGINE))["payload"]) == (
        STATEMENTS["witness"].to_bytes()
    )
