"""Keeps the live view files under the home's results folder current while a run goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from phasegate.engine.app.engine import Engine
from phasegate.engine.runners.evaluation.run import Plan, document
from phasegate.engine.runners.report import LiveState, live_documents
from phasegate.engine.workflows.evaluation.records import REFERENCE_HASH_DIGITS, Records

REFRESH_S = 1.0


class LiveView:
    """The four live documents of one run, rewritten at most once in `REFRESH_S`."""

    def __init__(self, engine: Engine, records: Records, plan: Plan) -> None:
        self._engine = engine
        self._records = records
        self._plan = plan
        self._written_at = -REFRESH_S

    def refresh(self, phase: str, *, now: bool = False) -> None:
        """Rewrite the documents if they are due, or `now`."""
        if not now and time.monotonic() - self._written_at < REFRESH_S:
            return
        for name, content in live_documents(self._state(phase)).items():
            _replace(self._engine.home.results / name, content)
        self._written_at = time.monotonic()

    def _state(self, phase: str) -> LiveState:
        plan, head, executed = self._plan, self._engine.store.head(), self._records.journal.executed
        outcomes: dict[str, list[bool]] = {}
        for task_id, sample in sorted(executed):
            outcomes.setdefault(task_id, []).append(executed[task_id, sample].verdict == "passed")
        return LiveState(
            task=self._records.task,
            run_id=self._records.task,
            phase=phase,
            synthetic=plan.model.synthetic,
            updated_at=self._engine.clock.now(),
            problems=len(plan.problems),
            samples=plan.per_problem,
            outcomes=outcomes,
            latencies_ms=[float(event.wall_ms) for event in executed.values()],
            source=f"ledger#{head.size}:{head.hash[:REFERENCE_HASH_DIGITS]}",
            confidence=plan.targets.confidence,
        )


def _replace(path: Path, content: Mapping[str, object]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(document(content))
    beside.replace(path)
