"""Every figure against something that computes it another way: enumeration, scipy, or a hand."""

from __future__ import annotations

import builtins
import math
from fractions import Fraction
from itertools import combinations, product

import pytest

from phasegate.engine.runners.decimals import decimal_text, entry_form, exact
from phasegate.engine.runners.errors import EstimateError, MissingExtraError
from phasegate.engine.runners.statistics import (
    SuccessLevel,
    bootstrap_means,
    mcnemar_exact,
    pass_at_k,
    summarise,
    summarise_latency,
    wilson,
)
from phasegate.engine.runners.statistics.latency import quantile, quantile_interval
from phasegate.engine.runners.targets import load_targets

TARGETS = load_targets()
ALL_CASES = [(n, c, k) for n in range(1, 8) for c in range(n + 1) for k in range(1, n + 1)]


@pytest.mark.parametrize(("n", "c", "k"), ALL_CASES)
def test_given_n_c_k_when_pass_at_k_then_it_is_the_share_of_draws_that_hold_a_pass(n, c, k):
    draws = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == Fraction(sum(any(draw) for draw in draws), len(draws))


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_given_every_outcome_of_five_fair_samples_when_averaged_then_pass_at_k_is_unbiased(k):
    chance = Fraction(1, 3)
    expected = sum(
        math.prod((chance if hit else 1 - chance) for hit in outcome) * pass_at_k(5, sum(outcome), k)
        for outcome in product([True, False], repeat=5)
    )
    assert expected == 1 - (1 - chance) ** k


@pytest.mark.parametrize(("n", "c", "k"), [(4, 1, 5), (4, 1, 0), (4, 5, 1), (4, -1, 1), (0, 0, 1)])
def test_given_counts_that_cannot_be_when_pass_at_k_then_it_is_refused(n, c, k):
    with pytest.raises(EstimateError):
        pass_at_k(n, c, k)


@pytest.mark.parametrize("trials", [1, 2, 10, 164])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_given_counts_when_wilson_then_it_equals_scipys(trials, confidence):
    stats = pytest.importorskip("scipy.stats")
    for hits in range(trials + 1):
        oracle = stats.binomtest(hits, trials).proportion_ci(confidence, method="wilson")
        ours = wilson(hits / trials, trials, confidence)
        assert (ours.low, ours.high) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_given_the_known_example_when_wilson_then_it_is_the_published_interval():
    # Newcombe, Two-sided confidence intervals for the single proportion (1998), table I: 81/263, method 3.
    ours = wilson(81 / 263, 263, 0.95)
    assert (round(ours.low, 4), round(ours.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(
    ("share", "trials", "level"), [(0.5, 0, 0.95), (1.1, 5, 0.95), (math.nan, 5, 0.95), (0.5, 5, 1.0)]
)
def test_given_what_is_no_share_when_wilson_then_it_is_refused(share, trials, level):
    with pytest.raises(EstimateError):
        wilson(share, trials, level)


@pytest.mark.parametrize("gained", range(9))
@pytest.mark.parametrize("lost", range(9))
def test_given_discordant_pairs_when_mcnemar_then_it_equals_enumeration_and_scipy(gained, lost):
    pairs, extreme = gained + lost, abs(gained - lost)
    signs = [abs(2 * sum(signs) - pairs) >= extreme for signs in product([0, 1], repeat=min(pairs, 12))]
    if pairs <= 12:
        assert mcnemar_exact(gained, lost) == pytest.approx(sum(signs) / len(signs))
    stats = pytest.importorskip("scipy.stats")
    if pairs:
        assert mcnemar_exact(gained, lost) == pytest.approx(stats.binomtest(gained, pairs, 0.5).pvalue)


def test_given_a_skewed_column_when_bootstrapped_then_it_agrees_with_scipys_bca():
    stats = pytest.importorskip("scipy.stats")
    np = pytest.importorskip("numpy")
    column = [0.0] * 9 + [0.25, 0.5, 0.5, 0.75] + [1.0] * 27
    ours = bootstrap_means([column], confidence=0.95, draws=20_000, seed=1)[0]
    theirs = stats.bootstrap((column,), np.mean, n_resamples=20_000, method="BCa", rng=2).confidence_interval
    assert (ours.low, ours.high) == pytest.approx(
        (theirs.low, theirs.high), abs=0.0075
    )  # one step of the grid of means


def test_given_three_problems_when_bootstrapped_then_it_agrees_with_all_27_resamples():
    pytest.importorskip("numpy")
    column = [0.0, 0.5, 1.0]
    means = sorted(sum(draw) / 3 for draw in product(column, repeat=3))
    ours = bootstrap_means([column], confidence=0.8, draws=20_000, seed=4)[0]
    # Symmetric data: neither bias nor acceleration, so BCa is the percentile interval.
    assert (ours.low, ours.high) == pytest.approx((means[round(0.1 * 26)], means[round(0.9 * 26)]), abs=1e-9)


def test_given_a_seed_when_bootstrapped_twice_then_the_intervals_are_identical():
    pytest.importorskip("numpy")
    column = [index / 50 for index in range(50)]
    runs = [bootstrap_means([column], confidence=0.95, draws=2_000, seed=s)[0] for s in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_given_many_problems_when_bootstrapped_in_blocks_then_the_interval_is_as_wide_as_theory_says():
    pytest.importorskip("numpy")
    column = [float(index % 2) for index in range(5_000)]
    ours = bootstrap_means([column], confidence=0.95, draws=1_500, seed=8)[0]
    assert ours.high - ours.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(5_000), rel=0.08)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_given_problems_all_alike_when_bootstrapped_then_the_interval_has_width_and_says_how(value):
    pytest.importorskip("numpy")
    ours = bootstrap_means([[value] * 30], confidence=0.95, draws=1_000, seed=0)[0]
    assert ours.high - ours.low > 0.05
    assert ours.low <= value <= ours.high
    assert "wilson" in ours.method


@pytest.mark.parametrize("columns", [[], [[]], [[0.1], [0.1, 0.2]], [[1.5]], [[math.nan]]])
def test_given_columns_that_cannot_be_when_bootstrapped_then_they_are_refused(columns):
    with pytest.raises(EstimateError):
        bootstrap_means(columns, confidence=0.95, draws=1_000, seed=0)


def test_given_no_numpy_when_bootstrapped_then_the_remedy_is_the_extra(monkeypatch):
    real = builtins.__import__

    def without_numpy(name, *args, **kwargs):
        if name == "numpy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_numpy)
    outcomes = {"a": [True, False], "b": [False, False]}
    with pytest.raises(MissingExtraError, match=r"pip install 'phasegate\[stats\]'"):
        summarise(outcomes, [1, 2], TARGETS, seed=0)
    assert summarise(outcomes, [1], TARGETS, seed=0).pass_at[1].value == 0.25


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_given_durations_when_quantiles_then_they_equal_numpys(count):
    np = pytest.importorskip("numpy")
    values = sorted((37 * index % 101) / 3 for index in range(count))
    for share in (0.25, 0.5, 0.95, 0.99):
        assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)))


