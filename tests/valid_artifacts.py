"""One valid artifact for every validator, with the parameters and companions it is valid under."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from phasegate.policies.rego import load_pack
from phasegate.validators.evaluation_plan import targets_digest

DIGEST = "ab" * 32
COMPLETIONS = "cd" * 32

STRATEGY_MD = """# Strategy

## 1. Problem
Reviews take three days, because nobody knows which change is risky.

## Objectives
Rank changes by risk so that reviewers start with the risky ones.

## Scope
Only the repository of the payment service.

## Non-goals
Replacing the reviewers.

## Risks
A wrong ranking hides a bad change.
"""

SPEC_MD = """# Spec

## Acceptance criteria

- **AC-1:** the list of open changes is sorted by risk
- **AC-2:** a change without tests is marked
  1. the mark is visible
  2. the mark is explained

## KPIs

| KPI | target |
|-----|--------|
| review time | <= 24 h |
| risky changes found first | at least 90% |
"""

PATCH = """diff --git a/src/a.py b/src/a.py
index 1111111..2222222 100644
--- a/src/a.py
+++ b/src/a.py
@@ -1,3 +1,4 @@ def f():
 import os
-x = 1
+x = 2
+y = 3
 print(x)
diff --git a/old.txt b/old.txt
deleted file mode 100644
index 3333333..0000000
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-gone
diff --git a/name one.py b/name two.py
similarity index 100%
rename from name one.py
rename to name two.py
diff --git a/logo.png b/logo.png
index 4444444..5555555 100644
Binary files a/logo.png and b/logo.png differ
"""

TEMPLATE_MD = """## Summary
Ranks open changes by risk.

## Risks
A wrong ranking; it can be switched off.

## Rollback
Set `ranking: off` and deploy.
"""

MODIFIED = {"files": ["src/a.py", {"path": "old.txt"}, "name two.py", "logo.png"]}

TEST_RESULTS = {
    "schema": "phasegate/test-results/v1",
    "tests": 3, "passed": 2, "failed": 0, "errors": 0, "skipped": 1, "duration_ms": 12,
    "cases": [
        {"id": "t::a", "outcome": "passed", "duration_ms": 5},
        {"id": "t::b", "outcome": "passed", "duration_ms": 7},
        {"id": "t::c", "outcome": "skipped", "duration_ms": 0},
    ],
}  # fmt: skip

COVERAGE = {
    "schema": "phasegate/coverage/v1",
    "total_percent": "85.25",
    "files": {"a.py": {"percent": "85.25", "statements": 400, "covered": 341, "missing": [3, 9]}},
}

RUBRIC = {
    "reviewer": "someone",
    "dimensions": {
        "readability": 8, "maintainability": 7.5, "performance": {"score": 8, "rationale": "fast"},
        "security": 9, "governance": 8,
    },
}  # fmt: skip

_TARGETS = {
    "pass_at_1": "0.60", "fallback_pass_at_1": "0.45", "uplift_pp": "8", "alpha": "0.05", "p95_ms": "500",
}  # fmt: skip

TARGETS = {"targets": _TARGETS, "digest": targets_digest(_TARGETS)}

STRATEGY = {
    "suite": "tiny", "suite_digest": DIGEST, "model": "replay:x", "model_digest": DIGEST, "synthetic": False,
    "hypothesis": "the model solves more than 60% at the first try", "problems": 5,
}  # fmt: skip

MANIFEST = {
    "model": "replay:x", "model_digest": DIGEST, "suite": "tiny", "suite_digest": DIGEST,
    "samples": [1, 4], "per_problem": 4, "seed": 7, "problems": 5, "task_ids": ["p0", "p1", "p2", "p3", "p4"],
    "limits": {"wall_ms": 3000}, "budget": {"completions": 20},
}  # fmt: skip

POWER = {
    "problems": 5, "half_width": {"pass_at_1": "0.4"}, "minimal_detectable_uplift_pp": "35.5",
    "risks": ["five problems show only large effects"],
}  # fmt: skip

GENERATION = {
    "expected": 20, "generated": 20, "synthetic": False, "completions_digest": COMPLETIONS,
    "targets_digest": TARGETS["digest"],
}  # fmt: skip

EXECUTION = {
    "expected": 20, "executed": 20, "verdicts": {"passed": 13, "failed": 6, "timeout": 1},
    "isolation": ["no_network"], "isolation_missing": [], "completions_digest": COMPLETIONS,
}  # fmt: skip

# 13 of 20 pass: pass@1 = 0.65; pass@4 = 4/5.
STATISTICS = {
    "pass_at": {
        "1": {"value": "0.65", "low": "0.43", "high": "0.82"},
        "4": {"value": "0.8", "low": "0.4", "high": "1.0"},
    },
    "uplift_pp": {"value": "15.0", "low": "0", "high": "30"},
    "success_level": "PRIMARY", "level_reason": "pass@1 0.65 >= 0.60", "synthetic": False,
    "outcomes": {"p0": "1111", "p1": "1111", "p2": "1110", "p3": "1001", "p4": "0000"},
    "targets_digest": TARGETS["digest"],
}  # fmt: skip

REPORT = {"task": "EVAL-1", "success_level": "PRIMARY", "sources": [{"figure": "pass@1", "entry": 12}]}

GATE_MATRIX = {
    "rows": [
        {"axis": "quality", "threshold": "0.60", "finding": "0.65", "verified_by": "statistics",
         "evidence": "statistics.json#EVAL-1", "decision": "pass"},
        {"axis": "isolation", "threshold": None, "finding": "whole", "verified_by": "execution",
         "evidence": "execution.json#EVAL-1", "decision": "pass"},
    ]
}  # fmt: skip

DELTAS = {
    "baseline_run": "EVAL-0",
    "rows": [
        {"metric": "pass_at_1", "baseline": "0.60", "current": "0.65", "delta": "0.05", "target": "0.60"},
        {"metric": "p95_ms", "baseline": None, "current": "120", "delta": None, "target": "500"},
    ],
}

PLAN_MD = """# Plan

