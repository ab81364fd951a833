"""REVIEW to MONITOR: statistics and level, report and gate matrix, deltas against the last accepted run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phasegate.engine.runners.decimals import decimal_text
from phasegate.engine.runners.evaluation.report_data import gate_rows, report_data, summary_of
from phasegate.engine.runners.evaluation.run import EvaluationRun, document
from phasegate.engine.runners.port import Figures, Item, Produced
from phasegate.engine.runners.report import render_report
from phasegate.engine.runners.report.document import gate_json
from phasegate.engine.runners.statistics.estimate import Estimate
from phasegate.engine.runners.statistics.summary import Summary


def statistics(run: EvaluationRun) -> Iterator[Item]:
    """REVIEW: pass@k with intervals, uplift, and the success level."""
    summary = summary_of(run)
    decision = summary.decision
    value = {
        "pass_at": {str(k): estimate.to_json() for k, estimate in summary.pass_at.items()},
        "uplift_pp": largest_uplift(summary),
        "uplift_by_k": {str(k): estimate.to_json() for k, estimate in summary.uplift_pp.items()},
        "success_level": str(decision.level),
        "level_reason": decision.reason,
        "level_basis": decision.basis,
        "progressive_p": decimal_text(summary.progressive.p_value) if summary.progressive else None,
        "progressive": summary.progressive.to_json() if summary.progressive else None,
        "bootstrap": {"seed": summary.seed, "draws": summary.draws},
        "synthetic": run.plan.model.synthetic,
        "outcomes": _outcome_strings(run),
        "targets_digest": run.artifact("targets.json")["digest"],
    }
    yield Produced("statistics.json", document(value))
    yield Figures({f"pass_at_{k}": decimal_text(estimate.value) for k, estimate in summary.pass_at.items()})


def largest_uplift(summary: Summary) -> dict[str, Any] | None:
    """The largest uplift over one sample, with its k; None for a single sample."""
    estimate = summary.largest_uplift
    return None if estimate is None else {"k": summary.largest_uplift_k, **estimate.to_json()}


def _outcome_strings(run: EvaluationRun) -> dict[str, str]:
    return {
        task_id: "".join("1" if event.verdict == "passed" else "0" for event in events)
        for task_id, events in run.journal.outcomes(run.plan).items()
    }


def report(run: EvaluationRun) -> Iterator[Item]:
    """PR: the report and the gate matrix."""
    rendered = render_report(report_data(run, "PR", (), ()))
    yield Produced("report.json", rendered["report.json"])
    yield Produced("gate_matrix.json", document({"rows": [gate_json(row) for row in gate_rows(run)]}))


def deltas(run: EvaluationRun) -> Iterator[Item]:
    """MONITOR: each pass@k beside that of the last accepted run of the same suite."""
    summary, baseline = summary_of(run), run.baseline()
    targets = {1: run.plan.targets.pass_at_1.primary}
    before = baseline.statistics["pass_at"] if baseline else {}
    rows = [
        _delta(k, estimate, before.get(str(k)), targets.get(k)) for k, estimate in summary.pass_at.items()
    ]
    yield Produced(
        "deltas.json", document({"rows": rows, "baseline_run": baseline.task if baseline else None})
    )


def _delta(k: int, estimate: Estimate, before: dict[str, Any] | None, target: float | None) -> dict[str, Any]:
    baseline = before["value"] if before else None
    return {
        "metric": f"pass_at_{k}",
        "baseline": baseline,
        "current": estimate.value,
        "delta": None if baseline is None else estimate.value - baseline,
        "target": target,
    }
