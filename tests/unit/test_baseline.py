"""Baselines: ranges computed by hand, what keeps one from being stable, and later windows beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from engine_drivers import NINE_PHASES, Ran, cli
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_ledger import DAYS, END, WHOLE, three_days

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import BaselineRecorded
from phasegate.ledger.entry import Entry
from phasegate.telemetry.baseline import (
    STABLE_DAYS_MIN,
    Baseline,
    Range,
    Verdict,
    baseline_of,
    compared,
    overall,
    range_of,
    ranges_from,
)
from phasegate.telemetry.happenings import Figure, Happening, told
from phasegate.telemetry.names import Counter
from phasegate.telemetry.window import US_PER_DAY, Window

F = Fraction


def daily(*skips: int, end: int = END, drifted: int = 0) -> list[Happening]:
    """Happenings of one task with so many skips on each day, the last day ending at `end`."""
    made: list[Happening] = []
    for back, count in enumerate(reversed(skips)):
        at = end - back * US_PER_DAY
        made.append(Happening(Figure.TASKS_ACTIVE, at, "T1"))
        made.extend([Happening(Counter.SKIPS, at, "T1")] * count)
    made.append(Happening(Figure.PROMPTS_COMPARED, end, "T1", 10))
    made.append(Happening(Figure.PROMPTS_DRIFTED, end, "T1", drifted))
    return made


def made_of(*skips: int, days: int = 14, days_min: int = STABLE_DAYS_MIN, drifted: int = 0) -> Baseline:
    window = Window(END - days * US_PER_DAY, END)
    return baseline_of(daily(*skips, drifted=drifted), window, days_min)


# -- ranges --------------------------------------------------------------------------------------------------


def test_a_range_has_the_figures_computed_by_hand() -> None:
    # Mean 24/8 = 3. Moves between neighbours are all 2, so the limits are 3 -/+ 2.66 * 2 = 3 -/+ 5.32, and no
    # limit lies below 0. Ranks: ceil(.05 * 8) = 1 and ceil(.95 * 8) = 8.
    values = [F(n) for n in (2, 4, 2, 4, 2, 4, 2, 4)]
    assert range_of(values, share=False) == Range(8, F(3), F(2), F(4), F(2), F(4), F(0), F(832, 100))


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    # 1 to 40: ceil(.05 * 40) = 2 and ceil(.95 * 40) = 38. Mean 20.5; moves 1; limits 20.5 -/+ 2.66.
    normal = range_of([F(n) for n in range(1, 41)], share=False)
    assert (normal.p5, normal.p95, normal.mean) == (2, 38, F(41, 2))
    assert (normal.lower, normal.upper) == (F(1784, 100), F(2316, 100))


def test_no_limit_of_a_share_lies_above_one() -> None:
    # Mean 5/6, moves 1/4 and 1/4: upper 5/6 + .665 would be 1.498.
    normal = range_of([F(1), F(3, 4), F(3, 4)], share=True)
    assert normal.upper == 1
    assert range_of([F(1), F(3, 4), F(3, 4)], share=False).upper > 1


def test_one_day_is_its_own_range() -> None:
    assert range_of([F(1, 3)], share=True) == Range(1, *[F(1, 3)] * 7)


def test_a_range_holds_what_was_seen_even_beyond_its_limits() -> None:
    normal = range_of([F(n) for n in (0, 0, 0, 0, 0, 0, 0, 0, 0, 9)], share=False)
    assert normal.upper < 9
    assert normal.holds(F(9))
    assert not normal.holds(F(10))
    assert not normal.holds(F(-1))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(values=st.lists(st.fractions(0, 1, max_denominator=997), min_size=1, max_size=20))
def test_a_range_read_again_holds_every_value_it_was_made_from(values: list[Fraction]) -> None:
    made = Baseline(WHOLE, len(values), {"success_rate": range_of(values, share=True)}, ())
    read = ranges_from(json.loads(json.dumps(made.to_json())))
    assert all(read["success_rate"].holds(value) for value in values)


# -- of a ledger ----------------------------------------------------------------------------------------------


def test_the_three_days_give_the_ranges_computed_by_hand() -> None:
    made = baseline_of(told(three_days()).happenings, WHOLE)
    assert made.days == 3
    # success_rate by day: 1, 1/2, 0. Moves 1/2 and 1/2; limits 1/2 -/+ 1.33, within 0 and 1.
    assert made.ranges["success_rate"] == Range(3, F(1, 2), F(0), F(1), F(0), F(1), F(0), F(1))
    # tool_mttr on the first and the last day: 30 s and 10.5 s. Mean 20.25, move 19.5: 20.25 -/+ 51.87.
    assert made.ranges["tool_mttr"] == Range(
        2, F(2025, 100), F(105, 10), F(30), F(105, 10), F(30), F(0), F(7212, 100)
    )
    # tool_calls_rejected by day: 2, 0, 2. Mean 4/3, moves 2 and 2: 4/3 -/+ 5.32.
    rejected = made.ranges["tool_calls_rejected"]
    assert (rejected.mean, rejected.lower, rejected.upper) == (F(4, 3), F(0), F(4, 3) + F(532, 100))
    # prompt_drift_rate only on the second day.
    assert made.ranges["prompt_drift_rate"].days == 1
    assert made.reasons == (
        "3 day(s) have data, and a stable baseline needs 7",
        "loop_rate is 0.2, and its target is <= 0.02",
        "prompt_drift_rate is 0.333333, and its target is <= 0.02",
    )


def test_a_later_window_is_compared_figure_by_figure() -> None:
    happenings = told(three_days()).happenings
    ranges = baseline_of(happenings, Window(DAYS[0].after_us, DAYS[1].until_us)).ranges
    verdicts = {item.name: str(item.verdict) for item in compared(ranges, happenings, DAYS[2])}
    assert verdicts == {
        "phase_skips_attempted": "out_of_range",  # 1, and 0 to 0 before
        "phase_validations_failed": "in_range",  # 1; before 1 and 3: 2 -/+ 5.32
        "phase_backtracks": "out_of_range",  # 1, and 0 to 0 before
        "prompt_drift_detected": "in_range",  # 0; before 0 and 1
        "evidence_gate_failed": "in_range",  # 1; before 2 and 3: 2.5 -/+ 2.66
        "tool_calls_rejected": "in_range",  # 2; before 2 and 0
        "lease_contention": "out_of_range",  # 1, and 0 to 0 before
        "tasks_rejected_for_process_violation": "in_range",  # T4, T5, T6; before 2 and 1: 1.5 -/+ 2.66
        "success_rate": "in_range",  # 0; before 1 and 1/2: .75 -/+ 1.33
        "loop_rate": "in_range",  # 0; before 1/2 and 0
        "tool_mttr": "out_of_range",  # 10.5 s; before 30 s alone
        "groundedness_score": "in_range",  # 0; before 1/2 and 1
        "spurious_block_rate": "in_range",  # 0; before 1/2 and 0
        "false_positive_gate_rate": "in_range",  # 0; before 0 and 2/3
        "prompt_drift_rate": "no_data",  # nothing was compared
    }


def test_counters_are_compared_per_day() -> None:
    happenings = daily(2, 2, 2, 2)
    ranges = baseline_of(happenings, Window(END - 2 * US_PER_DAY, END)).ranges
    week = {
        item.name: item.current for item in compared(ranges, happenings, Window(END - 4 * US_PER_DAY, END))
    }
    assert week["phase_skips_attempted"] == 2  # 8 in 4 days


def test_a_window_without_entries_has_no_data() -> None:
    ranges = made_of(1, 1, 1).ranges
    found = compared(ranges, daily(1, 1), Window(END, END + US_PER_DAY))
    assert {item.verdict for item in found} == {Verdict.NO_DATA}
    assert overall(found) is Verdict.NO_DATA


# -- stability ------------------------------------------------------------------------------------------------


def test_a_week_of_ordinary_days_is_stable() -> None:
    made = made_of(2, 3, 2, 3, 2, 3, 2)
    assert (made.days, made.stable, made.reasons) == (7, True, ())


def test_six_days_are_too_few_and_more_may_be_demanded() -> None:
    assert made_of(2, 3, 2, 3, 2, 3).reasons == ("6 day(s) have data, and a stable baseline needs 7",)
    assert made_of(2, 3, 2, 3, 2, 3, 2, days_min=8).reasons == (
        "7 day(s) have data, and a stable baseline needs 8",
    )


def test_days_before_the_window_are_not_taken() -> None:
    assert made_of(2, 3, 2, 3, 2, 3, 2, days=6).days == 6


def test_a_day_far_from_the_others_makes_a_baseline_unstable() -> None:
    # Mean 30/10 = 3, moves 8 of 0 and one of 30 in the last: 30/9; limits 3 -/+ 8.867, and 30 - 1 lies outside.
    made = made_of(0, 0, 0, 0, 0, 0, 0, 0, 0, 30)
    assert made.reasons == ("phase_skips_attempted: 1 day(s) lie outside its natural limits, 0 to 11.866667",)


def test_one_event_alone_puts_no_day_outside() -> None:
    # Mean 1/14, moves 2/13: the upper limit is .48, and 1 lies above it by one event.
    assert made_of(0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0).stable


def test_drift_beyond_its_target_makes_a_baseline_unstable() -> None:
    made = made_of(2, 3, 2, 3, 2, 3, 2, drifted=1)
    assert made.reasons == ("prompt_drift_rate is 0.1, and its target is <= 0.02",)


@pytest.mark.parametrize(
    "state",
    [{}, {"figures": {"x": {}}}, {"figures": {"x": {"days": 1, "mean": 0.5}}}, {"figures": 3}, {"figures": {"x": None}},
     {"figures": {"x": {"days": 1, **dict.fromkeys(["mean", "least", "greatest", "p5", "p95", "lower", "upper"], "NaN")}}}],
)  # fmt: skip
def test_figures_of_another_shape_are_refused(state: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        ranges_from(state)


# -- recorded ---------------------------------------------------------------------------------------------------


class Days:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> str:
        return self.moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def pass_(self, **time: int) -> None:
        self.moment += timedelta(**time)


@pytest.fixture
def clock() -> Days:
    return Days()


@pytest.fixture
def engine(tmp_path: Path, clock: Days) -> Iterator[Engine]:
    with Engine.init(tmp_path / "state", clock=clock) as engine:
        yield engine


def busy_days(engine: Engine, clock: Days, days: int) -> None:
    """One task opened and one skip refused on each day."""
    for day in range(days):
        engine.open_task(f"D-{day}", NINE_PHASES)
        engine.advance(f"D-{day}", "PR")
        clock.pass_(days=1)


def test_a_week_of_work_is_recorded_as_a_stable_baseline_that_opens_its_milestone(
    engine: Engine, clock: Days
) -> None:
    busy_days(engine, clock, 7)
    clock.pass_(hours=-1)
    done = engine.baselines.record("M1")
    assert done.baseline.days == 7
    payload = done.entry.payload
    assert (done.entry.task, payload["name"], payload["stable"], payload["reasons"]) == ("-", "M1", True, [])
    assert (payload["window_from"], payload["window_to"]) == ("2026-02-22T11:00:00.000000Z", clock.now())
    kept = json.loads(
        (engine.home.objects / "sha256" / payload["figures"][:2] / payload["figures"]).read_bytes()
    )
    assert kept["figures"]["phase_skips_attempted"]["mean"] == "1"
    assert engine.baselines.compare("M1").verdict is Verdict.IN_RANGE


def test_too_short_a_time_is_recorded_as_unstable_with_its_reason(engine: Engine, clock: Days) -> None:
    busy_days(engine, clock, 2)
    done = engine.baselines.record("M1")
    assert done.entry.payload["stable"] is False
    assert list(done.entry.payload["reasons"]) == ["2 day(s) have data, and a stable baseline needs 7"]


def test_a_burst_after_a_calm_week_is_out_of_range_and_a_quiet_day_has_no_data(
    engine: Engine, clock: Days
) -> None:
    busy_days(engine, clock, 7)
    engine.baselines.record("M1")
    for _ in range(3):
        engine.advance("D-0", "PR")
    seen = engine.baselines.compare("M1")
    assert seen.verdict is Verdict.OUT_OF_RANGE
    assert {item.name for item in seen.comparisons if item.verdict is Verdict.OUT_OF_RANGE} >= {
        "phase_skips_attempted"
    }
    clock.pass_(days=3)
    assert engine.baselines.compare("M1").verdict is Verdict.NO_DATA


def test_the_latest_baseline_of_a_name_counts(engine: Engine, clock: Days) -> None:
    first = engine.baselines.record("M1")
    busy_days(engine, clock, 1)
    second = engine.baselines.record("M1")
    assert [entry.seq for entry, _ in engine.baselines.all()] == [first.entry.seq, second.entry.seq]
    assert engine.baselines.compare("M1").entry.seq == second.entry.seq


@pytest.mark.parametrize(
    ("name", "window", "days_min"),
    [("", "14d", 7), ("a/b", "14d", 7), ("m", "2w", 7), ("m", "14d", 6), ("é", "14d", 7)],
)
def test_what_cannot_be_recorded_is_refused_and_nothing_is_written(
    engine: Engine, name: str, window: str, days_min: int
) -> None:
    with pytest.raises(BadInput) as refused:
        engine.baselines.record(name, window, days_min)
    assert refused.value.remedy
    assert list(engine.baselines.all()) == []


def test_an_unknown_baseline_is_bad_input(engine: Engine) -> None:
    engine.baselines.record("known")
    with pytest.raises(BadInput, match="no baseline `other`") as refused:
        engine.baselines.compare("other")
    assert "known" in refused.value.remedy


def test_damaged_figures_are_an_integrity_error(engine: Engine) -> None:
    figures = engine.baselines.record("M1").entry.payload["figures"]
    (stored,) = (path for path in engine.home.objects.rglob("*") if path.name == figures)
    stored.chmod(0o600)
    stored.write_bytes(b"{}")
    with pytest.raises(IntegrityError):
        engine.baselines.compare("M1")

    (fault,) = engine.baselines.faults()
    assert "baseline `M1`" in fault
    assert "missing or damaged" in fault


def test_a_baseline_that_was_recorded_can_be_counted_anew_whatever_came_after(
    engine: Engine, clock: Days
) -> None:
    busy_days(engine, clock, 7)
    engine.baselines.record("M1")
    engine.advance("D-0", "PR")
    clock.pass_(days=2)
    engine.baselines.record("M2", "2d", 9)
    engine.advance("D-1", "PR")
    assert list(engine.baselines.faults()) == []


def say_again(engine: Engine, entry: Entry, **lies: object) -> Entry:
    """Record what an entry says once more, but for the lies."""
    honest = recorded(entry).event
    assert isinstance(honest, BaselineRecorded)
    return engine._path.record_for_ledger(honest.model_copy(update=lies))


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ({"stable": True, "reasons": ()}, "is not as stable as it says"),
        ({"reasons": ("no reason",)}, "is not as stable as it says"),
        ({"window_from": "2026-02-27T12:00:00.000000Z"}, "figures that are not those of the ledger"),
    ],
)
def test_a_baseline_that_says_more_than_the_ledger_is_named(
    engine: Engine, clock: Days, lie: dict[str, object], told: str
) -> None:
    busy_days(engine, clock, 3)
    forged = say_again(engine, engine.baselines.record("M1").entry, **lie)
    (fault,) = engine.baselines.faults()
    assert f"entry {forged.seq}: " in fault
    assert told in fault
    found = audit(engine)
    assert (found.exit_code, found.faults) == (4, (fault,))


@pytest.mark.parametrize("figures", [{}, {"entries": 99, "days_min": 7}, {"entries": 1, "days_min": "7"}])
def test_a_baseline_that_does_not_say_what_it_was_made_from_is_named(
    engine: Engine, figures: dict[str, object]
) -> None:
    engine.open_task("T-1", NINE_PHASES)
    digest = engine._shelf.keep(json.dumps(figures).encode())
    say_again(engine, engine.baselines.record("M1").entry, figures=digest)
    (fault,) = engine.baselines.faults()
    assert "does not say what it was made from" in fault


# -- on the command line -----------------------------------------------------------------------------------------


def at(home: Path, *args: str) -> Ran:
    """Run `engine` on a home."""
    return cli(*args, "--home", str(home))


def test_metrics_and_baselines_on_the_command_line(tmp_path: Path) -> None:
    clock = Days()
    clock.moment = datetime.now(UTC) - timedelta(days=7, minutes=-5)
    with Engine.init(tmp_path / "state", clock=clock) as engine:
        home = engine.home.root
        busy_days(engine, clock, 7)

    shown = at(home, "metrics", "--window", "7d", "--json")
    assert shown.code == 0
    document = shown.json
    assert document["counters"]["phase_skips_attempted"] == 7
    assert {slo["name"] for slo in document["slos"]} >= {"success_rate", "groundedness_score"}
    assert next(slo for slo in document["slos"] if slo["name"] == "success_rate")["value"] is None
    table = at(home, "metrics")
    assert "no data" in table.out
    assert "phase_skips_attempted" in table.out

    made = at(home, "baseline", "record", "M1", "--json")
    assert made.code == 0
    assert made.json["figures"]["phase_skips_attempted"]["greatest"] == "1"
    assert at(home, "baseline", "compare", "M1", "--window", "1h").code == 3
    day = at(home, "baseline", "compare", "M1", "--json")
    assert day.code == 0
    assert {row["verdict"] for row in day.json} == {"in_range", "no_data"}
    for _ in range(4):
        at(home, "advance", "D-1", "--to", "PR")
    assert at(home, "baseline", "compare", "M1").code == 1
    assert at(home, "baseline", "list", "--json").json[0]["name"] == "M1"
    verified = at(home, "baseline", "verify", "--json")
    assert (verified.code, verified.json) == (0, {"baselines": 1, "faults": []})
    with Engine.open(home) as engine:
        say_again(engine, next(engine.baselines.all())[0], reasons=("no reason",), stable=False)
    assert at(home, "baseline", "verify").code == 4

    for wrong in (
        ["metrics", "--window", "1y"],
        ["baseline", "compare", "none"],
        ["baseline", "record", "a b"],
    ):
        refused = at(home, *wrong)
        assert refused.code == 2
        assert "remedy" in refused.err


def test_objectives_are_sent_only_to_a_collector_that_is_configured_and_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine.init(tmp_path / "state") as engine:
        home = engine.home.root
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    unset = at(home, "metrics", "--export")
    assert unset.code == 2
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in unset.err
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://nowhere")
    dead = at(home, "metrics", "--export")
    assert dead.code == 1
    assert "remedy" in dead.err
    assert "objectives" in dead.out