## Work items

- W1: sort the list by risk (AC-1)
- W2: mark changes without tests; covers AC-2, depends on W1

## Rollback
Set the ranking off and deploy the release before.
"""

FILE_MAP = {"files": [{"path": "src/a.py", "change": "modify", "items": ["W1", "WI-2"]}]}

EDGE_CASES_MD = """# Edge cases

## Edge cases

- E1: no change is open. Mitigation: an empty list is shown with a hint (R1)
- E2: two changes have one risk -> the older one stands first
"""

STATIC_ANALYSIS = {
    "schema": "phasegate/static-analysis/v1", "tools": ["Ruff"], "suppressed": 1,
    "levels": {"error": 0, "warning": 1, "note": 0, "none": 0},
    "findings": [{"rule": "E1", "level": "warning", "message": "long line", "path": "a.py", "line": 3}],
}  # fmt: skip

CHANGED_COVERAGE = {
    "schema": "phasegate/coverage/v1",
    "total_percent": "90",
    "files": {
        "src/a.py": {"percent": "90", "statements": 10, "covered": 9, "executed": [1, [2, 3]], "missing": [9]}
    },
}

CONTRACT_PLAN = {
    "contract": "Plan", "version": 1, "task": "IMP-1", "rollback": "revert",
    "items": [
        {"id": "W-1", "title": "sort", "criteria": ["AC-1"], "files": ["src/a.py"]},
        {"id": "W-2", "title": "mark", "depends_on": ["W-1"]},
    ],
}  # fmt: skip

HEAD = "0123456789abcdef" * 2 + "01234567"

TESTED_PATCH = (
    PATCH
    + """diff --git a/tests/test_a.py b/tests/test_a.py
index 1111111..2222222 100644
--- a/tests/test_a.py
+++ b/tests/test_a.py
@@ -1,1 +1,3 @@
 import a
