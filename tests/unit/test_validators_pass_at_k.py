"""pass@k and the success level against enumeration and hand-computed cases."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest
from valid_artifacts import EXECUTION, MANIFEST, STATISTICS, STRATEGY, as_bytes, companions

from phasegate.validators.interface import Artifact
from phasegate.validators.pass_at_k import Targets, level_of, pass_at_k, uplift_pp
from phasegate.validators.registry import Check, run

TARGETS = Targets(Fraction("0.60"), Fraction("0.45"), Fraction(8), Fraction("0.05"))


def enumerated(outcomes, k):
    """Share of the k-subsets with a pass in them, averaged over problems."""
    rates = [
        Fraction(sum("1" in chosen for chosen in combinations(s, k)), sum(1 for _ in combinations(s, k)))
        for s in outcomes.values()
    ]
    return sum(rates) / len(rates)


@pytest.mark.parametrize("k", range(1, 7))
def test_given_outcomes_when_estimated_then_it_is_the_mean_over_all_subsets(k):
    outcomes = {"a": "000000", "b": "100000", "c": "1110000", "d": "11111111", "e": "01010101"}
    assert pass_at_k(outcomes, k) == enumerated(outcomes, k)


@pytest.mark.parametrize(
    ("first", "best", "p_value", "level"),
    [
        ("0.60", "0.60", None, "PRIMARY"),
        ("0.599999", "0.9", "0.001", "FALLBACK"),
        ("0.45", "0.45", None, "FALLBACK"),
        ("0.449999", "0.529999", None, "UPLIFT"),
        ("0.40", "0.479999", None, "FAILED"),
        ("0.40", "0.479999", "0.05", "FAILED"),
        ("0.40", "0.41", "0.049999", "UPLIFT"),
        ("0", "0", None, "FAILED"),
    ],
)
def test_given_rates_at_the_edges_of_the_targets_when_judged_then_the_level_is_exact(
    first, best, p_value, level
):
    rates = {1: Fraction(first), 16: Fraction(best)}
    assert level_of(rates, TARGETS, None if p_value is None else Fraction(p_value)) == level


def test_given_a_curve_when_its_uplift_is_taken_then_it_is_the_largest_over_one_sample():
    assert uplift_pp({1: Fraction("0.4"), 4: Fraction("0.5"), 16: Fraction("0.45")}) == 10


def _claim(outcomes, level, **more):
    """A statistics document with true rates and a claimed level, and the companions that agree with it."""
    per_problem = len(next(iter(outcomes.values())))
    ks = [1] if per_problem == 1 else [1, per_problem]
    rates = {k: pass_at_k(outcomes, k) for k in ks}
    total = len(outcomes) * per_problem
    passed = sum(samples.count("1") for samples in outcomes.values())
    document = {
        **STATISTICS,
        "outcomes": outcomes,
        "pass_at": {str(k): {"value": float(rate), "low": 0, "high": 1} for k, rate in rates.items()},
        "uplift_pp": None
        if per_problem == 1
        else {"value": float(uplift_pp(rates)), "low": None, "high": None},
        "success_level": level,
        **more,
    }
    size = {"problems": len(outcomes)}
    plan = {**MANIFEST, **size, "samples": ks, "per_problem": per_problem, "task_ids": list(outcomes)}
    executed = {
        **EXECUTION,
        "expected": total,
        "executed": total,
        "verdicts": {"passed": passed, "failed": total - passed},
    }
    return document, companions(manifest=plan, execution=executed, strategy={**STRATEGY, **size})


def codes(document, others):
    return {
        f.code
        for f in run(
            [Check("evaluation.statistics")], Artifact("statistics.json", as_bytes(document)), others
        )
    }


def test_given_112_of_164_at_one_sample_when_claimed_primary_then_it_holds_and_any_other_level_is_forged():
    outcomes = {f"HumanEval/{i}": "1" if i < 112 else "0" for i in range(164)}
    assert codes(*_claim(outcomes, "PRIMARY")) == set()
    for forged in ("FALLBACK", "UPLIFT", "FAILED"):
        assert codes(*_claim(outcomes, forged)) == {"evaluation.level_mismatch"}


def test_given_a_failed_run_when_it_claims_more_then_the_forgery_is_found():
    outcomes = {f"p{i}": "1111" if i < 4 else "0000" for i in range(10)}
    assert codes(*_claim(outcomes, "FAILED")) == set()
    for forged in ("PRIMARY", "FALLBACK", "UPLIFT"):
        assert codes(*_claim(outcomes, forged)) == {"evaluation.level_mismatch"}


def test_given_a_significant_improvement_when_declared_then_uplift_holds_and_without_it_not():
    outcomes = {f"p{i}": "1111" if i < 40 else "0001" if i < 42 else "0000" for i in range(100)}
    assert codes(*_claim(outcomes, "UPLIFT", progressive_p="0.01")) == set()
    assert codes(*_claim(outcomes, "UPLIFT", progressive_p="0.2")) == {"evaluation.level_mismatch"}
    assert codes(*_claim(outcomes, "UPLIFT")) == {"evaluation.level_mismatch"}


def test_given_one_outcome_flipped_when_rates_are_kept_then_it_is_found_three_ways():
    outcomes = {f"p{i}": "1" if i < 6 else "0" for i in range(10)}
    document, others = _claim(outcomes, "PRIMARY")
    document["outcomes"] = {**outcomes, "p9": "1"}
    assert codes(document, others) == {"evaluation.pass_at_mismatch", "evaluation.outcomes_differ"}
