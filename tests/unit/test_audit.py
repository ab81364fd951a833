"""The audit: it believes no projection and no engine, only entries that a process permits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from decider_spec import digest, given, passing
from small_processes import claimed, process_of, three_phases

from phasegate.engine.app.audit.audit import Audit, audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.standing import TASK_ROW
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import (
    GatePassed,
    PhaseCompleted,
    PhaseEntered,
    Recorded,
    TaskCompleted,
    TaskOpened,
    payload,
)
from phasegate.engine.core.state import fold
from phasegate.engine.core.state_json import to_json
from phasegate.ledger.entry import Draft
from phasegate.ledger.store import Projection
from phasegate.policies.model import CheckRule, Process

AT = "2026-01-31T09:30:00.000000Z"
THREE = three_phases()


@pytest.fixture
def engine(tmp_path: Path):
    """An engine over an empty ledger."""
    with Engine.init(tmp_path / "state") as engine:
        yield engine


def forge(engine: Engine, task: str, process: Process, history: Sequence[Recorded]) -> None:
    """Write a history past the engine, with a projection and a digest that fit it."""
    engine.keep(process.canonical())
    try:
        state = fold(task, history)
        body = orjson.dumps(to_json(state)) if state else b"{}"
    except Exception:  # noqa: BLE001 - a history that cannot be folded has no projection
        body = b"{}"
    bodies = [payload(event) for _, _, event in history]
    bodies[-1]["state"] = hashlib.sha256(body).hexdigest()
    engine.store.append(
        [
            Draft(task, phase, attempt, event.kind, "user:forger", "", body)
            for (phase, attempt, event), body in zip(history, bodies, strict=True)
        ],
        at=AT,
        projections=[Projection(TASK_ROW, task, body)],
    )


def done(engine: Engine, folder: Path, task: str, process: Process, until: str | None = None) -> None:
    """Take a task through a process honestly; its artifacts say task and name."""
    engine.open_task(task, process)
    while engine.state(task).status == "open" and engine.state(task).phase != until:
        for name in process.evidence_rules[engine.state(task).phase]:
            file = folder / f"{task}-{name}"
            file.write_text(f"{name} of {task}")
            assert engine.add_evidence(task, [file], name).accepted
        assert engine.advance(task).accepted


def only(found: Audit):
    """The audit of the only task."""
    (task,) = found.tasks
    return task


def test_given_an_empty_ledger_when_audited_then_nothing_can_be_concluded(engine) -> None:
    assert (audit(engine).exit_code, audit(engine).tasks) == (3, ())


def test_given_a_task_that_claims_nothing_when_audited_then_nothing_can_be_concluded(engine) -> None:
    engine.open_task("T-1", THREE)

    found = audit(engine)

    assert found.exit_code == 3
    assert (only(found).status, only(found).claimed, only(found).holds) == ("in A", (), True)


def test_given_honest_tasks_when_audited_then_all_they_claim_holds(engine, tmp_path) -> None:
    done(engine, tmp_path, "T-1", THREE)
    done(engine, tmp_path, "T-2", THREE, until="C")

    found = audit(engine)

    assert found.exit_code == 0
    assert [(task.task, task.status, task.claimed) for task in found.tasks] == [
        ("T-1", "completed", ("A", "B", "C")), ("T-2", "in C", ("A", "B")),
    ]  # fmt: skip
    assert len(audit(engine, ["T-2"]).tasks) == 1


def test_given_an_unknown_task_when_audited_then_it_is_bad_input(engine) -> None:
    with pytest.raises(BadInput, match="there is no task `T-9`"):
        audit(engine, ["T-9"])


def test_given_evidence_no_validator_would_pass_when_audited_then_its_findings_are_told(engine) -> None:
    checks = (CheckRule(use="sections", params={"required": ["one"]}),)
    process = process_of({"A": [claimed("a.md", checks=checks)], "B": []}, {"A": ["B"]})
    forge(engine, "T-1", process, given(process, *passing("a.md", "no sections")).history)
    engine.keep(b"no sections")

    found = only(audit(engine))

    assert found.faults == ("entry 4: the signed statement of the gate is missing or altered",)
    codes = [finding.code for finding in found.findings]
    assert codes[0] == "process.not_accepted"
    assert codes[1:] == ["evidence.altered", "sections.missing"], (
        "no copy stands, and its content says nothing"
    )


def test_given_a_forged_skip_when_audited_then_the_entry_is_named_though_the_chain_holds(engine) -> None:
    opened, entered, *_ = given(THREE).history
    history = [
        opened, entered, Recorded("A", 1, PhaseCompleted(next="C")), Recorded("C", 1, PhaseEntered(previous="A")),
    ]  # fmt: skip
    forge(engine, "T-2", THREE, history)

    found = audit(engine)

    assert found.ledger.ok, "the chain itself has no flaw"
    assert found.exit_code == 4
    assert only(found).faults[0] == "entry 3: A was completed without passing its gate"


def test_given_a_forged_end_when_audited_then_it_is_named(engine) -> None:
    history = [*given(THREE, *passing("a.md")).history, Recorded("B", 1, TaskCompleted(phases=3))]
    forge(engine, "T-1", THREE, history)

    found = audit(engine)

    assert "completed without passing the last gate" in found.tasks[0].faults[0]
    assert found.exit_code == 4


def test_given_a_task_opened_twice_when_audited_then_it_is_named(engine) -> None:
    history = given(THREE).history
    forge(engine, "T-1", THREE, [*history, *history])

    assert "opened twice" in " ".join(only(audit(engine)).faults)


def test_given_a_stream_that_begins_before_its_opening_when_audited_then_it_is_named(engine) -> None:
    opened, entered = given(THREE).history
    forge(engine, "T-1", THREE, [entered, opened])

    assert "does not begin with its opening" in only(audit(engine)).faults[0]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"no process"])
def test_given_a_definition_that_is_none_when_audited_then_it_is_named(engine, content) -> None:
    engine.keep(content)
    opening = TaskOpened(
        process="p", process_version=1, process_digest=hashlib.sha256(content).hexdigest(), title="t"
    )
    forge(engine, "T-1", THREE, [Recorded("A", 1, opening), Recorded("A", 1, PhaseEntered(previous=""))])

    found = audit(engine)

    assert found.exit_code == 4
    assert "is no process definition" in only(found).faults[0]


def test_given_a_definition_that_is_gone_when_audited_then_it_is_named(engine) -> None:
    opening = TaskOpened(process="p", process_version=1, process_digest=digest("gone"), title="t")
    forge(engine, "T-1", THREE, [Recorded("A", 1, opening)])

    assert "missing or damaged" in only(audit(engine)).faults[0]


def test_given_an_entry_of_no_known_type_when_audited_then_it_is_named(engine) -> None:
    engine.open_task("T-1", THREE)
    engine.store.append([Draft("T-1", "B", 1, "phase.jumped", "user:forger", "", {})], at=AT)

    found = audit(engine)

    assert "entry type `phase.jumped` is unknown" in only(found).faults[0]
    assert found.exit_code == 4


def test_given_entries_behind_the_projections_back_when_audited_then_it_is_named(engine) -> None:
    engine.open_task("T-1", THREE)
    gate = GatePassed(evidence=(), checks=(), warnings=())
    engine.store.append([Draft("T-1", "A", 1, gate.kind, "user:forger", "", payload(gate))], at=AT)

    with Engine.open(engine.home.root, readonly=True) as fresh:
        faults = only(audit(fresh)).faults

    assert any("passed without `a.md`" in fault for fault in faults)
    assert any("projection" in fault for fault in faults)


@pytest.mark.parametrize(
    "path", ["", "/", "..", "../../../etc/passwd", "a\x00b", "evidence/T-1/A/" + "x" * 300]
)
def test_given_evidence_that_stands_nowhere_when_audited_then_it_is_a_finding(engine, path) -> None:
    engine.keep(b"a.md")
    task = given(THREE)
    history = [*task.history]
    for phase, attempt, event in task.having(*passing("a.md")).history[2:]:
        changed = event.model_copy(update={"path": path}) if event.kind == "evidence.added" else event
        history.append(Recorded(phase, attempt, changed))
    forge(engine, "T-1", THREE, history)

    found = only(audit(engine))

    assert not found.holds
    assert [finding.code for finding in found.findings] == ["process.not_accepted", "evidence.altered"]


def test_given_a_forged_claim_of_a_phase_that_does_not_exist_when_audited_then_it_is_named(engine) -> None:
    history = [
        *given(THREE).history, Recorded("NOWHERE", 1, PhaseEntered(previous="A")),
        Recorded("NOWHERE", 1, PhaseCompleted(next="ELSEWHERE")),
        Recorded("ELSEWHERE", 1, PhaseEntered(previous="NOWHERE")),
    ]  # fmt: skip
    forge(engine, "T-1", THREE, history)

    found = audit(engine)

    assert found.exit_code == 4
    assert only(found).faults[0] == "entry 3: the process has no phase `NOWHERE`"


def test_given_a_forged_history_without_any_other_fault_when_audited_then_its_gates_are_unsigned(
    engine, tmp_path
) -> None:
    done(engine, tmp_path, "T-1", THREE, until="C")
    forge(engine, "T-2", THREE, given(THREE, *passing("a.md"), *passing("b.md")).history)

    honest, forged = audit(engine).tasks

    assert honest.faults == ()
    assert len(forged.faults) == 2
    assert all("signed statement of the gate is missing" in fault for fault in forged.faults)
