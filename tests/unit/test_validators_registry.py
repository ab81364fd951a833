"""The registry: cheap to import, complete, and never a source of exceptions."""

from __future__ import annotations

import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator
from valid_artifacts import VALID, as_bytes

from phasegate.validators import registry
from phasegate.validators.errors import UnknownValidatorError, ValidatorError
from phasegate.validators.interface import Artifact, Finding, Severity
from phasegate.validators.registry import REGISTRY, Check, resolve, run
from phasegate.validators.schema_store import schema, schema_names


def test_given_a_fresh_interpreter_when_the_registry_is_imported_then_no_validator_and_no_jsonschema_is():
    code = (
        "import sys; from phasegate.validators.registry import REGISTRY; assert 'sections' in REGISTRY; "
        "print([m for m in sys.modules if m.startswith(('jsonschema', 'phasegate.validators.sections', 'orjson'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_given_a_registered_name_when_resolved_then_it_is_a_documented_function(name):
    validator = resolve(name)
    assert validator is REGISTRY[name]
    assert "Findings:" in validator.__doc__


def test_given_an_unknown_name_when_resolved_then_the_error_names_those_there_are():
    with pytest.raises(UnknownValidatorError, match="there is no validator `sektions`") as caught:
        resolve("sektions")
    assert "`sections`" in caught.value.remedy
    assert isinstance(caught.value, ValidatorError)


def test_given_an_unknown_name_when_run_then_it_is_not_evaluated():
    (finding,) = run([Check("sektions")], Artifact("a", b""), {})
    assert (finding.code, finding.severity, finding.blocks) == (
        "validator.unknown",
        Severity.NOT_EVALUATED,
        True,
    )


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError("deep"), MemoryError(), ZeroDivisionError("\n`")]
)
def test_given_a_validator_that_breaks_when_run_then_the_finding_names_it_and_the_others_still_run(
    monkeypatch, error
):
    def broken(artifact, context):
        raise error

    real = registry._loaded
    monkeypatch.setattr(
        registry, "_loaded", lambda place: broken if place.startswith("pr_url") else real(place)
    )
    findings = run([Check("pr_url"), Check("smoke")], Artifact("a", b'{"checks": []}'), {})
    assert [finding.code for finding in findings] == ["validator.crashed", "smoke.none_ran"]
    assert findings[0].severity is Severity.NOT_EVALUATED
    assert "`pr_url`" in findings[0].message
    assert findings[0].message.isprintable()


def test_given_an_interrupt_in_a_validator_when_run_then_it_is_not_swallowed(monkeypatch):
    def interrupted(artifact, context):
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "_loaded", lambda place: interrupted)
    with pytest.raises(KeyboardInterrupt):
        run([Check("smoke")], Artifact("a", b""), {})


def test_given_more_findings_than_are_listed_when_run_then_the_rest_is_counted_and_blocking_ones_stay(
    monkeypatch,
):
    warning = Finding("x.w", "a", "p", "m", "r", Severity.WARNING)
    error = Finding("x.e", "a", "p", "m", "r")
    monkeypatch.setattr(
        registry, "_loaded", lambda place: lambda artifact, context: (warning,) * 150 + (error,)
    )
    findings = run([Check("smoke")], Artifact("a", b""), {})
    assert len(findings) == 101
    assert error in findings
    assert findings[-1].message.startswith("51 more findings")
    assert findings[-1].blocks


def test_given_only_warnings_when_they_are_too_many_then_their_count_is_a_warning_too(monkeypatch):
    warning = Finding("x.w", "a", "p", "m", "r", Severity.WARNING)
    monkeypatch.setattr(registry, "_loaded", lambda place: lambda artifact, context: (warning,) * 150)
    assert not any(finding.blocks for finding in run([Check("smoke")], Artifact("a", b""), {}))


def test_given_several_checks_when_run_then_findings_come_in_their_order():
    valid = VALID["quality"]
    checks = [
        Check("quality", {"threshold": 9}),
        Check("quality", {"threshold": 8.5}),
        Check("quality", valid.params),
    ]
    findings = run(checks, Artifact("q", as_bytes(valid.content)), {})
    assert ["9" in findings[0].message, "8.5" in findings[1].message, len(findings)] == [True, True, 2]


@pytest.mark.parametrize("name", schema_names())
def test_given_a_schema_that_ships_then_it_is_valid_draft_2020_12_and_says_its_id(name):
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"urn:phasegate:schema:{name}:v1"
