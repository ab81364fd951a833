"""Bundles of gates are data: how a process names them, and what their reports must say."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from valid_artifacts import GATE_REPORT

from phasegate.engine.app.gates.checks import CHECKS
from phasegate.engine.core.gate import flag_names
from phasegate.policies.errors import ProcessInvalid
from phasegate.policies.extending import shipped_bundles
from phasegate.policies.gate_model import KNOWN_CHECKS
from phasegate.policies.loader import load_process, parse_process, stored_process
from phasegate.policies.model import Origin, Witness
from phasegate.validators.citations import Citation, citations_in
from phasegate.validators.code_owners import owners_of, read_owners
from phasegate.validators.interface import Artifact, Severity
from phasegate.validators.registry import Check, run

OWN = {
    "extends": "autopilot",
    "process": "own",
    "gates": ["onboarding", "moderation", "grounding", "change", "supply", "merge"],
}
EDGES = {0: "STRATEGIZE", 1: "SPEC", 2: "THINK", 3: "IMPLEMENT", 4: "VERIFY", 5: "PR"}


def parsed(**changes: Any) -> Any:
    """The process of one's own, with changes."""
    return parse_process(yaml.safe_dump({**OWN, **changes}).encode(), "own.yaml")


def test_the_bundles_stand_at_the_edges_that_the_specification_names() -> None:
    assert {bundle.gate: bundle.leaving for bundle in shipped_bundles()} == EDGES


def test_the_engine_has_a_function_for_every_check() -> None:
    assert set(CHECKS) | {"auto_merge"} == KNOWN_CHECKS


def test_a_process_takes_another_and_adds_the_gates_to_its_phases() -> None:
    process, base = parsed(), load_process("autopilot")
    for gate, phase in EDGES.items():
        *others, report = process.phase(phase).evidence
        assert tuple(others) == base.phase(phase).evidence
        assert (report.name, report.origin, report.witness) == (
            f"gate_{gate}.json",
            Origin.WITNESSED,
            Witness.GATE,
        )
    assert process.phase("PLAN") == base.phase("PLAN")
    assert stored_process(process.canonical()).digest == process.digest != base.digest


def test_a_changed_parameter_changes_the_digest_of_the_process() -> None:
    use = {"use": "change", "set": {"change.coverage": {"params": {"least": "1"}}}}
    assert parsed(gates=["change"]).digest != parsed(gates=[use]).digest


def test_every_rule_has_a_flag_of_its_own() -> None:
    names = flag_names(parsed(), "IMPLEMENT")
    assert {"IMPLEMENT/change.tests", "IMPLEMENT/static.bandit"} <= set(names)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extends": "none"}, "is no shipped process"),
        ({"gates": "change"}, "must be a list"),
        ({"gates": ["none"]}, "there is no bundle `none`"),
        ({"gates": ["change", "change"]}, "gate 3 stands twice"),
        ({"gates": [{"use": "change", "set": {"none": {}}}]}, "has no rule `none`"),
        ({"gates": [{"use": "change", "set": {"change.tests": {"off": True}}}]}, "takes `mode` and `params`"),
        ({"gates": [{"use": "change", "off": True}]}, "there is only `set`"),
        ({"gates": [{"use": "change", "set": {"change.tests": {"mode": "maybe"}}}]}, "mode"),
        ({"gates": [{"use": "change", "set": {"change.tests": {"params": {"x": 0.5}}}}]}, "float"),
        ({"gates": [{"gate": 7, "title": "x", "leaving": "NONE", "checks": [{"rule": "x", "use": "sbom"}]}]}, "there is no phase"),
        ({"gates": [{"gate": 7, "title": "x", "leaving": "SPEC", "checks": [{"rule": "x", "use": "none"}]}]}, "there is no check `none`"),
    ],
)  # fmt: skip
def test_what_names_nothing_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ProcessInvalid, match=said):
        parsed(**changes)


REPORT: dict[str, Any] = {
    **GATE_REPORT,
    "tree": "a" * 40,
    "documents": {"plan.md": hashlib.sha256(b"plan").hexdigest()},
    "checks": [{**GATE_REPORT["checks"][0], "rule": "r"}],
}


def judged(report: dict[str, Any], mode: str = "enforce", **companions: bytes) -> list[tuple[str, Severity]]:
    """Codes and weights of what the validator says of a report."""
    params = {"gate": 3, "bundle": "b" * 64, "rules": {"r": mode}, "documents": ["plan.md"]}
    facts = json.dumps({"head": "d" * 40, "tree": "a" * 40}).encode()
    beside = {"plan.md": b"plan", "facts:git.json": facts, **companions}
    artifact = Artifact("gate_3.json", json.dumps(report).encode())
    found = run([Check("gate_bundle", params)], artifact, beside)
    return [(finding.code, finding.severity) for finding in found]