@pytest.mark.parametrize("count", [1, 5, 58, 59, 100, 400, 5_000])
@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_given_ranks_when_an_order_statistic_interval_then_it_is_the_tightest_scipy_allows(count, share):
    binom = pytest.importorskip("scipy.stats").binom
    ours = quantile_interval([float(rank) for rank in range(1, count + 1)], share, 0.95)
    low, high = ours.low or 0, ours.high or count + 1
    assert binom.cdf(low - 1, count, share) <= 0.025 < binom.cdf(low, count, share)
    if ours.high is not None:
        assert binom.sf(high - 1, count, share) <= 0.025 < binom.sf(high - 2, count, share)
    else:
        assert binom.sf(count - 1, count, share) > 0.025


def test_given_durations_when_summarised_then_outliers_and_range_are_as_by_hand():
    summary = summarise_latency([100, 1, 2, 3, 4])
    assert (summary.count, summary.mean_ms, summary.min_ms, summary.max_ms) == (5, 22.0, 1.0, 100.0)
    assert (summary.iqr_ms, summary.fences_ms, summary.outliers) == (2.0, (-1.0, 7.0), 1)
    assert summary.to_json()["p50_ms"]["value"] == 3.0
    assert summary.to_json()["p99_ms"]["high"] is None


@pytest.mark.parametrize("durations", [[], [-1.0], [math.nan], [math.inf]])
def test_given_what_is_no_duration_when_summarised_then_it_is_refused(durations):
    with pytest.raises(EstimateError):
        summarise_latency(durations)


def outcomes_of(*passed, n=4):
    return {f"Own/{index}": [sample < c for sample in range(n)] for index, c in enumerate(passed)}


def test_given_outcomes_when_summarised_then_the_figures_are_those_computed_by_hand():
    pytest.importorskip("numpy")
    summary = summarise(outcomes_of(0, 1, 2, 4), [4, 1, 2], TARGETS, seed=1)
    assert list(summary.pass_at) == [1, 2, 4]
    assert summary.pass_at[1].value == 7 / 16
    assert summary.pass_at[2].value == pytest.approx((0 + 1 / 2 + 5 / 6 + 1) / 4)
    assert summary.pass_at[4].value == 0.75
    assert (summary.pass_at[1].low, summary.pass_at[1].high) == (
        wilson(7 / 16, 4, 0.95).low,
        wilson(7 / 16, 4, 0.95).high,
    )
    assert summary.largest_uplift_k == 4
    assert summary.largest_uplift.value == pytest.approx(31.25)
    assert [(each.task_id, each.passed, each.samples) for each in summary.problems][3] == ("Own/3", 4, 4)
    assert summary.samples == 4


