"""Promise: the report of a gate's checks is the engine's own, holds for what stands, and what could not run shuts.

SPEC section 2, "Gates 0-5"; ARCHITECTURE section 5.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli
from gated_tasks import RECORD, TASK, Gated

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import Kind
from phasegate.policies.loader import parse_process
from phasegate.policies.model import FlagMode
from phasegate.validators.interface import Severity

pytestmark = pytest.mark.attack

SCANNER = "secrets.detect-secrets"


def codes(engine: Engine) -> set[str]:
    """Codes of what shuts the gate."""
    return {finding.code for finding in engine.gate(TASK).findings if finding.blocks}


def scanned(folder: Path, params: Mapping[str, Any], gate: int = 1, rule: str = SCANNER) -> tuple[str, str]:
    """Status and reason of one rule, with these parameters instead of its own."""
    task = Gated(folder, gate)
    task.params[rule] = {**task.params.get(rule, {}), **params}
    with task.open(only=rule) as engine:
        run = engine.gates.run(TASK)
        refused = engine.advance(TASK)
    (check,) = run.report["checks"]
    assert refused.accepted == (check["status"] == "passed")
    if check["status"] == "not_evaluated":
        assert {(one.code, one.severity) for one in refused.findings} == {(rule, Severity.NOT_EVALUATED)}
        assert run.report["not_evaluated"] == [rule]
        assert check["remedy"]
    return check["status"], check["reason"]


def python(code: str) -> list[str]:
    """A command of a line of Python."""
    return [sys.executable, "-I", "-S", "-c", code]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"command": ["no-such-scanner"]}, "is not installed"),
        ({"command": python("raise SystemExit(3)")}, "exit code 3"),
        ({"command": python("import os; os.kill(os.getpid(), 9)")}, "exit code -9"),
        ({"command": python("print('all is well')")}, "cannot be used"),
        ({"command": python("pass")}, "cannot be used"),
        ({"command": python("import time; time.sleep(60)"), "limit_s": 1}, "did not end within 1 s"),
        ({"command": []}, "neither `command` nor `report`"),
        ({"report": "none.json"}, "there is no file"),
        # The working tree has it: a change brings no report of its own.
        ({"report": "pyproject.toml"}, "there is no file"),
        ({"at": "home"}, "use one of tree, scratch"),
        ({"format": "none"}, "there is no format"),
        ({"least": "bad"}, "`least`"),
        ({"documents": "yes"}, "true or false"),
    ],
)
def test_a_scanner_that_is_missing_or_fails_is_not_evaluated(
    tmp_path: Path, params: dict[str, Any], said: str
) -> None:
    status, reason = scanned(tmp_path, {"exits": [0], **params})
    assert status == "not_evaluated"
    assert said in reason


GRYPE = {
    "vulnerability": {"id": "GHSA-1", "severity": "High"},
    "artifact": {"name": "packaging", "version": "26.0"},
}


@pytest.mark.parametrize("matches", [[GRYPE], []])
def test_the_report_of_a_scanner_that_ran_elsewhere_is_read(tmp_path: Path, matches: list[Any]) -> None:
    report = tmp_path / "grype.json"
    report.write_text(json.dumps({"matches": matches}))
    status, _ = scanned(tmp_path, {"format": "grype", "report": str(report)})
    assert status == ("failed" if matches else "passed")


@pytest.mark.parametrize(
    ("content", "pinned", "said"),
    [
        (json.dumps([RECORD]), "", "another is pinned"),
        ("[]", None, "no record about a package"),
        ("PK not a zip", None, "cannot be read"),
        ('[{"id": 3}]', None, "cannot be read"),
    ],
)
def test_vulnerabilities_are_looked_up_in_the_pinned_snapshot_alone(
    tmp_path: Path, content: str, pinned: str | None, said: str
) -> None:
    place = tmp_path / "records.json"
    place.write_text(content)
    digest = hashlib.sha256(content.encode()).hexdigest() if pinned is None else "0" * 64
    params = {"snapshot": str(place), "sha256": digest}
    status, reason = scanned(tmp_path, params, 4, "supply.vulnerabilities")
    assert (status, said in reason) == ("not_evaluated", True), reason


def test_a_version_that_cannot_be_compared_is_not_evaluated(tmp_path: Path) -> None:
    task = Gated(tmp_path, 4)
    task.base["requirements.txt"] = "packaging\n"
    with task.open(only="supply.vulnerabilities") as engine:
        run = engine.gates.run(TASK)
    assert run.status == "not_evaluated"


def test_nobody_hands_in_a_report_of_their_own(tmp_path: Path) -> None:
    task = Gated(tmp_path, 0)
    with task.open() as engine:
        forged = tmp_path / "gate_0.json"
        forged.write_text(json.dumps(engine.gates.run(TASK).report))
        refused = engine.add_evidence(TASK, [forged])
        assert refused.violation is not None
        assert refused.violation.violation is Kind.NOT_WITNESSED


def test_a_report_is_of_the_tree_and_the_documents_it_was_made_from(tmp_path: Path) -> None:
    task = Gated(tmp_path, 3)
    with task.open(only="change.flags") as engine:
        assert codes(engine) == {"evidence.missing"}
        assert engine.gates.run(TASK).status == "passed"
        assert codes(engine) == set()

        flags = tmp_path / "repository/flags.yaml"
        flags.write_text("mean_of_nothing:\n  default: true\n")
        assert codes(engine) == {"gate_bundle.tree_changed"}
        flags.unlink()
        assert codes(engine) == set()

        plan = tmp_path / "documents/plan.md"
        plan.write_text("# Another plan\n")
        assert engine.add_evidence(TASK, [plan]).accepted
        assert codes(engine) == {"gate_bundle.document_changed"}
        assert engine.gates.run(TASK).result is not None
        assert codes(engine) == set()


def test_a_rule_has_a_flag_of_its_own(tmp_path: Path) -> None:
    task = Gated(tmp_path, 5)
    task.documents["pr_template_filled.md"] = "# No labels\n"
    task.signers = {}
    task.off = {"consent.auto_merge"}
    with task.open() as engine:
        assert engine.gates.run(TASK).status == "failed"
        assert codes(engine) == {"consent.labels", "consent.code_owners"}
        key, process = task.keys / "olga.key", task.process()
        engine.flags.set(process, "PR/consent.labels", FlagMode.OBSERVE, "no labels here", key)
        engine.flags.set(process, "PR/consent.code_owners", FlagMode.OFF, "owners are on leave", key)
        assert {finding.code for finding in engine.gate(TASK).findings} == {"consent.labels"}
        assert engine.advance(TASK).accepted
        (audited,) = audit(engine).tasks
    assert {one.code for one in audited.findings if one.blocks} == set()
    assert set(audited.not_enforced) >= {"PR/consent.labels: observe", "PR/consent.code_owners: off"}


def test_a_trial_of_another_gate_records_nothing(tmp_path: Path) -> None:
    task = Gated(tmp_path, 0)
    with task.open() as engine:
        before = engine.store.head()
        trial = engine.gates.run(TASK, 2)
        assert engine.store.head() == before
    assert trial.result is None
    assert {check["rule"] for check in trial.report["checks"]} == {
        "citations.resolve",
        "citations.reach",
        "reward.score",
    }


def test_what_is_no_gate_is_bad_input(tmp_path: Path) -> None:
    task = Gated(tmp_path, 0)
    with task.open() as engine:
        with pytest.raises(BadInput, match="there is no gate 7"):
            engine.gates.run(TASK, 7)
        bare = {"phases": [{"name": "STRATEGIZE", "purpose": "to be left"}], "gates": ["onboarding"]}
        text = json.dumps({"process": "bare", "version": 1, "title": "No repository", "forward": {}, **bare})
        engine.open_task("IMP-28", parse_process(text.encode(), "bare.yaml"))
        with pytest.raises(BadInput, match="no repository"):
            engine.gates.run("IMP-28")


def test_a_broken_rule_is_not_evaluated_and_the_others_still_run(tmp_path: Path) -> None:
    task = Gated(tmp_path, 1)
    task.params["moderation.harm"] = {"refuse": ["("]}
    task.off = {SCANNER}
    with task.open() as engine:
        run = engine.gates.run(TASK)
        assert codes(engine) == {"moderation.harm"}
    assert {check["rule"]: check["status"] for check in run.report["checks"]} == {
        "moderation.instructions": "passed", "moderation.harm": "not_evaluated", "policy.simulation": "passed",
    }  # fmt: skip


def test_the_command_line_lists_and_runs_gates(tmp_path: Path) -> None:
    task = Gated(tmp_path, 0)
    task.open().close()
    home = ("--home", str(task.home))

    listed = cli("gates", "list", "--json")
    assert [bundle["gate"] for bundle in listed.json] == [0, 1, 2, 3, 4, 5]
    assert [bundle["gate"] for bundle in cli("gates", "list", "--task", TASK, "--json", *home).json] == [0]
    assert "onboarding.toolchain" in cli("gates", "list").out

    ran = cli("gates", "run", TASK, "--json", *home)
    assert (ran.code, ran.json["status"], ran.json["recorded"]) == (0, "passed", True)
    trial = cli("gates", "run", TASK, "--gate", "2", *home)
    assert trial.code == 3
    assert "citations.reach" in trial.out
    assert "this was a trial" in trial.err
    failed = cli("gates", "run", TASK, "--gate", "5", "--json", *home)
    assert failed.code == 1 or failed.json["status"] == "not_evaluated"
    assert cli("gates", "run", TASK, "--gate", "9", *home).code == 2


def test_an_audit_reads_the_report_again(tmp_path: Path) -> None:
    task = Gated(tmp_path, 0)
    with task.open() as engine:
        assert engine.gates.run(TASK).status == "passed"
        assert engine.advance(TASK).accepted
        assert engine.advance(TASK).accepted
        (audited,) = audit(engine).tasks
    assert ({finding.code for finding in audited.findings}, audited.faults) == ({"process.not_accepted"}, ())
    assert audited.claimed == ("STRATEGIZE", "LATER")