def checked(**changes: Any) -> dict[str, Any]:
    """The report with changes in its only check."""
    return {**REPORT, "checks": [{**REPORT["checks"][0], **changes}]}


def test_a_report_that_holds_and_passes_has_no_finding() -> None:
    assert judged(REPORT) == []


@pytest.mark.parametrize(
    ("report", "code", "severity"),
    [
        ({**REPORT, "gate": 4}, "gate_bundle.other", Severity.ERROR),
        ({**REPORT, "bundle": "e" * 64}, "gate_bundle.other", Severity.ERROR),
        ({**REPORT, "tree": "f" * 40}, "gate_bundle.tree_changed", Severity.ERROR),
        ({**REPORT, "documents": {}}, "gate_bundle.document_changed", Severity.ERROR),
        ({**REPORT, "checks": []}, "gate_bundle.rule_missing", Severity.ERROR),
        (checked(status="failed", count=1), "r", Severity.ERROR),
        (checked(status="not_evaluated", reason="no tool"), "r", Severity.NOT_EVALUATED),
    ],
)  # fmt: skip
def test_a_report_that_does_not_hold_shuts_the_gate(
    report: dict[str, Any], code: str, severity: Severity
) -> None:
    assert judged(report) == [(code, severity)]


def test_an_observed_rule_is_shown_and_one_that_is_off_is_not() -> None:
    failed = checked(status="failed", count=1)
    assert judged(failed, "observe") == [("r", Severity.WARNING)]
    assert judged(failed, "off") == []


def test_the_process_decides_what_a_rule_weighs_and_not_the_report() -> None:
    assert judged(checked(status="failed", count=1, mode="observe")) == [("r", Severity.ERROR)]


def test_what_is_no_report_shuts_the_gate() -> None:
    assert judged({**REPORT, "checks": [{"rule": "r", "status": "passed"}]}) != []


OWNERS = (
    "* @all\n# nobody\n/docs/ @ana\n*.sql @org/dba ben@example.org\nsrc/generated/**\nsrc/**/wire.py @eve\n"
)


@pytest.mark.parametrize(
    ("path", "owners"),
    [("a.py", ("@all",)), ("docs/x/y.md", ("@ana",)), ("src/docs/y.md", ("@all",)), ("db/1.sql", ("@org/dba", "ben@example.org")),
     ("src/generated/a.py", ()), ("src/a/b/wire.py", ("@eve",)), ("src/wire.py", ("@eve",))],
)  # fmt: skip
def test_the_last_line_that_matches_says_who_owns_a_file(path: str, owners: tuple[str, ...]) -> None:
    rules, problems = read_owners(OWNERS)
    assert problems == ()
    assert owners_of(rules, path) == owners


@pytest.mark.parametrize("line", ["!a.py @ana", "a[bc].py @ana", "a.py ana", "\\#a @ana"])
def test_owners_that_cannot_be_read_are_not_guessed(line: str) -> None:
    assert read_owners(f"* @all\n{line}\n")[1] == ("line 2 cannot be read",)


def test_citations_are_read_from_backticks_and_links() -> None:
    text = "See `src/a.py:3`, [b](src/b.py#L4-L6), `word`, `a.py` and `src/c.py`.\n\n```\n`src/d.py:1`\n```\n`./src/e.py:2-4`\n"
    assert list(citations_in(text)) == [
        Citation("src/a.py", 3, 3, 1), Citation("src/b.py", 4, 6, 1), Citation("src/c.py", 0, 0, 1), Citation("src/e.py", 2, 4, 6),
    ]  # fmt: skip


DOCS = (Path(__file__).parents[2] / "docs" / "gates.md").read_text()


def test_the_page_tells_of_every_rule() -> None:
    told = set(re.findall(r"`([a-z]+\.[a-z_-]+)`", DOCS))
    assert {check.rule for bundle in shipped_bundles() for check in bundle.checks} <= told


def test_the_samples_of_the_page_are_accepted() -> None:
    first, second = re.findall(r"^```yaml\n(.*?)^```", DOCS, flags=re.MULTILINE | re.DOTALL)
    process = parse_process(first.encode(), "gates.md")
    assert [bundle.gate for bundle in process.gates] == [0, 1, 3, 4]
    more = parse_process(f"extends: autopilot\nprocess: ours\n{second}".encode(), "gates.md")
    assert [bundle.report for bundle in more.gates] == ["gate_6.json"]
