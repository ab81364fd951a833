"""Promise: whatever agents do, no task completes without every gate truly met.

Four runs of 2,500 commands, by honest, sloppy, lying and crashing agents, and two at once. A completed task is
held against what the test itself knows to have happened, by a reading of the entries that shares nothing with
the engine's own decisions.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from random_agents import Agents

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.core.state import Status
from phasegate.ledger.entry import Entry

COMMANDS = 2_500
GOOD = b"because nobody measured it"


pytestmark = [
    pytest.mark.attack,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


def _latest_visit(entries: list[Entry], phase: str) -> list[Entry]:
    """Entries of the last visit to a phase, which no later backtrack voided."""
    attempt = max(entry.attempt for entry in entries if entry.phase == phase)
    return [entry for entry in entries if (entry.phase, entry.attempt) == (phase, attempt)]


def _last(entries: list[Entry], type_: str, **fields: str) -> Entry:
    return [
        entry
        for entry in entries
        if entry.type == type_ and all(entry.payload.get(name) == value for name, value in fields.items())
    ][-1]


def _check_completed(agents: Agents, task: str) -> None:
    engine = agents.engines[0]
    entries = list(engine.store.entries(task=task))
    for phase, name in (("PLAN", "plan.md"), ("BUILD", "change.md"), ("REVIEW", "review.md")):
        visit = _latest_visit(entries, phase)
        added = _last(visit, "evidence.added", name=name)
        content = engine.content(str(added.payload["digest"]))
        assert hashlib.sha256(content).hexdigest() == added.payload["digest"]
        assert GOOD in content, (task, phase, content)
        binders = {
            entry.task
            for entry in engine.store.entries(type="evidence.added")
            if entry.payload["digest"] == added.payload["digest"]
        }
        assert binders == {task}
        gate = _last(visit, "gate.passed")
        assert gate.seq > added.seq
        assert [item["digest"] for item in gate.payload["evidence"]] == [added.payload["digest"]]
    check = _latest_visit(entries, "CHECK")
    assert agents.world.passed.get((task, check[0].attempt), 0) >= 1, task
    log = _last(check, "evidence.added", name="log.txt")
    assert (log.payload["origin"], log.payload["exit_code"]) == ("witnessed", 0)
    _check_review(entries, task)


def _check_review(entries: list[Entry], task: str) -> None:
    review = _latest_visit(entries, "REVIEW")
    rubric = _last(review, "evidence.added", name="review.md").payload["digest"]
    approvals = [
        entry
        for entry in review
        if entry.type == "approval.recorded"
        and entry.payload["decision"] == "approve"
        and entry.payload["subjects"].get("review.md") == rubric
    ]
    names = {str(entry.payload["by"]) for entry in approvals}
    implementers = {
        str(entry.actor).removeprefix("key:")
        for entry in entries
        if entry.phase == "BUILD" and entry.type == "evidence.added"
    }
    assert names - implementers - {"mallory"}, (task, names, implementers)
    assert "mallory" not in names
    attested = _last(review, "prompt.attested")
    assert attested.payload["origin"] == "witnessed"
    baselines = [entry for entry in entries if entry.type == "prompt.baselined" and entry.phase == "REVIEW"]
    assert attested.payload["prompt"] == baselines[-1].payload["prompt"]


@pytest.mark.parametrize("seed", [11, 12, 13, 14])
def test_given_random_agents_when_a_task_completes_then_every_gate_was_truly_met(
    tmp_path: Path, seed: int
) -> None:
    print(f"seed {seed}")
    agents = Agents(tmp_path, seed)
    try:
        agents.run(COMMANDS)
        engine = agents.engines[0]
        states = [engine.state(task) for task in agents.tasks]
        completed = [state for state in states if state.status is Status.COMPLETED]
        for state in completed:
            _check_completed(agents, state.task)
        found = audit(engine)
        kinds = {kind for state in states for kind in state.violations}
    finally:
        agents.close()
    assert agents.world.commands >= COMMANDS
    assert len(completed) >= 5, "the run must reach what it is about"
    assert {"gate_failed", "out_of_sequence", "not_witnessed"} <= kinds
    assert found.ledger.ok
    assert not [fault for task in found.tasks for fault in task.faults]
