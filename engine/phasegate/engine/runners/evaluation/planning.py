"""STRATEGIZE to THINK: what is asked, what must be reached, what will be done, what it can show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson

from phasegate.engine.runners.decimals import decimal_text
from phasegate.engine.runners.evaluation.run import EvaluationRun, document
from phasegate.engine.runners.port import Item, Produced
from phasegate.engine.runners.power import analyse_power
from phasegate.engine.runners.sandbox import Limits
from phasegate.engine.runners.targets import Targets

_PERCENT = 100


def strategy(run: EvaluationRun) -> Iterator[Item]:
    """STRATEGIZE: the suite, the model and the hypothesis."""
    plan = run.plan
    share = plan.targets.pass_at_1.primary
    hypothesis = (
        f"{plan.model.name} solves at least {share:.0%} of {len(plan.problems)} problems "
        f"of {plan.suite.name} with one sample each"
    )
    value = {
        "suite": plan.suite.name,
        "suite_digest": plan.suite.digest,
        "model": plan.model.name,
        "model_digest": plan.model.digest,
        "synthetic": plan.model.synthetic,
        "hypothesis": hypothesis,
        "problems": len(plan.problems),
    }
    yield Produced("strategy.json", document(value))


def targets(run: EvaluationRun) -> Iterator[Item]:
    """SPEC: the targets, with their digest, before any data exists."""
    given = registered(run.plan.targets)
    yield Produced("targets.json", document({"targets": given, "digest": registered_digest(given)}))


def registered(chosen: Targets) -> dict[str, Any]:
    """The targets as they are registered: flat, decimals as strings."""
    return {
        "pass_at_1": decimal_text(chosen.pass_at_1.primary),
        "fallback_pass_at_1": decimal_text(chosen.pass_at_1.fallback),
        "uplift_pp": decimal_text(chosen.uplift_pp),
        "alpha": decimal_text(chosen.alpha),
        "p95_ms": decimal_text(chosen.p95_ms),
    }


def registered_digest(given: dict[str, Any]) -> str:
    """SHA-256, hex, of registered targets as canonical JSON."""
    return hashlib.sha256(orjson.dumps(given, option=orjson.OPT_SORT_KEYS)).hexdigest()


def manifest(run: EvaluationRun) -> Iterator[Item]:
    """PLAN: every pin of the run; proves first that the model can give every completion it is asked for."""
    plan, limits = run.plan, Limits()
    plan.model.check(plan.suite, plan.problems, plan.per_problem)
    value = {
        "suite": plan.suite.name,
        "suite_digest": plan.suite.digest,
        "model": plan.model.name,
        "model_digest": plan.model.digest,
        "samples": list(plan.ks),
        "per_problem": plan.per_problem,
        "seed": plan.seed,
        "problems": len(plan.problems),
        "task_ids": [problem.task_id for problem in plan.problems],
        "limits": {"wall_ms": limits.wall_ms, "memory_bytes": limits.memory_bytes},
        "budget": {"completions": len(plan.problems) * plan.per_problem},
    }
    yield Produced("manifest.json", document(value))


def power(run: EvaluationRun) -> Iterator[Item]:
    """THINK: what a run of this size can show, and what could mislead its reader."""
    plan = run.plan
    analysis = analyse_power(len(plan.problems), plan.per_problem, plan.targets)
    value = {
        **analysis,
        "half_width": {name: row["reported"] / _PERCENT for name, row in analysis["half_width_pp"].items()},
        "risks": _risks(run),
    }
    yield Produced("power_analysis.json", document(value))


def _risks(run: EvaluationRun) -> list[str]:
    plan = run.plan
    risks = [
        "the model may have seen the suite in training; pass@1 then measures memory as well as skill",
        "an interval speaks of problems like these, not of other kinds of work",
        "pass@k grows with k by construction; uplift alone says nothing about a single answer",
    ]
    if len(plan.problems) < len(plan.suite.problems):
        risks.append(f"only the first {len(plan.problems)} problems are used; they need not be typical")
    if plan.model.synthetic:
        risks.append("the completions are synthetic: no figure of this run says anything about a model")
    return risks
