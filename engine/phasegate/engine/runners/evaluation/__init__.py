"""The runners of the evaluation process, one for each phase; `RUNNERS` maps the names in its YAML to them."""

from __future__ import annotations

from collections.abc import Mapping

from phasegate.engine.runners.evaluation import planning, reviewing, sampling
from phasegate.engine.runners.evaluation.run import EvaluationRun
from phasegate.engine.runners.port import Runner

RUNNERS: Mapping[str, Runner[EvaluationRun]] = {
    "strategy": planning.strategy,
    "targets": planning.targets,
    "manifest": planning.manifest,
    "power": planning.power,
    "generation": sampling.generation,
    "execution": sampling.execution,
    "statistics": reviewing.statistics,
    "report": reviewing.report,
    "deltas": reviewing.deltas,
}

__all__ = ["RUNNERS", "EvaluationRun"]
