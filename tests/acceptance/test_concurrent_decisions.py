"""Promise: no interleaving lets two commands take effect from one state."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import NINE_PHASES, entries, look
from racing_workers import race
from small_processes import claimed, process_of

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.ledger.sqlite import SqliteStore
from phasegate.policies.model import Process

pytestmark = pytest.mark.attack

ROUNDS = 40


def one_way() -> Process:
    """B goes forward to C or back to A; from neither does the other follow."""
    return process_of(
        {"A": [], "B": [claimed("b.md")], "C": [claimed("c.md")]},
        {"A": ["B"], "B": ["C"]},
        {"B": ["A"]},
    )


def in_b(home: Path, folder: Path, task: str) -> None:
    """Given a task in B whose gate is open."""
    file = folder / f"{task}.md"
    file.write_text(task)
    with Engine.open(home) as engine:
        engine.open_task(task, one_way())
        assert engine.advance(task).accepted
        assert engine.add_evidence(task, [file], "b.md").accepted
        assert engine.gate(task).open


@pytest.mark.parametrize("driver", ["api", "cli"])
def test_advance_and_backtrack_raced_from_two_processes_never_both_take_effect(
    home: Path, tmp_path: Path, driver: str
) -> None:
    tasks = [f"RACE-{number}" for number in range(ROUNDS)]
    for task in tasks:
        in_b(home, tmp_path, task)
    context = get_context("spawn")

    with context.Manager() as manager, ProcessPoolExecutor(2, mp_context=context) as pool:
        barrier: Any = manager.Barrier(2)
        advanced = pool.submit(race, driver, home, tasks, "advance", barrier)
        went_back = pool.submit(race, driver, home, tasks, "backtrack", barrier)
        outcomes = list(zip(tasks, advanced.result(), went_back.result(), strict=True))

    for task, forward, back in outcomes:
        state = look(home, task)
        if forward == (0, ""):
            assert back == (1, "illegal_backtrack"), task
            assert (state.phase, state.completed) == ("C", ("A", "B"))
        else:
            assert (forward, back) == ((1, "out_of_sequence"), (0, "")), task
            assert (state.phase, state.attempt, state.completed) == ("A", 2, ())
        assert sum(state.violations.values()) == 1
    with Engine.open(home, readonly=True) as engine:
        found = audit(engine)
    assert found.ledger.ok
    assert not [task.faults for task in found.tasks if task.faults]


class Interposed:
    """A store that lets something happen between a decision and its commit, once."""

    def __init__(self, store: SqliteStore, happening: Callable[[], object]) -> None:
        self._store = store
        self._happening: Callable[[], object] | None = happening

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, *args: Any, **more: Any) -> Any:
        if self._happening is not None:
            happening, self._happening = self._happening, None
            happening()
        return self._store.append(*args, **more)


def interposed(home: Path, happening: Callable[[Engine], object]) -> Engine:
    """An engine whose first commit comes after another engine's command."""
    with Engine.open(home) as engine:
        found = engine.home

    def happen() -> None:
        with Engine.open(home) as other:
            happening(other)

    return Engine(found, Interposed(SqliteStore.open(found.ledger), happen))


def test_an_advance_decided_before_a_backtrack_was_committed_is_decided_anew(
    home: Path, tmp_path: Path
) -> None:
    in_b(home, tmp_path, "T-1")

    with interposed(home, lambda other: other.backtrack("T-1", "A", "first")) as engine:
        result = engine.advance("T-1", "C")

    assert result.violation is not None
    assert result.violation.violation == "out_of_sequence"
    assert look(home, "T-1").phase == "A"


def test_what_a_process_remembers_of_a_task_is_never_answered_once_another_moved_it(
    home: Path, tmp_path: Path
) -> None:
    in_b(home, tmp_path, "T-1")
    with Engine.open(home) as remembering:
        assert remembering.state("T-1").phase == "B"
        with Engine.open(home) as other:
            assert other.backtrack("T-1", "A", "first").accepted

        nothing_to_commit = remembering.check_loop("T-1")
        assert (nothing_to_commit.state.phase, nothing_to_commit.entries) == ("A", ())

        with Engine.open(home) as other:
            assert other.advance("T-1").accepted
        refused = remembering.advance("T-1", "A")
    assert refused.violation is not None
    assert refused.violation.violation == "out_of_sequence"
    assert (refused.state.phase, refused.state.attempt) == ("B", 2), "decided from what stands"


def test_a_backtrack_decided_before_an_advance_was_committed_is_decided_anew(
    home: Path, tmp_path: Path
) -> None:
    in_b(home, tmp_path, "T-1")

    with interposed(home, lambda other: other.advance("T-1")) as engine:
        result = engine.backtrack("T-1", "A", "second")

    assert result.violation is not None
    assert result.violation.violation == "illegal_backtrack"
    assert look(home, "T-1").phase == "C"


def test_evidence_offered_for_a_phase_the_task_left_meanwhile_is_refused(home: Path, tmp_path: Path) -> None:
    in_b(home, tmp_path, "T-1")
    late = tmp_path / "b.md"
    late.write_text("too late for B")

    with interposed(home, lambda other: other.advance("T-1")) as engine:
        result = engine.add_evidence("T-1", [late])

    assert result.violation is not None
    assert result.violation.violation == "unexpected_evidence"
    assert look(home, "T-1").evidence["b.md"].phase == "B"


def test_the_same_bytes_offered_for_two_tasks_at_once_are_bound_to_one(home: Path, tmp_path: Path) -> None:
    for task in ("T-1", "T-2"):
        in_b(home, tmp_path, task)
        with Engine.open(home) as engine:
            engine.advance(task)
    shared = tmp_path / "c.md"
    shared.write_text("said once, for one task")

    with interposed(home, lambda other: other.add_evidence("T-2", [shared])) as engine:
        result = engine.add_evidence("T-1", [shared])

    assert result.violation is not None
    assert result.violation.violation == "foreign_evidence"
    assert "c.md" in look(home, "T-2").evidence
    assert "c.md" not in look(home, "T-1").evidence


def test_one_task_opened_twice_at_once_is_opened_once(home: Path) -> None:
    with interposed(home, lambda other: other.open_task("T-1", NINE_PHASES)) as engine:
        result = engine.open_task("T-1", one_way())

    assert result.violation is not None
    assert result.violation.violation == "task_exists"
    assert [entry.type for entry in entries(home)].count("task.opened") == 1
    assert look(home, "T-1").process == "nine-phases"
