"""`report.json`: the report as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phasegate.engine.runners.report.data import SYNTHETIC_TEXT

if TYPE_CHECKING:
    from phasegate.engine.runners.report.data import GateRow, ReportData

SCHEMA = "phasegate/evaluation-report/v1"


def report_document(data: ReportData) -> dict[str, Any]:
    """The JSON object of a report: beside each figure stands the ledger entry it came from."""
    return {
        "schema": SCHEMA,
        "synthetic": data.synthetic,
        "notice": SYNTHETIC_TEXT if data.synthetic else None,
        "task": data.task,
        "run_id": data.run_id,
        "made_at": data.made_at,
        "suite": {"name": data.suite, "digest": data.suite_digest, "problems": len(data.outcomes)},
        "model": {"name": data.model, "digest": data.model_digest, "seed": data.seed},
        "samples": data.samples,
        "ended_in": data.ended_in,
        "reasons": list(data.reasons),
        "remedies": list(data.remedies),
        "success_level": str(data.decision.level),
        "sources": dict(data.sources),
        "figures": _figures(data),
        "gates": [gate_json(row) for row in data.gates],
        "ledger": {"head": data.ledger_head, "entries": data.ledger_entries, "trust": data.trust},
    }


def _figures(data: ReportData) -> dict[str, Any]:
    values: dict[str, Any] = {
        "pass_at": {str(k): estimate.to_json() for k, estimate in data.pass_at.items()},
        "uplift": {
            "pp": {str(k): estimate.to_json() for k, estimate in data.uplift_pp.items()},
            "largest_k": data.largest_uplift_k,
            "progressive": data.progressive.to_json() if data.progressive else None,
        },
        "success_level": data.decision.to_json(),
        "verdicts": data.verdicts(),
        "outcomes": {task_id: list(verdicts) for task_id, verdicts in data.outcomes.items()},
        "latency": {
            "of": data.latency_of,
            "summary": data.latency.to_json() if data.latency else None,
            "durations_ms": list(data.latencies_ms),
        },
        "throughput": {
            "executed": data.executed,
            "elapsed_s": data.elapsed_s,
            "executions_per_s": data.executions_per_s,
        },
        "isolation": {"given": list(data.isolation), "missing": list(data.isolation_missing)},
        "targets": {"digest": data.targets.digest(), "values": data.targets.to_json()},
    }
    return {name: {"value": value, "source": data.sources[name]} for name, value in values.items()}


def gate_json(row: GateRow) -> dict[str, str]:
    """A row of the gate matrix as plain data."""
    return {
        "axis": row.axis,
        "threshold": row.threshold,
        "finding": row.finding,
        "verified_by": row.verified_by,
        "evidence": row.evidence,
        "decision": row.decision,
    }
