"""Promise: the report of a gate's checks is the engine's own, holds for what stands, and what could not run shuts.

SPEC section 2, "Gates 0-5"; ARCHITECTURE section 5.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli
from gated_tasks import RECORD, TASK, Gated

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.gates.scanning import DOCUMENTS, TEXTS
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import Kind
from phasegate.policies.loader import parse_process
from phasegate.policies.model import FlagMode
from phasegate.validators.interface import Severity

pytestmark = pytest.mark.attack


def codes(engine: Engine) -> set[str]:
    """Codes of what shuts the gate."""
    return {finding.code for finding in engine.gate(TASK).findings if finding.blocks}


def checked(
    folder: Path, use: str, variants: Sequence[Mapping[str, Any]], common: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What a gate reports of rules that differ in their parameters, numbered from 0."""
    task = Gated(folder, 1)
    task.own = [
        {"rule": f"r{number}", "use": use, "params": {**common, **params}}
        for number, params in enumerate(variants)
    ]
    with task.open() as engine:
        report = engine.gates.run(TASK).report
        refused = engine.advance(TASK)
    shut = {one["rule"] for one in report["checks"] if one["status"] != "passed"}
    assert refused.accepted is not bool(shut)
    assert {finding.code for finding in refused.findings} == shut
    unable = [one["rule"] for one in report["checks"] if one["status"] == "not_evaluated"]
    assert report["not_evaluated"] == unable
    assert unable == [one.code for one in refused.findings if one.severity is Severity.NOT_EVALUATED]
    return list(report["checks"])


def python(code: str) -> list[str]:
    """A command of a line of Python."""
    return [sys.executable, "-I", "-S", "-c", code]


UNABLE: tuple[tuple[dict[str, Any], str], ...] = (
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
    ({"command": python("print('{}')"), "format": "none"}, "there is no format"),
    ({"least": "bad"}, "`least`"),
    ({"documents": "yes", "command": python("pass")}, "true or false"),
)


def test_a_scanner_that_is_missing_or_fails_is_not_evaluated(tmp_path: Path) -> None:
    common = {"exits": [0], "format": "detect-secrets"}
    checks = checked(tmp_path, "scanner", [params for params, _ in UNABLE], common)
    for check, (_, said) in zip(checks, UNABLE, strict=True):
        assert (check["status"], said in check["reason"]) == ("not_evaluated", True), check
        assert check["remedy"]


GRYPE = {
    "vulnerability": {"id": "GHSA-1", "severity": "High"},
    "artifact": {"name": "packaging", "version": "26.0"},
}


def test_the_report_of_a_scanner_that_ran_elsewhere_is_read(tmp_path: Path) -> None:
    for name, matches in (("dirty", [GRYPE]), ("clean", [])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"matches": matches}))
    variants = [{"report": str(tmp_path / f"{name}.json")} for name in ("dirty", "clean")]
    found = checked(tmp_path, "scanner", variants, {"format": "grype"})
    assert [check["status"] for check in found] == ["failed", "passed"]
    assert "GHSA-1" in found[0]["findings"][0]["message"]


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ("src/a b.py", "failed"),
        ("src/a%20b.py", "failed"),
        ("./src/a%20b.py", "failed"),
        ("file://{root}/src/a%20b.py", "failed"),
        ("src/100%25.py", "failed"),
        ("/elsewhere/src/a%20b.py", "failed"),
        ("file:///elsewhere/src/a%20b.py", "failed"),
        ("src/means.py", "passed"),
    ],
)
def test_a_log_names_changed_files_by_their_address(tmp_path: Path, named: str, status: str) -> None:
    place = {"artifactLocation": {"uri": named.format(root=tmp_path / "repository")}}
    result = {"level": "error", "locations": [{"physicalLocation": place}]}
    runs = [{"tool": {"driver": {"name": "scanner"}}, "results": [result]}]
    (tmp_path / "log.sarif").write_text(json.dumps({"version": "2.1.0", "runs": runs}))
    task = Gated(tmp_path, 1)
    task.change.update({"src/a b.py": "x = 1\n", "src/100%.py": "x = 1\n"})
    task.own = [{"rule": "sarif", "use": "scanner", "params": {"report": str(tmp_path / "log.sarif")}}]

    with task.open() as engine:
        assert engine.gates.run(TASK).status == status


SNAPSHOTS = (
    (json.dumps([RECORD]), "0" * 64, "another is pinned"),
    ("[]", "", "no record about a package"),
    ("PK not a zip", "", "cannot be read"),
    ('[{"id": 3}]', "", "cannot be read"),
)


def test_vulnerabilities_are_looked_up_in_the_pinned_snapshot_alone(tmp_path: Path) -> None:
    variants: list[dict[str, Any]] = [{}]
    for number, (content, pinned, _) in enumerate(SNAPSHOTS):
        place = tmp_path / f"{number}.json"
        place.write_text(content)
        digest = pinned or hashlib.sha256(content.encode()).hexdigest()
        variants.append({"snapshot": str(place), "sha256": digest})
    checks = checked(tmp_path, "vulnerabilities", variants, {"command": ["cyclonedx-py"]})
    reasons = ["no snapshot of OSV records is pinned", *(said for *_, said in SNAPSHOTS)]
    for check, said in zip(checks, reasons, strict=True):
        assert (check["status"], said in check["reason"]) == ("not_evaluated", True), check


def test_an_inventory_of_no_tree_is_not_evaluated(tmp_path: Path) -> None:
    listing = python("print('[]')")
    found = checked(
        tmp_path, "sbom", [{"command": [*listing, "."]}, {"command": [*listing, "{tree}"]}],
        {"format": "pip-licenses"},
    )  # fmt: skip
    assert [check["status"] for check in found] == ["not_evaluated", "passed"]
    assert "empty folder" in found[0]["reason"]


def test_a_version_that_is_not_pinned_is_not_evaluated(tmp_path: Path) -> None:
    task = Gated(tmp_path, 4)
    task.inventory("")
    with task.open(only="supply.vulnerabilities") as engine:
        (check,) = engine.gates.run(TASK).report["checks"]
    assert (check["status"], check["reason"]) == ("not_evaluated", "`packaging` has no version")


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
    task.off = {"secrets.detect-secrets"}
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


@pytest.mark.parametrize("folder", [DOCUMENTS, TEXTS], ids=["documents", "texts"])
def test_a_link_of_the_change_leads_no_scanner_past_the_documents(tmp_path: Path, folder: str) -> None:
    away = tmp_path / "away"
    away.mkdir()
    task = Gated(tmp_path, 1)
    with task.open(only="secrets.detect-secrets") as engine:
        (tmp_path / "repository" / folder).symlink_to(away)
        run = engine.gates.run(TASK)
        refused = engine.advance(TASK)
    (check,) = run.report["checks"]
    assert (check["status"], refused.accepted) == ("not_evaluated", False)
    assert folder in check["reason"]
    assert list(away.iterdir()) == []
