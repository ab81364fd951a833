"""From a run's records to the data of its report; every figure names the ledger entry it came from."""

from __future__ import annotations

from collections.abc import Sequence

from phasegate.engine.runners.evaluation.run import EvaluationRun
from phasegate.engine.runners.report.data import GateRow, ReportData
from phasegate.engine.runners.statistics.level import SuccessLevel
from phasegate.engine.runners.statistics.summary import Summary, summarise

_MS_PER_S = 1_000

# The artifact each figure of the report rests on.
_FIGURE_ARTIFACTS = {
    "pass_at": "statistics.json",
    "uplift": "statistics.json",
    "success_level": "statistics.json",
    "verdicts": "execution.json",
    "outcomes": "execution.json",
    "latency": "execution.json",
    "throughput": "execution.json",
    "isolation": "execution.json",
    "targets": "targets.json",
}


def summary_of(run: EvaluationRun) -> Summary:
    """The figures of a run whose samples are all executed; the same journal gives the same figures."""
    passes = {
        task_id: [event.verdict == "passed" for event in events]
        for task_id, events in run.journal.outcomes(run.plan).items()
    }
    return summarise(passes, run.plan.ks, run.plan.targets, run.plan.seed)


def report_data(
    run: EvaluationRun, ended_in: str, reasons: Sequence[str], remedies: Sequence[str]
) -> ReportData:
    """Everything the report of this run is made from.

    Args:
        run: the run, all samples executed.
        ended_in: phase the run stands in.
        reasons: why it goes no further; empty when it does.
        remedies: what to do about each.
    """
    plan, summary, place = run.plan, summary_of(run), run.place()
    executed, outcomes = run.artifact("execution.json"), run.journal.outcomes(plan)
    return ReportData(
        task=run.task,
        run_id=run.task,
        suite=plan.suite.name,
        suite_digest=plan.suite.digest,
        model=plan.model.name,
        model_digest=plan.model.digest,
        synthetic=plan.model.synthetic,
        seed=plan.seed,
        samples=plan.per_problem,
        pass_at=summary.pass_at,
        uplift_pp=summary.uplift_pp,
        progressive=summary.progressive,
        decision=summary.decision,
        outcomes={task_id: [event.verdict for event in events] for task_id, events in outcomes.items()},
        latencies_ms=[float(event.wall_ms) for events in outcomes.values() for event in events],
        elapsed_s=run.step_figures("execution").get("duration_ms", 0) / _MS_PER_S,
        isolation=executed["isolation"],
        isolation_missing=executed["isolation_missing"],
        ledger_head=place.head,
        ledger_entries=place.entries,
        trust=place.trust,
        targets=plan.targets,
        sources={figure: run.source(name) for figure, name in _FIGURE_ARTIFACTS.items()},
        gates=gate_rows(run),
        ended_in=ended_in,
        reasons=reasons,
        remedies=remedies,
        made_at=run.now(),
    )


def gate_rows(run: EvaluationRun) -> list[GateRow]:
    """The gate matrix of what this run measured; what it did not measure has no row and no decision."""
    plan, decision = run.plan, summary_of(run).decision
    executed = run.artifact("execution.json")
    missing = ", ".join(executed["isolation_missing"])
    judged = f"{executed['executed']} of {executed['expected']}"
    checks = (
        (
            "data",
            "from a model",
            "synthetic" if plan.model.synthetic else "recorded",
            not plan.model.synthetic,
        ),
        ("completeness", "every sample executed", judged, executed["executed"] == executed["expected"]),
        ("isolation", "every property", f"missing: {missing}" if missing else "every property", not missing),
        ("success level", "not FAILED", decision.reason, decision.level is not SuccessLevel.FAILED),
    )
    artifacts = ("generation.json", "execution.json", "execution.json", "statistics.json")
    names = (
        "evaluation.not_synthetic",
        "evaluation.execution",
        "evaluation.execution",
        "evaluation.success_level",
    )
    return [
        GateRow(axis, threshold, finding, check, run.source(artifact), "pass" if passed else "fail")
        for (axis, threshold, finding, passed), artifact, check in zip(checks, artifacts, names, strict=True)
    ]
