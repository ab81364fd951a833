"""Contracts: schemas that equal their models, and repairs that are proposed and told, never applied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from valid_artifacts import CONTRACT_PLAN, HEAD, changed

from phasegate.validators.contracts import CONTRACTS, contract_findings, contract_schema, propose_repair
from phasegate.validators.contracts.catalog import drawn_schema
from phasegate.validators.errors import BadParameterError
from phasegate.validators.globs import Globs
from phasegate.validators.interface import Artifact
from phasegate.validators.registry import Check, run

SCHEMAS = Path(__file__).parents[2] / "validators" / "phasegate" / "validators" / "contracts" / "schemas"

DOCUMENTS = {
    "Plan": CONTRACT_PLAN,
    "ProblemSpec": {
        "contract": "ProblemSpec", "version": 1, "task": "T-1", "problem": "slow", "objectives": ["fast"],
        "acceptance_criteria": [{"id": "AC-1", "text": "returns within 1 s"}],
        "kpis": [{"name": "p95", "bound": "<=", "value": "500", "unit": "ms"}],
        "risks": [{"id": "R-1", "text": "cache goes stale"}],
    },
    "ChangeSet": {
        "contract": "ChangeSet", "version": 1, "task": "T-1", "base_commit": HEAD, "summary": "renamed", "items": ["W-1"],
        "files": [{"path": "a.py", "action": "rename", "old_path": "b.py", "added": 1}, {"path": ".ci/x", "action": "add"}],
    },
    "PRSummary": {
        "contract": "PRSummary", "version": 1, "task": "T-1", "title": "t", "summary": "renamed", "commit": HEAD,
        "risks": ["none known"], "rollback": "revert", "ledger_entries": [3], "metrics": {"p95": "12.5"},
    },
    "RiskReport": {
        "contract": "RiskReport", "version": 1, "task": "T-1", "overall": "medium",
        "risks": [{"id": "R-1", "description": "stale", "likelihood": "medium", "impact": "high", "mitigation": "expire", "status": "open"}],
    },
}  # fmt: skip


def codes(name, document):
    return [found.code for found in contract_findings(name, Artifact("a", json.dumps(document).encode()))]


def test_given_the_contracts_then_there_is_a_valid_document_for_each():
    assert set(DOCUMENTS) == set(CONTRACTS)


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_given_a_shipped_schema_when_compared_then_it_is_what_the_model_says(name):
    assert (SCHEMAS / f"{name}.json").read_text() == drawn_schema(name)
    Draft202012Validator.check_schema(contract_schema(name))


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_given_a_valid_document_when_checked_then_model_and_schema_both_accept_it(name):
    assert codes(name, DOCUMENTS[name]) == []
    assert list(Draft202012Validator(contract_schema(name)).iter_errors(DOCUMENTS[name])) == []


@pytest.mark.parametrize(
    ("name", "path", "value", "code"),
    [
        ("ChangeSet", ("files", 0, "old_path"), None, "contract.inconsistent"),
        ("ChangeSet", ("files", 1, "path"), "a.py", "contract.inconsistent"),
        ("ChangeSet", ("files", 1, "path"), "a/../../b", "contract.value"),
        ("ChangeSet", ("files", 1, "path"), "a\n", "contract.value"),
        ("ChangeSet", ("base_commit",), HEAD[:7], "contract.value"),
        ("PRSummary", ("metrics", "p95"), 12.5, "contract.type"),
        ("PRSummary", ("risks",), [], "contract.value"),
        ("PRSummary", ("ledger_entries",), [True], "contract.type"),
        ("RiskReport", ("overall",), "low", "contract.inconsistent"),
        ("RiskReport", ("risks", 0, "status"), "accepted", "contract.inconsistent"),
        ("RiskReport", ("risks", 0, "impact"), "huge", "contract.value"),
        ("ProblemSpec", ("kpis", 0, "bound"), "~", "contract.value"),
        ("ProblemSpec", ("kpis", 0, "value"), "much", "contract.value"),
        ("ProblemSpec", ("problem",), "  ", "contract.value"),
        ("ProblemSpec", ("problem",), "TBD", "contract.placeholder"),
        ("ProblemSpec", ("objectives", 0), "to be written", "contract.placeholder"),
        ("ProblemSpec", ("acceptance_criteria", 0, "text"), "this will be described", "contract.placeholder"),
        ("ProblemSpec", ("risks", 0, "text"), "n/a", "contract.placeholder"),
        ("PRSummary", ("rollback",), "none needed", "contract.placeholder"),
        ("RiskReport", ("risks", 0, "mitigation"), "none needed", "contract.placeholder"),
    ],
)
def test_given_one_mutation_when_checked_then_one_code_is_found(name, path, value, code):
    assert codes(name, changed(DOCUMENTS[name], *path, to=value)) == [code]


def test_given_a_document_that_fulfils_when_a_repair_is_proposed_then_it_is_the_document_itself():
    content = json.dumps(CONTRACT_PLAN).encode()
    proposal = propose_repair("Plan", content)
    assert (proposal.document, proposal.edits, proposal.remaining, proposal.fulfils) == (
        content,
        (),
        (),
        True,
    )


def test_given_a_document_of_wrong_form_when_a_repair_is_proposed_then_every_change_is_told():
    broken = {
        "task": "T",
        "extra": 1,
        "items": [
            {"ID": "w1", "title": " sort ", "dependsOn": "W2", "files": ["./a.py"]},
            {"id": "W-2", "title": "mark"},
        ],
    }
    content = b"```json\n" + json.dumps(broken).encode() + b"\n```\n"
    before = bytes(content)
    proposal = propose_repair("Plan", content)
    assert content == before
    assert proposal.fulfils
    assert json.loads(proposal.document) == {
        "contract": "Plan", "version": 1, "task": "T",
        "items": [
            {"id": "W-1", "title": "sort", "depends_on": ["W-2"], "files": ["a.py"]},
            {"id": "W-2", "title": "mark"},
        ],
    }  # fmt: skip
    assert [edit.place for edit in proposal.edits] == [
        "document", "/items/0/ID", "/items/0/dependsOn", "/items/0/id", "/items/0/title", "/items/0/depends_on",
        "/items/0/depends_on/0", "/items/0/files/0", "/extra", "/contract", "/version",
    ]  # fmt: skip


def test_given_content_is_missing_when_a_repair_is_proposed_then_it_is_not_made_up():
    proposal = propose_repair(
        "Plan", json.dumps(changed(CONTRACT_PLAN, "items", 0, "title", without=True)).encode()
    )
    assert [finding.code for finding in proposal.remaining] == ["contract.missing"]
    assert (proposal.fulfils, proposal.edits) == (False, ())


def test_given_bytes_that_are_no_json_when_a_repair_is_proposed_then_there_is_none():
    proposal = propose_repair("Plan", b"{")
    assert (proposal.document, proposal.fulfils) == (None, False)
    assert [finding.code for finding in proposal.remaining] == ["json.malformed"]


def test_given_an_unknown_contract_when_asked_for_then_the_error_names_those_there_are():
    with pytest.raises(BadParameterError, match="`RiskReport`"):
        propose_repair("Poem", b"{}")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("src/**", "src/a/b.py", True), ("src/**", "src", False), ("src/**", "lib/src/a.py", False),
        ("**/tests/**", "tests/a.py", True), ("**/tests/**", "x/y/tests/z/a.py", True), ("*.py", "x/y.py", True),
        ("*.py", "x.pyc", False), ("src/*.py", "src/x/y.py", False), ("src/*.py", "src/y.py", True), ("docs/", "docs/a", True),
        ("**", "any/thing\n", True), ("a?c", "abc", True), ("a?c", "a/c", False), ("a.c", "abc", False), ("[a]", "[a]", True),
        ("/README.md", "README.md", True), ("Src/**", "src/a", False),
    ],
)  # fmt: skip
def test_given_a_pattern_when_matched_then_stars_stay_where_they_belong(pattern, path, matches):
    assert Globs((pattern,)).matches(path) is matches


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (["AC-1"], []),
        ([], ["contract.uncovered_criterion"]),
        (["AC-1", "AC-7"], ["contract.unknown_criterion"]),
    ],
)
def test_given_a_plan_and_a_problem_when_compared_then_only_the_field_covers_a_criterion(criteria, expected):
    document = changed(CONTRACT_PLAN, "items", 0, "title", to="sort, which covers AC-1")
    content = json.dumps(changed(document, "items", 0, "criteria", to=criteria)).encode()
    check = Check("contract", {"name": "Plan", "covers": "problem.json"})
    problem = json.dumps(DOCUMENTS["ProblemSpec"]).encode()

    found = run([check], Artifact("plan.json", content), {"problem.json": problem})
    without = run([check], Artifact("plan.json", content), {})

    assert [finding.code for finding in found] == expected
    assert all(finding.blocks and finding.remedy for finding in (*found, *without))
    assert [finding.code for finding in without] == ["companion.malformed"]


def test_given_an_accepted_risk_when_nothing_is_done_about_it_then_that_may_be_said():
    risk = {
        **DOCUMENTS["RiskReport"]["risks"][0],
        "status": "accepted",
        "accepted_by": "ann",
        "mitigation": "none",
    }
    assert codes("RiskReport", {**DOCUMENTS["RiskReport"], "risks": [risk]}) == []


def test_given_two_kpis_of_one_name_however_spelled_when_checked_then_they_contradict_each_other():
    kpi = {**DOCUMENTS["ProblemSpec"]["kpis"][0], "name": "P95", "bound": ">="}
    document = {**DOCUMENTS["ProblemSpec"], "kpis": [*DOCUMENTS["ProblemSpec"]["kpis"], kpi]}
    assert codes("ProblemSpec", document) == ["contract.inconsistent"]
