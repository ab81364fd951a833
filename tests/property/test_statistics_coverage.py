"""Intervals hold the truth as often as they promise; fixed seeds, so the counts are the same on every run."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasegate.engine.runners.statistics import bootstrap_means, pass_at_k, summarise_latency, wilson
from phasegate.engine.runners.statistics.latency import quantile_interval

SEED = 20260105


def chances(rng, problems):
    """Success chances of a suite: some hopeless, some certain, most between, as in `models.stub`."""
    return [rng.random() ** 2 if rng.random() < 0.8 else 0.0 for _ in range(problems)]


def true_mean(k, draws=200_000):
    rng = Random(SEED)
    return sum(1 - (1 - chance) ** k for chance in chances(rng, draws)) / draws


def samples_of(rng, problems, n):
    return [sum(rng.random() < chance for _ in range(n)) for chance in chances(rng, problems)]


def test_given_clustered_samples_when_wilson_counts_problems_then_it_covers_and_counting_samples_would_not():
    rng, truth, problems, n, runs = Random(SEED), true_mean(1), 120, 16, 600
    by_problem = by_sample = 0
    for _ in range(runs):
        share = sum(samples_of(rng, problems, n)) / (problems * n)
        careful, naive = wilson(share, problems, 0.95), wilson(share, problems * n, 0.95)
        by_problem += careful.low <= truth <= careful.high
        by_sample += naive.low <= truth <= naive.high
    assert by_problem / runs >= 0.95
    assert by_sample / runs < 0.75


def test_given_random_suites_when_bootstrapped_then_pass_at_k_and_uplift_are_covered_nearly_as_promised():
    pytest.importorskip("numpy")
    rng, problems, n, k, runs = Random(SEED + 1), 80, 8, 4, 400
    truths = [true_mean(k), true_mean(k) - true_mean(1)]
    covered = [0, 0]
    for run in range(runs):
        passed = samples_of(rng, problems, n)
        shares = [float(pass_at_k(n, c, k)) for c in passed]
        gains = [share - c / n for share, c in zip(shares, passed, strict=True)]
        estimates = bootstrap_means([shares, gains], confidence=0.95, draws=1_000, seed=run)
        for index, (estimate, truth) in enumerate(zip(estimates, truths, strict=True)):
            covered[index] += estimate.low <= truth <= estimate.high
    # A bootstrap of 80 problems falls a little short of its level; three binomial deviations below 94%.
    assert min(covered) / runs >= 0.94 - 3 * (0.94 * 0.06 / runs) ** 0.5


def test_given_skewed_durations_when_an_order_statistic_interval_then_it_covers_at_least_as_promised():
    rng, runs, truth = Random(SEED + 2), 1_000, 2.995732273553991
    covered = 0
    for _ in range(runs):
        interval = quantile_interval(sorted(rng.expovariate(1) for _ in range(150)), 0.95, 0.95)
        covered += interval.low <= truth and (interval.high is None or truth <= interval.high)
    assert covered / runs >= 0.95 - 3 * (0.95 * 0.05 / runs) ** 0.5


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_given_any_counts_when_k_grows_then_pass_at_k_never_falls_and_stays_a_share(counts):
    n, c = counts
    values = [pass_at_k(n, c, k) for k in range(1, n + 1)]
    assert values == sorted(values)
    assert all(0 <= value <= 1 for value in values)
    assert values[0] * n == c
    assert values[-1] == (c > 0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.floats(0, 1), st.integers(1, 10_000), st.floats(0.5, 0.999))
def test_given_any_share_when_wilson_then_the_interval_holds_it_within_0_and_1(share, trials, confidence):
    estimate = wilson(share, trials, confidence)
    assert 0 <= estimate.low <= share + 1e-12
    assert share - 1e-12 <= estimate.high <= 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_given_any_durations_when_summarised_then_quantiles_are_ordered_and_within_range(durations):
    summary = summarise_latency(durations)
    p50, p95, p99 = (summary.quantiles_ms[name].value for name in ("p50", "p95", "p99"))
    assert summary.min_ms <= p50 <= p95 <= p99 <= summary.max_ms
    assert 0 <= summary.outliers < len(durations) or summary.outliers == 0
