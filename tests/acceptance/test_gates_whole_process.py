"""Promise: a task under the default process passes gates 0 to 5 on its way to MONITOR, and each holds it up alone.

SPEC section 2, "Gates 0-5".
"""

from __future__ import annotations

from pathlib import Path

import yaml
from autopilot_work import TASK, Work
from gated_tasks import BASE, BUNDLES, COBERTURA, NAMES
from lean_python import lean_python

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.people.keys import Role
from phasegate.engine.app.results import Result
from phasegate.engine.core.state import Status

MORE = {
    path: BASE[path]
    for path in ("pyproject.toml", "requirements.txt", ".github/workflows/ci.yml", "CODEOWNERS")
}
PEOPLE = {"CODEOWNERS": "* @sam\n", ".phasegate/process.yaml": BASE[".phasegate/process.yaml"]}


class GatedWork(Work):
    """Honest work under `autopilot` with all bundles; semgrep and the supply chain are tried by themselves."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for path, text in {**MORE, **PEOPLE}.items():
            place = self.repository.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        self.base = self.repository.commit("What gates want")
        command = [lean_python(), "-c", COBERTURA.replace('{"missed"}', "set()"), "{report}"]
        changes = {
            "change.coverage": {"params": {"command": command}},
            "static.semgrep": {"mode": "off"},
            "coverage.kept": {"params": {"baseline": "80"}},
            "ci.hermetic": {"mode": "observe"},  # its build folder lies in the repository
            "supply.sbom": {"mode": "off"},
            "supply.vulnerabilities": {"mode": "off"},
            "supply.licences": {"mode": "off"},
        }
        gates = [
            {"use": NAMES[gate], "set": {rule: changes[rule] for rule in _rules(gate) if rule in changes}}
            for gate in BUNDLES
        ]
        self.process = folder / "ours.yaml"
        self.process.write_text(yaml.safe_dump({"extends": "autopilot", "process": "ours", "gates": gates}))

    def open(self, risk: str = "") -> Result:
        """Open the task under the process with gates."""
        with Engine.open(self.home) as engine:
            return engine.open_task(
                TASK, str(self.process), "A mean of nothing", repository=self.repository.root, risk=risk
            )

    def files(self, phase: str) -> list[Path]:
        """What the phase leaves, and what its gate wants of it."""
        files = super().files(phase)
        for file in files:
            if file.name == "edge_cases.md":
                file.write_text(f"{file.read_text()}\nSee `src/means.py:4-6`.\n")
            if file.name == "file_map.json":
                file.write_text(file.read_text().replace("src/stats.py", "src/means.py"))
            if file.name == "pr_template_filled.md":
                file.write_text(f"{file.read_text()}\n## Labels\n\n- bug\n")
        return files


def _rules(gate: int) -> list[str]:
    return [check.rule for check in BUNDLES[gate].checks]


def test_a_task_passes_all_gates_and_none_without_its_report(tmp_path: Path) -> None:
    work = GatedWork(tmp_path)
    assert work.open().accepted
    at = {bundle.leaving: bundle for bundle in BUNDLES.values()}
    while work.phase != "MONITOR":
        phase = work.phase
        work.do(phase)
        if phase == "PR":
            assert work.sign("sam", Role.SUPERVISOR).accepted
        if phase in at:
            refused = work.advance()
            assert [finding.code for finding in refused.findings if finding.blocks] == ["evidence.missing"]
            with Engine.open(work.home) as engine:
                run = engine.gates.run(TASK)
            assert run.status == "passed", [
                (one["rule"], one["findings"], one["reason"]) for one in run.report["checks"]
            ]
        result = work.advance()
        assert result.accepted, result.findings
    work.do("MONITOR")
    assert work.advance().state.status is Status.COMPLETED
    with Engine.open(work.home, readonly=True) as engine:
        (audited,) = audit(engine).tasks
    assert [finding for finding in audited.findings if finding.blocks] == []
    assert audited.faults == ()