+def test_x():
+    assert a.x == 2
"""
)

DEPLOYED = {"status": "healthy", "kpis": {"Review time": "23.5", "risky changes found first": 90}}

COMPANIONS = {
    "spec.md": SPEC_MD, "strategy.md": STRATEGY_MD, "plan.md": PLAN_MD, "git_diff.patch": PATCH,
    "previous:test_results.json": TEST_RESULTS, "previous:coverage_report.json": COVERAGE,
    "facts:actors.json": {"implementers": ["An Implementer"]}, "facts:git.json": {"head": HEAD},
    "modified_files.json": MODIFIED, "strategy.json": STRATEGY, "targets.json": TARGETS,
    "manifest.json": MANIFEST, "generation.json": GENERATION, "execution.json": EXECUTION,
    "statistics.json": STATISTICS, "pack:paths": json.loads(load_pack("paths").document),
}  # fmt: skip

GATE_REPORT = {
    "schema": "phasegate/gate-report/v1", "gate": 3, "bundle": "b" * 64, "task": "IMP-27", "phase": "IMPLEMENT",
    "attempt": 1, "tree": "89abcdef" * 5, "documents": {}, "not_evaluated": [],
    "checks": [{"rule": "change.tests", "use": "validator", "mode": "enforce", "status": "passed", "configuration": "c" * 64,
                "findings": [], "count": 0, "reason": "", "remedy": ""}],
}  # fmt: skip
PROTECTED = {
    "schema": "phasegate/protected-checks/v1",
    "base": "0123456789abcdef" * 2 + "01234567",
    "tree": "89abcdef" * 5,
    "problem": "",
    "tests": [
        {"path": "test_a.py", "change": "changed",
         "before": {"tests": 2, "assertions": 3, "skips": 1}, "after": {"tests": 3, "assertions": 4, "skips": 1}},
    ],
    "configuration": [],
    "command": [],
    "runs": [
        {"name": name, "exit_code": int(name == "canary"), "duration_ms": 12, "problem": "", "log": "ab" * 32,
         "tests": 3, "ran": 3, "failed": int(name == "canary")}
        for name in ("plain", "base", "protected", "canary")
    ],
    "lost": [],
    "differing": [],
    "canary": {"planted": 1, "failed": 1, "hidden": 0, "unseen": []},
    "witnessed": {"tests": 3, "ran": 3},
    "previous": {"attempt": 1, "ran": 2, "gone": []},
}  # fmt: skip


@dataclass(frozen=True)
class Valid:
    """A validator, what it accepts, and under which parameters."""

    validator: str
    name: str
    content: Any
    params: dict[str, Any] = field(default_factory=dict)


VALID = {
    valid.validator: valid
    for valid in (
        Valid("sections", "strategy.md", STRATEGY_MD,
              {"required": ["problem", "objectives", "scope", "non goals", "risks"]}),
        Valid("criteria", "spec.md", SPEC_MD),
        Valid("json_schema", "file_map.json", {"files": [{"path": "src/a.py", "note": "extra"}]},
              {"schema": "file_map"}),
        Valid("patch", "git_diff.patch", PATCH),
        Valid("test_results", "test_results.json", TEST_RESULTS),
        Valid("build_log", "build_output.log", "compiling\n0 errors, 0 warnings\ndone\n"),
        Valid("coverage", "coverage_report.json", COVERAGE, {"min_total": "85"}),
        Valid("rubric", "review_rubric.json", RUBRIC, {"threshold": "7"}),
        Valid("quality", "code_quality_score.json", {"score": 8.5}, {"threshold": "7"}),
        Valid("pr_url", "pr_url.txt", "https://github.com/owner/repo/pull/12\n"),
        Valid("template", "pr_template_filled.md", TEMPLATE_MD, {"required": ["summary", "risks", "rollback"]}),
        Valid("ci_results", "ci_results.json",
              {"status": "success", "commit": "0123456789abcdef" * 2 + "01234567",
               "checks": [{"name": "unit", "status": "passed"}, {"name": "docs", "status": "skipped"}]}),
        Valid("smoke", "smoke_test_results.json", {"checks": [{"name": "login", "status": "passed"}]}),
        Valid("deployment", "deployment_status.json",
              {"status": "healthy", "checks": [{"name": "db", "status": "ok"}]}),
        Valid("risks", "strategy.md", STRATEGY_MD),
        Valid("plan", "plan.md", PLAN_MD),
        Valid("file_map", "file_map.json", FILE_MAP, {"every_item": True}),
        Valid("edge_cases", "edge_cases.md", EDGE_CASES_MD),
        Valid("change_scope", "git_diff.patch", PATCH,
              {"allow": ["src/**", "*.txt", "name *", "*.png"], "deny": ["secret/**"], "max_files": 4, "max_lines": 4}),
        Valid("change_tests", "git_diff.patch", TESTED_PATCH, {"sources": ["src/**"]}),
        Valid("rollback_plan", "git_diff.patch", PATCH),
        Valid("test_history", "test_results.json", TEST_RESULTS),
        Valid("changed_coverage", "coverage_report.json", CHANGED_COVERAGE,
              {"min_changed": "80", "sources": ["src/**"]}),
        Valid("static_analysis", "static_analysis.json", STATIC_ANALYSIS,
              {"max": {"error": 0, "warning": 1}, "max_suppressed": 1, "tools": ["ruff"]}),
        Valid("protected_checks", "protected_checks.json", PROTECTED),
        Valid("reviewer", "review_rubric.json", RUBRIC),
        Valid("ci_commit", "ci_results.json", {"status": "success", "commit": HEAD}),
        Valid("kpis", "deployment_status.json", DEPLOYED, {"also": ["smoke_test_results.json"]}),
        Valid("policy_pack", "git_diff.patch", PATCH, {"pack": "paths", "data": {"allow": ["**"]}}),
        Valid("gate_bundle", "gate_3.json", GATE_REPORT,
              {"gate": 3, "bundle": "b" * 64, "rules": {"change.tests": "enforce"}}),
        Valid("contract", "plan.json", CONTRACT_PLAN, {"name": "Plan"}),
        Valid("evaluation.strategy", "strategy.json", STRATEGY),
        Valid("evaluation.targets", "targets.json", TARGETS),
        Valid("evaluation.manifest", "manifest.json", MANIFEST),
        Valid("evaluation.power", "power_analysis.json", POWER),
        Valid("evaluation.generation", "generation.json", GENERATION),
        Valid("evaluation.execution", "execution.json", EXECUTION),
        Valid("evaluation.statistics", "statistics.json", STATISTICS),
        Valid("evaluation.success_level", "statistics.json", STATISTICS),
        Valid("evaluation.not_synthetic", "statistics.json", STATISTICS),
        Valid("evaluation.report", "report.json", REPORT),
        Valid("evaluation.gate_matrix", "gate_matrix.json", GATE_MATRIX),
        Valid("evaluation.deltas", "deltas.json", DELTAS),
    )
}  # fmt: skip


def as_bytes(content: Any) -> bytes:
    """Text as UTF-8, anything else as JSON."""
    return (
        content.encode("utf-8", "surrogatepass") if isinstance(content, str) else json.dumps(content).encode()
    )


def companions(**changes: Any) -> dict[str, bytes]:
    """All companions, with changes by name without the suffix; None takes one out."""
    named = {name if "." in name else f"{name}.json": content for name, content in changes.items()}
    documents = {**COMPANIONS, **named}
    return {name: as_bytes(content) for name, content in documents.items() if content is not None}


def changed(document: Any, *path: Any, to: Any = None, without: bool = False) -> Any:
    """A copy of a document with the value at `path` replaced, or taken out."""
    copied = copy.deepcopy(document)
    target = copied
    for step in path[:-1]:
        target = target[step]
    if without:
        del target[path[-1]]
    else:
        target[path[-1]] = to
    return copied


def added(path: str, *lines: str) -> str:
    """A patch that adds one file."""
    body = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..1111111\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    )


def gone(case: int) -> dict[str, Any]:
    """The test results with one case that passed taken out."""
    cases = [one for index, one in enumerate(TEST_RESULTS["cases"]) if index != case]
    return {**TEST_RESULTS, "tests": 2, "passed": 1, "cases": cases}
