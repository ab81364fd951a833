"""Promise: for every check of gates 0 to 5 a planted fault is denied with its rule id, and its clean twin passes.

SPEC section 2, "Gates 0-5".
"""

from __future__ import annotations

from pathlib import Path

import pytest
from gated_tasks import BUNDLES, TASK, Gated
from planted_faults import FAULTS, NEAR, RULES, Fault

from phasegate.engine.app.gates.outcome import Unable
from phasegate.engine.app.gates.programs import found

pytestmark = pytest.mark.attack


def _is_installed(program: str) -> bool:
    try:
        return bool(found(program))
    except Unable:
        return False


def test_every_check_has_a_planted_fault() -> None:
    assert {fault.rule for fault in FAULTS} == set(RULES)
    assert set(BUNDLES) == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.rule}: {fault.name}")
def test_a_planted_fault_is_denied_with_its_rule(tmp_path: Path, fault: Fault) -> None:
    if fault.rule == "static.semgrep" and not _is_installed("semgrep"):
        pytest.skip(
            "semgrep is not installed: it pins other versions of what the engine uses (`scripts/semgrep`)"
        )
    task = Gated(tmp_path, RULES[fault.rule])
    fault.plant(task)
    with task.open(only=fault.rule) as engine:
        run = engine.gates.run(TASK)
        refused = engine.advance(TASK)
    assert run.status == "failed"
    assert not refused.accepted
    assert {finding.code for finding in refused.findings} == {fault.rule}
    assert {finding.place for finding in refused.findings} == set(fault.places)
    assert all(finding.remedy for finding in refused.findings)


@pytest.mark.parametrize("gate", sorted(BUNDLES))
def test_the_clean_twin_passes_all_checks_of_its_gate(tmp_path: Path, gate: int) -> None:
    task = Gated(tmp_path, gate)
    NEAR[gate](task)
    if not _is_installed("semgrep"):
        task.off.add("static.semgrep")
    rules = {rule for rule, of in RULES.items() if of == gate} - task.off
    with task.open() as engine:
        run = engine.gates.run(TASK)
        assert {check["rule"]: check["status"] for check in run.report["checks"]} == dict.fromkeys(
            rules, "passed"
        )
        assert engine.advance(TASK).accepted


def test_a_hermetic_run_whose_report_does_not_count_stands_for_no_tests_that_had_network(
    tmp_path: Path,
) -> None:
    task = Gated(tmp_path, 4)
    task.hermetic = False
    with task.open(only="ci.hermetic") as engine:
        empty = engine.witness(
            TASK, "", ["sh", "-c", "echo '<no-report/>' > $0", "{scratch}/junit.xml"],
            junit=Path("{scratch}/junit.xml"), cwd=tmp_path / "repository", hermetic=True,
        )  # fmt: skip
        run = engine.gates.run(TASK)

    assert empty.result.accepted
    assert empty.problems
    assert run.status == "failed"