def test_given_paired_gains_when_summarised_then_the_uplift_interval_is_within_problems_not_between_arms():
    pytest.importorskip("numpy")
    # Every problem gains 1/2 or 0.4 whatever its level, so the uplift is nearly certain though pass@k is not.
    summary = summarise(outcomes_of(*[1, 1, 1, 1, 4, 4, 0, 0] * 10), [1, 4], TARGETS, seed=1)
    apart = summary.pass_at[4].high - summary.pass_at[4].low
    paired = (summary.uplift_pp[4].high - summary.uplift_pp[4].low) / 100
    assert paired < 0.9 * apart + 0.05
    assert summary.uplift_pp[4].low > 0


@pytest.mark.parametrize(
    ("outcomes", "ks"),
    [({}, [1]), ({"a": []}, [1]), ({"a": [True], "b": [True, True]}, [2]), ({"a": [True]}, [0])],
)
def test_given_outcomes_that_cannot_give_a_figure_when_summarised_then_they_are_refused(outcomes, ks):
    with pytest.raises(EstimateError):
        summarise(outcomes, ks, TARGETS, seed=0)


def level_of(*passed, n, ks):
    return summarise(outcomes_of(*passed, n=n), ks, TARGETS, seed=0).decision


def test_given_pass_at_1_exactly_at_a_target_when_decided_then_the_target_is_met():
    assert level_of(*[1] * 99, *[0] * 66, n=1, ks=[1]).level is SuccessLevel.PRIMARY
    assert level_of(*[1] * 98, *[0] * 67, n=1, ks=[1]).level is SuccessLevel.FALLBACK
    assert level_of(*[1] * 9, *[0] * 11, n=1, ks=[1]).level is SuccessLevel.FALLBACK
    failed = level_of(*[1] * 44, *[0] * 56, n=1, ks=[1])
    assert failed.level is SuccessLevel.FAILED
    assert "no uplift was measured" in failed.reason
    assert any("--samples" in remedy for remedy in failed.remedies)


def test_given_the_uplift_exactly_at_its_target_when_decided_then_the_level_is_uplift_by_size():
    pytest.importorskip("numpy")
    # 16 of 100 problems gain 1/2 each: 8 percentage points to the last one.
    decided = level_of(*[1] * 16, *[0] * 84, n=2, ks=[1, 2])
    assert (decided.level, decided.basis) == (SuccessLevel.UPLIFT, "uplift_pp")
    assert "8.0 percentage points" in decided.reason


def gaining_late(late, never):
    first_fails = {f"late/{index}": [False] * 15 + [True] for index in range(late)}
    return {**first_fails, **{f"never/{index}": [False] * 16 for index in range(never)}}


def test_given_a_small_but_significant_gain_when_decided_then_the_level_is_uplift_by_significance():
    pytest.importorskip("numpy")
    summary = summarise(gaining_late(6, 94), [1, 4, 16], TARGETS, seed=0)
    assert summary.progressive.gained == 6
    assert summary.progressive.p_value == 2 * 0.5**6
    assert (summary.decision.level, summary.decision.basis) == (
        SuccessLevel.UPLIFT,
        "progressive_significance",
    )
    assert "significant (p = 0.0312 at alpha = 0.05)" in summary.decision.reason


def test_given_a_gain_that_a_coin_could_give_when_decided_then_the_level_is_failed():
    pytest.importorskip("numpy")
    summary = summarise(gaining_late(5, 95), [1, 4, 16], TARGETS, seed=0)
    assert summary.decision.level is SuccessLevel.FAILED
    assert "not significant" in summary.decision.reason
    assert summary.decision.remedies


@pytest.mark.parametrize("number", [0.1, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 0.0, -2.5, 1e22])
def test_given_a_float_when_written_as_decimal_text_then_the_same_float_is_read(number):
    assert float(decimal_text(number)) == number


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, None])
def test_given_no_finite_number_when_written_as_decimal_text_then_it_is_none(number):
    assert decimal_text(number) is None


def test_given_a_decimal_when_taken_exactly_then_it_is_the_fraction_a_person_means():
    assert exact(0.6) == Fraction(3, 5)
    assert exact(8) == 8


def floats_in(value):
    if isinstance(value, dict):
        return [found for part in value.values() for found in floats_in(part)]
    if isinstance(value, list | tuple):
        return [found for part in value for found in floats_in(part)]
    return [value] if isinstance(value, float) else []


def test_given_a_summary_when_put_in_entry_form_then_no_float_is_left_at_any_depth():
    pytest.importorskip("numpy")
    summary = summarise(outcomes_of(0, 1, 4), [1, 4], TARGETS, seed=0)
    assert floats_in(summary.to_json())
    assert not floats_in(summary.to_entry())
    assert "problems" not in summary.to_entry()
    assert entry_form({"a": (1.5, True, "x", None, 2)}) == {"a": ["1.5", True, "x", None, 2]}
