"""A small piece of work whose evidence is about a commit: planned, tested by the engine, green in CI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from small_processes import claimed, process_of, witnessed
from small_repository import SmallRepository

from phasegate.engine.app.bundle.export import write_bundle
from phasegate.engine.app.engine import Engine
from phasegate.policies.model import CheckRule, Process

TASK = "IMP-9"
RUN_TESTS = """import os
import sys

sys.path.insert(0, "src")
sys.dont_write_bytecode = True
import means

assert means.mean([1, 2, 3]) == 2
assert not [name for name in os.environ if "TOKEN" in name], "a secret was passed on"
print("tests pass")
"""
PROCESS_YAML = """\
process: checkpointed
version: 1
title: Plan, have the tests witnessed, have CI run
phases:
  - name: PLAN
    purpose: plan
    evidence: [{name: file_map.json, checks: [{use: json_schema, params: {schema: file_map}}]}]
  - name: VERIFY
    purpose: verify
    evidence: [{name: log.txt, origin: witnessed, witness: output}]
  - name: PR
    purpose: show
    evidence: [{name: ci_results.json, checks: [{use: ci_results}]}]
forward: {PLAN: [VERIFY], VERIFY: [PR]}
"""


def lax() -> Process:
    """A process that looks the same and checks nothing."""
    return process_of(
        {
            "PLAN": [claimed("file_map.json")],
            "VERIFY": [witnessed("log.txt")],
            "PR": [claimed("ci_results.json")],
        },
        {"PLAN": ["VERIFY"], "VERIFY": ["PR"]},
        name="checkpointed",
    )


def with_check(use: str) -> Process:
    """One phase whose document must have a section that it will not have."""
    rule = CheckRule(use=use, params={"required": ["reasons"]})
    return process_of({"A": [claimed("a.md", checks=(rule,))], "B": []}, {"A": ["B"]}, name="strict")


class CheckpointWork:
    """One finished task about the commit that is checked out.

    Args:
        folder: an empty folder; gets `repo`, `home` and `task.bundle`.
        process: what it is done under; the YAML file in the repository by default.
        base: commit the task is opened on.
    """

    def __init__(self, folder: Path, process: Process | None = None, base: str = "base") -> None:
        self.folder = folder
        self.base = base
        self.repository = SmallRepository(folder / "repo")
        self.root = self.repository.root
        self.repository.write("run_tests.py", RUN_TESTS)
        (self.root / "docs").mkdir()
        self.repository.write("docs/means.md", "What a mean is.\n")
        self.repository.write("process.yaml", PROCESS_YAML)
        self.home = folder / "home"
        with Engine.init(self.home) as engine:
            self.vkey = engine.keys.engine_vkey().vkey
            self.repository.write("engine.vkey", f"{self.vkey}\n")
            self.repository.write("policy.yaml", "processes: [process.yaml]\n")
            self.repository.commit("terms")
            self.repository.git("branch", "base")
            self.repository.change()
            self.head = self.repository.commit("a mean of nothing")
            self._do(engine, process or str(self.root / "process.yaml"))
        self.bundle = folder / "task.bundle"
        self.export()

    def _do(self, engine: Engine, process: Process | str) -> None:
        assert engine.open_task(TASK, process, repository=self.root, base=self.base).accepted
        self.hand_in(engine, "file_map.json", {"files": [{"path": "src/means.py"}]})
        seen = engine.witness(TASK, "VERIFY", [sys.executable, "run_tests.py"], cwd=self.root)
        assert seen.passed, seen
        assert engine.advance(TASK).accepted
        self.hand_in(engine, "ci_results.json", {"status": "success", "commit": self.head})

    def hand_in(self, engine: Engine, name: str, document: object) -> None:
        """Leave the current phase with one JSON document."""
        file = self.folder / name
        file.write_text(json.dumps(document))
        assert engine.add_evidence(TASK, [file]).accepted
        result = engine.advance(TASK)
        assert result.accepted, result.findings

    def export(self) -> None:
        """Write the bundle anew."""
        with Engine.open(self.home, readonly=True) as engine:
            write_bundle(engine, TASK, self.bundle)

    def commit_at(self, epoch_s: int, message: str = "later") -> str:
        """Commit everything at a time of the committer's clock."""
        at = f"{epoch_s} +0000"
        environ = {
            **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_COMMITTER_DATE": at, "GIT_AUTHOR_DATE": at,
        }  # fmt: skip
        who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
        for args in (("add", "-A"), (*who, "commit", "-q", "--allow-empty", "-m", message)):
            subprocess.run(["git", *args], cwd=self.root, env=environ, check=True, timeout=60)
        return self.repository.git("rev-parse", "HEAD").strip()
