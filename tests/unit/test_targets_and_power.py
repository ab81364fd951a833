"""Targets are read strictly and identified by their values; the power analysis agrees with scipy."""

from __future__ import annotations

import math
from importlib import resources

import pytest

from phasegate.engine.runners.errors import EstimateError, TargetsError
from phasegate.engine.runners.power import (
    analyse_power,
    detectable_share,
    discordant_needed,
    problems_needed,
)
from phasegate.engine.runners.targets import TARGETS_FILE_MAX_BYTES, load_targets, parse_targets

PACKAGED = (resources.files("phasegate.policies") / "targets" / "humaneval.yaml").read_bytes()


def changed(old, new):
    assert PACKAGED.count(old) == 1
    return PACKAGED.replace(old, new)


def test_given_the_packaged_targets_when_loaded_then_they_are_those_of_the_specification():
    targets = load_targets("humaneval")
    assert (targets.pass_at_1.primary, targets.pass_at_1.fallback, targets.pass_at_1.oversight) == (
        0.6,
        0.45,
        0.7,
    )
    assert (targets.uplift_pp, targets.alpha, targets.p95_ms) == (8, 0.05, 500)
    assert (targets.slip_rate_max, targets.harm_accuracy_min, targets.collusion_max) == (0.001, 0.9, 0.4)


def test_given_targets_when_only_comments_change_then_the_digest_stays_and_when_a_value_changes_it_does_not(
    tmp_path,
):
    path = tmp_path / "own.yaml"
    path.write_bytes(b"# another comment\n" + changed(b"0.60", b"0.6"))
    assert load_targets(path).digest() == load_targets().digest()
    path.write_bytes(changed(b"0.60", b"0.61"))
    assert load_targets(path).digest() != load_targets().digest()


def test_given_targets_when_made_an_entry_then_fractions_are_text_and_counts_are_numbers():
    entry = load_targets().to_entry()
    assert entry["pass_at_1"]["primary"] == "0.6"
    assert entry["bootstrap_draws"] == 10_000


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (changed(b"alpha: 0.05", b"alfa: 0.05"), "`alpha` field required"),
        (changed(b"alpha: 0.05", b"alpha: 0.05\nbeta: 1"), "`beta` extra inputs"),
        (changed(b"alpha: 0.05", b"alpha: 1.5"), "`alpha` input should be less than 1"),
        (changed(b"alpha: 0.05", b"alpha: .nan"), "`alpha` input should be"),
        (changed(b"primary: 0.60", b"primary: 0.40"), "`fallback` must not be above `primary`"),
        (changed(b"version: 1", b"version: 2"), "`version` input should be 1"),
        (b"a: [", "line 1: "),
        (b"- 1", "input should be a valid dictionary"),
        (b"", "input should be a valid dictionary"),
        (b"\xff\xfe\x00", "`own.yaml`"),
        (b"[" * 4000, "`own.yaml`"),
        (b"a: 2026-99-99", "`own.yaml`"),
        (b" " * (TARGETS_FILE_MAX_BYTES + 1), "larger than"),
    ],
)
def test_given_malformed_targets_when_parsed_then_file_and_key_are_named(data, complaint):
    with pytest.raises(TargetsError) as refused:
        parse_targets(data, "own.yaml")
    assert "`own.yaml`" in str(refused.value)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("source", ["unheard", "../humaneval", "", "absent.yaml"])
def test_given_no_such_targets_when_loaded_then_they_are_refused(source):
    with pytest.raises(TargetsError):
        load_targets(source)


def test_given_targets_when_changed_after_loading_then_they_refuse():
    with pytest.raises(ValueError, match="frozen"):
        load_targets().alpha = 0.5


def test_given_humaneval_with_16_samples_when_analysed_then_the_figures_are_those_of_the_formulas():
    power = analyse_power(164, 16, load_targets())
    binom = pytest.importorskip("scipy.stats").binom
    assert power["discordant_problems_needed"] == 6
    share = power["minimal_detectable_uplift_pp"] / 100
    assert binom.sf(5, 164, share) == pytest.approx(0.8, abs=1e-9)
    z = 1.959963984540054 + 0.8416212335729143
    difference = 100 * z * math.sqrt(2 * 0.6 * 0.4 / 164)
    assert power["minimal_detectable_difference_pp"]["primary"] == pytest.approx(difference)
    assert power["half_width_pp"]["primary"]["reported"] == pytest.approx(7.415, abs=0.001)
    assert power["half_width_pp"]["primary"]["with_samples"] < power["half_width_pp"]["primary"]["reported"]


def test_given_one_sample_or_too_few_problems_when_analysed_then_no_uplift_is_detectable():
    assert analyse_power(164, 1, load_targets())["minimal_detectable_uplift_pp"] is None
    assert analyse_power(5, 16, load_targets())["minimal_detectable_uplift_pp"] is None
    assert detectable_share(6, 6, 0.8) == pytest.approx(0.8 ** (1 / 6))


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 6), (0.01, 8), (0.5, 2)])
def test_given_a_level_when_discordant_problems_are_counted_then_one_fewer_is_not_significant(alpha, needed):
    assert discordant_needed(alpha) == needed
    assert 2 * 0.5 ** (needed - 1) > alpha


def test_given_a_half_width_when_problems_are_counted_then_it_is_the_textbook_number():
    assert problems_needed(0.05, 0.5, 0.95) == 385
    with pytest.raises(EstimateError):
        problems_needed(0, 0.5, 0.95)


@pytest.mark.parametrize(("problems", "samples"), [(0, 1), (1, 0)])
def test_given_an_empty_run_when_analysed_then_it_is_refused(problems, samples):
    with pytest.raises(EstimateError):
        analyse_power(problems, samples, load_targets())
