"""How a run ends: its report, its closing entry, and what its caller is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import TRUST_EMBEDDED
from phasegate.engine.core.events import FINDINGS_IN_ENTRY_MAX, RunEnded
from phasegate.engine.runners.evaluation.report_data import report_data
from phasegate.engine.runners.evaluation.run import Plan
from phasegate.engine.runners.report import write_report
from phasegate.engine.workflows.evaluation.records import Records
from phasegate.validators.interface import Finding

REPORT = "report.html"
NOT_REVIEWED = "NOT_REVIEWED"


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A run's end.

    Attributes:
        accepted: whether it went through to MONITOR.
        document: what `--format json` prints.
        reasons: why it was held, each with its remedy.
        report: the page for people, when the run came as far as having figures.
    """

    accepted: bool
    document: dict[str, Any]
    reasons: tuple[str, ...]
    report: Path | None


def close(
    engine: Engine, records: Records, plan: Plan, outcome: str, findings: Sequence[Finding]
) -> RunEnded:
    """Write the report, where there are figures to report, and make the run's closing event."""
    reasons = tuple(f"{finding.message}; remedy: {finding.remedy}" for finding in findings)
    digest, level = "", NOT_REVIEWED
    if "statistics.json" in engine.state(records.task).evidence:
        level = records.artifact("statistics.json")["success_level"]
        data = report_data(
            records.run(plan),
            engine.state(records.task).phase,
            [finding.message for finding in findings],
            list(dict.fromkeys(finding.remedy for finding in findings)),
        )
        paths = write_report(data, engine.home.results / records.task)
        digest = engine.keep(paths["report.json"].read_bytes())
    return RunEnded(
        outcome=outcome, success_level=level, reasons=reasons[:FINDINGS_IN_ENTRY_MAX], report=digest
    )


def outcome_of(
    engine: Engine, records: Records, plan: Plan, executed_now: int, execution_s: float, elapsed_s: float
) -> RunOutcome:
    """What the caller is told of an ended run."""
    head = engine.store.head()
    ended = records.ended
    report = engine.home.results / records.task / REPORT
    figures = records.artifact("statistics.json") if ended and ended.report else {}
    ran = "execution.json" in engine.state(records.task).evidence
    executed = records.artifact("execution.json") if ran else {}
    uplift = figures.get("uplift_pp")
    document = {
        "task": records.task,
        "suite": plan.suite.name,
        "model": plan.model.name,
        "synthetic": plan.model.synthetic,
        "problems": len(plan.problems),
        "samples": plan.per_problem,
        "pass_at": _pass_at(figures.get("pass_at", {})),
        "uplift_pp": _interval(uplift) if uplift else None,
        "success_level": ended.success_level if ended else NOT_REVIEWED,
        "level_reason": figures.get("level_reason"),
        "outcome": ended.outcome if ended else "",
        "phase": engine.state(records.task).phase,
        "reasons": list(ended.reasons) if ended else [],
        "executed": len(records.journal.executed),
        "executed_now": executed_now,
        "verdicts": dict(Counter(event.verdict for event in records.journal.executed.values())),
        "elapsed_s": round(elapsed_s, 3),
        "executions_per_s": round(executed_now / execution_s, 1) if executed_now and execution_s else None,
        "isolation": executed.get("isolation", []),
        "isolation_missing": executed.get("isolation_missing", []),
        "trust": TRUST_EMBEDDED,
        "ledger": {"entries": head.size, "head": head.hash},
        "report": str(report) if figures else None,
    }
    accepted = ended is not None and ended.outcome == "accepted"
    return RunOutcome(accepted, document, tuple(ended.reasons) if ended else (), report if figures else None)


def _pass_at(figures: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """By k as text, in the order of k."""
    return {k: _interval(figures[k]) for k in sorted(figures, key=int)}


def _interval(value: dict[str, Any]) -> dict[str, float | None]:
    return {name: value[name] for name in ("value", "low", "high")}
