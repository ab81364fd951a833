"""Valid artifacts for each phase of `autopilot`, their content specific to task and attempt.

Identical bytes may not be bound to two tasks or attempts, so every document names both.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Result, Witnessed

PHASES = ("STRATEGIZE", "SPEC", "PLAN", "THINK", "IMPLEMENT", "VERIFY", "REVIEW", "PR", "MONITOR")
REVIEWER = "rita"
"""Whose key signs the rubric, where the process asks for that."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"

_STRATEGY = """# Strategy of {mark}

## Problem
Callers of {mark} wait, because a mean over nothing raises an error that nobody catches.

## Objectives
Return a value that callers can test for.

## Scope
The statistics module of {mark}.

## Non-goals
Faster arithmetic.

## Risks
- R1: a caller may take the new value for a number.
"""

_SPEC = """# Spec of {mark}

## Acceptance criteria

- AC-1: the mean of an empty list is None in {mark}
- AC-2: the mean of numbers is unchanged

## KPIs

- uncaught errors per day <= 0
"""

_PLAN = """# Plan of {mark}

## Work items

- W-1: return None for an empty list in {mark} (AC-1)
- W-2: keep the tests of the mean (AC-2)
"""

_EDGE_CASES = """# Think of {mark}

## Edge cases

- E1: an iterator that is empty only once it is read. Mitigation: it is made a list first, says {mark}
- E2: a caller adds to the mean without a look (R1) -> None raises where it is added, and the notes say so
"""

_PATCH = """diff --git a/src/stats.py b/src/stats.py
index 1111111..2222222 100644
--- a/src/stats.py
+++ b/src/stats.py
@@ -1,2 +1,4 @@
 def mean(values):
+    if not values:
+        return None  # {mark}
     return sum(values) / len(values)
"""

_TEMPLATE = """## Summary
An empty list has no mean; {mark} says so instead of raising.

## Risks
A caller may take None for a number.

## Rollback
Revert the merge commit of {mark}.
"""

_SCORES = dict.fromkeys(("readability", "maintainability", "performance", "security", "governance"), 8)

CHECK_SCRIPT = """
import json, sys
folder, mark = sys.argv[1:3]
print("building", mark)
with open(folder + "/junit.xml", "w") as file:
    file.write('<testsuite name="%s" tests="1"><testcase classname="t" name="mean" time="0.01"/></testsuite>' % mark)
with open(folder + "/coverage.json", "w") as file:
    summary = {"num_statements": 20, "covered_lines": 19}
    entry = {"summary": summary, "missing_lines": [7]}
    json.dump({"files": {"src/stats.py": entry}, "totals": summary}, file)
"""


def contents(task: str, phase: str, attempt: int = 1) -> dict[str, bytes]:
    """Claimed artifacts of one phase by name; VERIFY has none, because its evidence is witnessed."""
    mark = f"{task}/{attempt}"
    documents: dict[str, dict[str, Any]] = {
        "STRATEGIZE": {"strategy.md": _STRATEGY},
        "SPEC": {"spec.md": _SPEC},
        "PLAN": {
            "plan.md": _PLAN,
            "file_map.json": {
                "files": [
                    {"path": "src/stats.py", "change": "modify", "purpose": mark, "items": ["W-1", "W-2"]}
                ]
            },
        },
        "THINK": {"edge_cases.md": _EDGE_CASES},
        "IMPLEMENT": {"git_diff.patch": _PATCH, "modified_files.json": {"files": ["src/stats.py"]}},
        "VERIFY": {},
        "REVIEW": {
            "review_rubric.json": {"reviewer": REVIEWER, "dimensions": _SCORES},
            "code_quality_score.json": {"score": 8.5},
        },
        "PR": {
            "pr_url.txt": "https://github.com/owner/repository/pull/12\n",
            "pr_template_filled.md": _TEMPLATE,
            "ci_results.json": {"status": "success", "commit": COMMIT},
        },
        "MONITOR": {
            "smoke_test_results.json": {"checks": [{"name": "mean", "status": "passed"}]},
            "deployment_status.json": {
                "status": "healthy",
                "version": mark,
                "kpis": {"uncaught errors per day": 0},
            },
        },
    }
    return {name: _bytes(document, mark) for name, document in documents[phase].items()}


def write(folder: Path, task: str, phase: str, attempt: int = 1) -> list[Path]:
    """Write the claimed artifacts of one phase into a folder of their own; returns their paths."""
    place = folder / task / f"{phase}-{attempt}"
    place.mkdir(parents=True, exist_ok=True)
    files = []
    for name, content in contents(task, phase, attempt).items():
        file = place / name
        file.write_bytes(content)
        files.append(file)
    return files


def check_command(folder: Path, mark: str) -> list[str]:
    """A command that builds, tests and measures: writes `junit.xml` and `coverage.json` into a folder."""
    return [sys.executable, "-I", "-S", "-c", CHECK_SCRIPT, str(folder), mark]


def witness_checks(engine: Engine, folder: Path, task: str, attempt: int = 1) -> Witnessed:
    """Let the engine run the checks of VERIFY."""
    place = folder / task / f"VERIFY-{attempt}"
    place.mkdir(parents=True, exist_ok=True)
    command = check_command(place, f"{task}/{attempt}")
    return engine.witness(
        task, "VERIFY", command, junit=place / "junit.xml", coverage=place / "coverage.json", cwd=folder
    )


def leave_evidence(engine: Engine, folder: Path, task: str) -> None:
    """Leave valid evidence for the phase the task is in."""
    state = engine.state(task)
    if state.phase == "VERIFY":
        assert witness_checks(engine, folder, task, state.attempt).passed
    else:
        result = engine.add_evidence(task, write(folder, task, state.phase, state.attempt))
        assert result.accepted, result.violation


def drive(engine: Engine, folder: Path, task: str, until: str) -> None:
    """Take an open task honestly from where it stands into the phase `until`."""
    while engine.state(task).phase != until:
        leave_evidence(engine, folder, task)
        result: Result = engine.advance(task)
        assert result.accepted, (result.violation, result.findings)


def complete(engine: Engine, folder: Path, task: str) -> None:
    """Take an open task honestly to its end."""
    drive(engine, folder, task, "MONITOR")
    leave_evidence(engine, folder, task)
    result = engine.advance(task)
    assert result.accepted, (result.violation, result.findings)


def _bytes(document: Any, mark: str) -> bytes:
    if isinstance(document, str):
        return document.replace("{mark}", mark).encode()
    return json.dumps({**document, "attempt": mark}, indent=2).encode()
