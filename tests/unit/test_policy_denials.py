"""A policy pack allows only what it was seen to allow: whatever goes wrong denies, and says what it was."""

from __future__ import annotations

import pytest
from policy_pack_checks import GOOD, asked, codes, own_pack, patch_of

from phasegate.policies.rego import PackInvalid, PackNotFound, deciding, evaluate, interpreter, load_pack
from phasegate.policies.rego.interpreter import RegoProcess
from phasegate.policies.rego.pack import parse_pack
from phasegate.validators.interface import Artifact, Context, Severity
from phasegate.validators.policy_pack import policy_pack

PATCH = patch_of({"src/a.py": ["x = 2"]})
DOCUMENT = {"version": 1, "parameters": {}, "change": {"files": [], "paths": [], "lines": 1}}
NO_FINDING = "deny contains f if {\n\tsome f in []\n}\n\n"
PASSES = 'passed contains "own.good" if true\n'
ENDLESS = (
    "deny contains a if {\n\tsome a in numbers.range(1, 3000)\n\tsome b in numbers.range(1, 3000)\n"
    f"\tsome c in numbers.range(1, 3000)\n\ta + b + c == 1\n}}\n\n{PASSES}"
)


def test_given_a_rule_that_holds_then_it_is_allowed_and_named() -> None:
    decision = evaluate(own_pack(GOOD), DOCUMENT)

    assert (decision.allowed, decision.rule_ids, decision.findings) == (True, ("own.good",), ())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('deny contains {"rule": "own.good", "place": "x", "message": "no"} if true\n\n' + PASSES, "own.good"),
        ('deny contains {"rule": "own.other"} if true\n\n' + PASSES, "policy.undeclared"),
        ('deny contains "no" if true\n\n' + PASSES, "policy.undeclared"),
        (NO_FINDING + 'passed contains "own.good" if input.change.nothing\n', "policy.undefined"),
        (NO_FINDING + 'passed contains "own.bad" if true\n', "policy.undefined"),
        (NO_FINDING + "passed contains 1 if true\n", "policy.undefined"),
        (NO_FINDING + 'passed := "own.good"\n', "policy.error"),
        (NO_FINDING + 'passed := {"own.good": true}\n', "policy.error"),
        ("deny := true\n\n" + PASSES, "policy.error"),
        ("deny := false\n\n" + PASSES, "policy.error"),
        (NO_FINDING, "policy.error"),
        (PASSES, "policy.error"),
        ('deny contains f if {\n\tf := to_number("x")\n}\n\n' + PASSES, "policy.error"),
        ("deny contains f if {\n\tf := regex.match(`(`, `a`)\n}\n\n" + PASSES, "policy.error"),
        ("deny contains f if {\n\tf := 1 / 0\n}\n\n" + PASSES, "policy.error"),
        ("deny contains f if f in (\n\n" + PASSES, "policy.error"),
    ],
)  # fmt: skip
def test_given_anything_else_then_it_is_denied(body: str, code: str) -> None:
    decision = evaluate(own_pack(body), DOCUMENT)

    assert not decision.allowed
    assert decision.rule_ids
    assert [(found.code, found.severity) for found in decision.findings] == [(code, Severity.ERROR)]


def test_given_an_endless_rule_then_it_is_stopped_and_the_next_one_is_answered() -> None:
    process = RegoProcess(timeout_seconds=0.5)
    try:
        stopped = evaluate(own_pack(ENDLESS), DOCUMENT, process=process)
        process._timeout = 10
        after = evaluate(own_pack(GOOD), DOCUMENT, process=process)
    finally:
        process.close()

    assert (stopped.allowed, codes(stopped.findings)) == (False, ["policy.timeout"])
    assert after.allowed


def test_given_a_rule_that_breaks_the_interpreter_then_it_is_denied_and_nothing_else_breaks() -> None:
    breaking = (
        'two if count(input.a) == 2\n\ndeny contains f if {\n\tf := two with input as {"a": [1]}\n}\n\n'
        + PASSES
    )

    assert codes(evaluate(own_pack(breaking), DOCUMENT).findings) == ["policy.crashed"]
    assert evaluate(own_pack(GOOD), DOCUMENT).allowed


def test_given_no_interpreter_then_nothing_is_evaluated_and_nothing_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interpreter, "find_spec", lambda _: None)
    monkeypatch.setattr(deciding, "shared", RegoProcess)

    (found,) = asked("diff_caps", PATCH)

    assert (found.code, found.severity) == ("policy.extra_missing", Severity.NOT_EVALUATED)
    assert "phasegate[rego]" in found.remedy


@pytest.mark.parametrize("document", [b"", b"{}", b"[1]", b'{"pack": "own", "modules": {}}', b"\xff"])
def test_given_bytes_that_are_no_pack_then_nothing_is_evaluated(document: bytes) -> None:
    found = policy_pack(
        Artifact("git_diff.patch", PATCH.encode()), Context({"pack": "own"}, {"pack:own": document})
    )

    assert [(it.code, it.severity) for it in found] == [("policy.pack_invalid", Severity.NOT_EVALUATED)]


@pytest.mark.parametrize("document", [{}, {"version": 2, "parameters": {}}, {**DOCUMENT, "more": 1}])
def test_given_what_is_no_input_then_nothing_is_evaluated(document: dict[str, object]) -> None:
    decision = evaluate("diff_caps", document)

    assert (decision.allowed, codes(decision.findings)) == (False, ["policy.input_invalid"])


def test_given_no_patch_then_rules_on_it_are_undefined_and_deny() -> None:
    found = policy_pack(
        Artifact("notes.md", b"# Notes"),
        Context({"pack": "secrets"}, {"pack:secrets": load_pack("secrets").document}),
    )

    assert codes(found) == ["policy.undefined"]


def test_given_a_patch_that_cannot_be_read_then_that_is_the_finding() -> None:
    assert codes(asked("secrets", "no patch at all")) != []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("deny contains time.now_ns() if true\n", "each time"),
        ('deny contains f if {\n\tf := http.send({"method": "get"})\n}\n', "each time"),
        ("deny {\n\ttrue\n}\n", "Rego v0"),
    ],
)
def test_given_a_rule_that_could_decide_otherwise_tomorrow_then_the_pack_is_refused(
    body: str, reason: str
) -> None:
    with pytest.raises(PackInvalid, match=reason):
        own_pack(body + GOOD)


def test_given_a_pack_then_its_document_is_the_same_pack() -> None:
    pack = load_pack("migrations")

    assert parse_pack(pack.document) == pack
    assert set(pack.modules) == {"migrations.rego", "lib/globs.rego", "lib/rollback.rego"}


def test_given_a_name_that_is_none_then_it_is_not_looked_for() -> None:
    for name in ("../paths", "", "A"):
        with pytest.raises(PackNotFound, match="no pack's name"):
            load_pack(name, lambda _: b"never read")
    with pytest.raises(PackNotFound, match="there is no pack"):
        load_pack("no_such", lambda _: None)
