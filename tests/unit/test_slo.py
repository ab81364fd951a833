"""Objectives on a ledger whose every figure is computed by hand, and what must not change them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_ledger import DAYS, WHOLE, Book, DatedEntry, three_days

from phasegate.engine.core.events import EVENT_TYPES
from phasegate.telemetry.errors import BadWindow
from phasegate.telemetry.happenings import DISTINCT, Counts, Figure, counted, told
from phasegate.telemetry.names import Counter, EntryType
from phasegate.telemetry.slo import SLOS, TARGETS, SloName, decimal_text, slos_of
from phasegate.telemetry.window import US_PER_DAY, US_PER_HOUR, Window, at_text, at_us, length_us


def slos(entries: list[DatedEntry], window: Window = WHOLE) -> dict[str, tuple[int, int, bool | None]]:
    """Numerator, denominator and whether the target is met, by name."""
    found = slos_of(counted(told(entries).happenings, window))
    return {str(slo.name): (slo.numerator, slo.denominator, slo.met) for slo in found}


def test_the_three_days_give_the_figures_computed_by_hand() -> None:
    assert slos(three_days()) == {
        "success_rate": (2, 4, False),  # T1 and T3 of T1, T2, T3, T4; T5 has not ended: 0.5 < 0.95
        "loop_rate": (1, 5, False),  # T2 of T1 to T5: 0.2 > 0.02
        "tool_mttr": (40_500_000, 2, True),  # 30 s and 10.5 s: mean 20.25 s <= 30 s
        "groundedness_score": (4, 7, None),  # (0 + 2 + 1 + 0 + 1 + 0) of (1 + 3 + 1 + 0 + 1 + 1)
        "spurious_block_rate": (1, 6, False),  # block 1 of 6: 0.1667 > 0.05
        "false_positive_gate_rate": (2, 6, False),  # blocks 3 and 5 of 6
        "prompt_drift_rate": (1, 3, False),  # 1 of 3 compared; baseline and no_baseline compare nothing
    }


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # success, loop, mttr, grounded, spurious, overridden, drift; (0, 0) is no data
        (0, [(1, 1), (1, 2), (30_000_000, 1), (2, 4), (1, 2), (0, 2), (0, 0)]),  # T2's pause was taken back
        (1, [(1, 2), (0, 2), (0, 0), (2, 2), (0, 3), (2, 3), (1, 3)]),
        (2, [(0, 1), (0, 2), (10_500_000, 1), (0, 1), (0, 1), (0, 1), (0, 0)]),
    ],
)
def test_each_day_has_the_figures_computed_by_hand(day: int, expected: list[tuple[int, int]]) -> None:
    assert [figure[:2] for figure in slos(three_days(), DAYS[day]).values()] == expected


def test_the_counters_of_the_three_days() -> None:
    counts = counted(told(three_days()).happenings, WHOLE)
    assert {str(counter): counts.of(counter) for counter in Counter} == {
        "phase_skips_attempted": 1,  # T5
        "phase_validations_failed": 3,  # not the blocks for missing evidence, for an approval, and of git
        "phase_backtracks": 1,  # T5
        "prompt_drift_detected": 1,  # T3
        "evidence_gate_failed": 6,
        "tool_calls_rejected": 4,  # T2 twice, T4 twice
        "lease_contention": 1,  # T5's stale lease
        "tasks_rejected_for_process_violation": 6,  # T1 to T5, and T6, which was not opened
    }


def test_values_are_exact_decimal_strings_and_reasons_say_what_is_left_out() -> None:
    found = {slo.name: slo.to_json() for slo in slos_of(counted(told(three_days()).happenings, WHOLE))}
    assert found[SloName.TOOL_MTTR] == {
        "name": "tool_mttr", "value": "20.25", "numerator": 40_500_000, "denominator": 2, "target": "<= 30 s",
        "met": True, "reason": "1 not repaired yet",
    }  # fmt: skip
    assert found[SloName.GROUNDEDNESS]["value"] == "0.571429"
    assert (found[SloName.GROUNDEDNESS]["target"], found[SloName.GROUNDEDNESS]["met"]) == (None, None)


def test_without_entries_there_is_no_data_and_no_target_is_met() -> None:
    for slo in slos_of(counted(told([]).happenings, WHOLE)):
        assert (slo.value, slo.met, slo.reason) == (None, None, "no data")


def test_an_outage_without_end_is_no_repair() -> None:
    book = Book()
    book.refused("02 08:00:00", "T1", "tool_rejected")
    (slo,) = (
        slo for slo in slos_of(counted(told(book.entries).happenings, WHOLE)) if slo.name == "tool_mttr"
    )
    assert (slo.value, slo.met, slo.reason) == (None, None, "no data; 1 not repaired yet")


@pytest.mark.parametrize(
    ("name", "at_target", "beyond"),
    [
        ("success_rate", {Figure.TASKS_COMPLETED: 19, Figure.TASKS_ENDED: 20}, {Figure.TASKS_COMPLETED: 18}),
        ("loop_rate", {Figure.TASKS_LOOPED: 1, Figure.TASKS_ACTIVE: 50}, {Figure.TASKS_LOOPED: 2}),
        ("tool_mttr", {Figure.OUTAGE_US: 60_000_000, Figure.OUTAGES: 2}, {Figure.OUTAGE_US: 60_000_001}),
        ("spurious_block_rate", {Figure.BLOCKS_SPURIOUS: 1, Figure.BLOCKS: 20}, {Figure.BLOCKS_SPURIOUS: 2}),
        (
            "false_positive_gate_rate",
            {Figure.BLOCKS_OVERRIDDEN: 1, Figure.BLOCKS: 20},
            {Figure.BLOCKS_OVERRIDDEN: 2},
        ),
        (
            "prompt_drift_rate",
            {Figure.PROMPTS_DRIFTED: 1, Figure.PROMPTS_COMPARED: 50},
            {Figure.PROMPTS_DRIFTED: 2},
        ),
    ],
)
def test_a_target_is_met_exactly_at_its_bound(
    name: str, at_target: dict[Figure, int], beyond: dict[Figure, int]
) -> None:
    formula = SLOS[SloName(name)]
    assert formula(Counts(at_target)).met is True
    assert formula(Counts(at_target | beyond)).met is False


# -- what becomes of blocks ---------------------------------------------------------------------------------


def blocked_then(
    *between: str, codes: tuple[str, ...] = ("sections.empty",), **passed: object
) -> tuple[int, int]:
    """Spurious and overridden blocks, after one block, what happened between, and the gate's passing."""
    book = Book()
    book.bound("02 08:00:00", "T1", "a.md")
    book.judged("02 08:00:01", "T1", "approve", "reviewer")
    book.refused("02 08:10:00", "T1", "gate_failed", *codes)
    for what in between:
        _BETWEEN[what](book)
    book.passed("02 09:00:00", "T1", ("a.md", "claimed"), **passed)
    counts = counted(told(book.entries).happenings, WHOLE)
    return counts.of(Figure.BLOCKS_SPURIOUS), counts.of(Figure.BLOCKS_OVERRIDDEN)


_BETWEEN = {
    "same bytes again": lambda book: book.bound("02 08:20:00", "T1", "a.md"),
    "other bytes": lambda book: book.bound("02 08:20:00", "T1", "a.md", digest="b"),
    "another file": lambda book: book.bound("02 08:20:00", "T1", "b.md"),
    "witnessed now": lambda book: book.bound("02 08:20:00", "T1", "a.md", "witnessed"),
    "evidence of another task": lambda book: book.bound("02 08:20:00", "T2", "a.md", digest="b"),
    "a prompt": lambda book: book.attested("02 08:20:00", "T1", "match"),
    "a baseline is replaced": lambda book: book.write("02 08:20:00", "T1", "prompt.baselined", version=2),
    "an operator approves": lambda book: book.judged("02 08:20:00", "T1", "approve", "operator"),
    "a supervisor approves": lambda book: book.judged("02 08:20:00", "T1", "approve", "supervisor"),
    "a reviewer approves again": lambda book: book.judged("02 08:20:00", "T1", "approve", "reviewer"),
    "a reviewer rejects": lambda book: book.judged("02 08:20:00", "T1", "reject", "reviewer"),
    "a flag is set": lambda book: book.write(
        "02 08:20:00", "-", "flag.set", "-", 0, flag="f", mode="observe"
    ),
    "a note": lambda book: book.write("02 08:20:00", "T1", "journal.noted"),
    "backtrack": lambda book: book.write(
        "02 08:20:00", "T1", "phase.backtracked", source="PLAN", target="SPEC"
    ),
}


@pytest.mark.parametrize(
    ("between", "more", "expected"),
    [
        ([], {}, (1, 0)),
        (["same bytes again"], {}, (1, 0)),
        (["evidence of another task"], {}, (1, 0)),
        (["a note"], {}, (1, 0)),
        (["a reviewer approves again"], {}, (1, 0)),
        (["other bytes"], {}, (0, 0)),
        (["another file"], {}, (0, 0)),
        (["witnessed now"], {}, (0, 0)),
        (["a prompt"], {}, (0, 0)),
        (["a baseline is replaced"], {}, (0, 0)),
        (["a reviewer rejects"], {}, (0, 0)),
        (["backtrack"], {}, (0, 0)),
        ([], {"codes": ("git.link",)}, (0, 0)),
        ([], {"codes": ("ci.other_commit",)}, (0, 0)),
        ([], {"codes": ("protected.tree_changed",)}, (0, 0)),
        ([], {"codes": ("evidence.deleted",)}, (0, 0)),
        (["an operator approves"], {}, (0, 1)),
        (["a supervisor approves"], {}, (0, 1)),
        (["an operator approves"], {"codes": ("approval.missing",)}, (0, 0)),
        (["an operator approves"], {"codes": ("approval.missing", "rubric.below")}, (0, 1)),
        (["an operator approves", "other bytes"], {}, (0, 0)),
        (["a flag is set"], {"flags": {"SPEC/sections": "observe"}}, (0, 1)),
        (["a flag is set"], {}, (1, 0)),  # a flag of another gate
        ([], {"flags": {"SPEC/sections": "observe"}}, (1, 0)),  # it was set before the block
        ([], {"broken_glass": "c" * 64}, (0, 1)),
        ([], {"broken_glass": "c" * 64, "codes": ("git.link",)}, (0, 1)),
        (["other bytes"], {"broken_glass": "c" * 64}, (0, 0)),
        ([], {"attempt": 2}, (0, 0)),  # the block was of another attempt
    ],
)
def test_a_block_is_spurious_overridden_or_right(
    between: list[str], more: dict[str, object], expected: tuple[int, int]
) -> None:
    assert blocked_then(*between, **more) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "grounded"),
    [
        ({"checks": ["a.md:citations"]}, 1),
        ({"checks": ["b.md:citations"]}, 0),
        ({"checks": ["a.md:sections"]}, 0),
        ({"checks": ["a.md:citations"], "flags": {"SPEC/citations": "observe"}}, 0),
        ({"checks": ["a.md:citations"], "flags": {"SPEC/sections": "observe"}}, 1),
        ({"checks": ["a.md:citations"], "broken_glass": "c" * 64}, 0),
    ],
)
def test_citations_ground_a_claim_only_where_they_were_enforced(
    more: dict[str, object], grounded: int
) -> None:
    book = Book()
    book.passed("02 09:00:00", "T1", ("a.md", "claimed"), **more)
    counts = counted(told(book.entries).happenings, WHOLE)
    assert (counts.of(Figure.EVIDENCE_GROUNDED), counts.of(Figure.EVIDENCE)) == (grounded, 1)


def test_a_run_that_is_held_ends_its_task_and_an_accepted_one_is_not_yet_complete() -> None:
    book = Book()
    book.write("02 08:00:00", "T1", "run.ended", outcome="held")
    book.write("02 08:00:00", "T2", "run.ended", outcome="accepted")
    assert slos(book.entries)["success_rate"] == (0, 1, False)
    book.write("02 09:00:00", "T2", "task.completed", phases=9)
    book.write("02 09:00:00", "T2", "run.ended", outcome="held")  # what completed stays so
    assert slos(book.entries)["success_rate"] == (1, 2, False)


# -- what must hold of any ledger ------------------------------------------------------------------------------

_STEPS = st.sampled_from(
    [
        "task.opened", "evidence.added", "gate.passed", "phase.backtracked", "task.completed", "task.aborted",
        "paused", "escalated", "task.resumed", "loop.detected", "drift", "match", "approve", "break_glass",
        "flag.set", "held", "tool_rejected", "gate_failed", "git", "out_of_sequence", "journal.noted",
    ]
)  # fmt: skip
_LEDGERS = st.lists(
    st.tuples(st.integers(0, 3 * 24 - 1), st.sampled_from(["T1", "T2", "T3"]), _STEPS, st.integers(0, 2)),
    max_size=40,
).map(sorted)


def ledger(steps: list[tuple[int, str, str, int]]) -> list[DatedEntry]:
    """Entries of three days from hours, tasks, what happens, and a variation of it."""
    book = Book()
    for hour, task, what, variation in steps:
        at = f"{2 + hour // 24:02d} {hour % 24:02d}:30:00"
        _write(book, at, task, what, variation)
    return book.entries


def _write(book: Book, at: str, task: str, what: str, variation: int) -> None:
    digest, origin = "abc"[variation], ["claimed", "witnessed", "approved"][variation]
    role = ["operator", "reviewer", "supervisor"][variation]
    known = {
        "evidence.added": lambda: book.bound(at, task, "a.md", digest=digest),
        "gate.passed": lambda: book.passed(at, task, ("a.md", origin)),
        "paused": lambda: book.write(at, task, "task.paused", escalated=False),
        "escalated": lambda: book.write(at, task, "task.paused", escalated=True),
        "drift": lambda: book.attested(at, task, "drift", digest),
        "match": lambda: book.attested(at, task, "match", digest),
        "approve": lambda: book.judged(at, task, "approve", role),
        "break_glass": lambda: book.judged(at, task, "break_glass", role),
        "flag.set": lambda: book.write(at, "-", "flag.set", "-", 0),
        "held": lambda: book.write(at, task, "run.ended", outcome="held"),
        "gate_failed": lambda: book.refused(at, task, "gate_failed", "sections.empty"),
        "git": lambda: book.refused(at, task, "gate_failed", "git.link"),
        "tool_rejected": lambda: book.refused(at, task, "tool_rejected"),
        "out_of_sequence": lambda: book.refused(at, task, "out_of_sequence"),
    }
    known.get(what, lambda: book.write(at, task, what))()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=_LEDGERS)
def test_windows_that_share_nothing_add_up_to_the_whole(steps: list[tuple[int, str, str, int]]) -> None:
    happenings = told(ledger(steps)).happenings
    whole, parts = counted(happenings, WHOLE), [counted(happenings, day) for day in DAYS]
    for what in [*Figure, *Counter]:
        amounts = [part.of(what) for part in parts]
        if what in DISTINCT:
            assert max(amounts) <= whole.of(what) <= sum(amounts)
        else:
            assert sum(amounts) == whole.of(what)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=_LEDGERS)
def test_shares_lie_between_nothing_and_all(steps: list[tuple[int, str, str, int]]) -> None:
    happenings = told(ledger(steps)).happenings
    for window in [WHOLE, *DAYS]:
        for slo in slos_of(counted(happenings, window)):
            assert slo.numerator >= 0
            assert slo.denominator >= 0
            assert slo.name == SloName.TOOL_MTTR or slo.numerator <= slo.denominator


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    steps=_LEDGERS,
    where=st.integers(0, 40),
    what=st.sampled_from(["key.registered", "baseline.recorded", "milestone.approved"]),
)
def test_entries_of_the_ledger_itself_change_no_figure(
    steps: list[tuple[int, str, str, int]], where: int, what: str
) -> None:
    entries = ledger(steps)
    where = min(where, len(entries))
    at = entries[where].at if where < len(entries) else "2026-03-04T23:59:59Z"
    more = [*entries[:where], DatedEntry(0, at, "-", "-", what, {}, 0), *entries[where:]]
    renumbered = [replace(entry, seq=seq) for seq, entry in enumerate(more, start=1)]
    for window in [WHOLE, *DAYS]:
        assert counted(told(renumbered).happenings, window) == counted(told(entries).happenings, window)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(steps=_LEDGERS)
def test_what_lies_outside_a_window_does_not_count_in_it(steps: list[tuple[int, str, str, int]]) -> None:
    happenings = told(ledger(steps)).happenings
    inside = [item for item in happenings if DAYS[1].holds(item.at_us)]
    assert counted(inside, WHOLE) == counted(happenings, DAYS[1])


# -- windows and numbers -----------------------------------------------------------------------------------------


def test_neighbouring_windows_share_no_moment() -> None:
    first, second = Window(0, 10), Window(10, 20)
    assert [window.holds(10) for window in (first, second)] == [True, False]
    assert not first.holds(0)


def test_days_are_counted_back_from_the_end() -> None:
    window = Window(0, 2 * US_PER_DAY + US_PER_HOUR)
    assert window.days() == (
        Window(US_PER_HOUR, US_PER_DAY + US_PER_HOUR),
        Window(US_PER_DAY + US_PER_HOUR, 2 * US_PER_DAY + US_PER_HOUR),
    )


@pytest.mark.parametrize(("text", "length"), [("24h", US_PER_DAY), ("7d", 7 * US_PER_DAY), ("all", None)])
def test_windows_are_read(text: str, length: int | None) -> None:
    assert length_us(text) == length


@pytest.mark.parametrize(
    "text", ["", "0h", "24", "1w", "-1d", "1.5h", "07d", "９d", "9999999d", "3661d", "ALL", "1d\n"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(BadWindow):
        length_us(text)


def test_times_are_written_as_they_were_read() -> None:
    assert at_text(at_us("2026-03-04T09:01:10.500000Z")) == "2026-03-04T09:01:10.500000Z"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 3), "0.333333"), (Fraction(2, 3), "0.666667"), (Fraction(0), "0"), (Fraction(1), "1"),
        (Fraction(100), "100"), (Fraction(1, 2_000_000), "0"), (Fraction(3, 2_000_000), "0.000002"),
        (Fraction(81, 4), "20.25"), (Fraction(-1, 4), "-0.25"), (Fraction(10**30, 1), "1" + "0" * 30),
    ],
)  # fmt: skip
def test_fractions_are_written_as_decimals(value: Fraction, text: str) -> None:
    assert decimal_text(value) == text


def test_telemetry_knows_every_type_of_entry() -> None:
    assert {str(kind) for kind in EntryType} == set(EVENT_TYPES)


def test_every_objective_but_groundedness_has_a_target() -> None:
    assert set(SLOS) == set(SloName)
    assert set(SloName) - set(TARGETS) == {SloName.GROUNDEDNESS}


def test_the_page_gives_each_objective_with_its_target() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    rows = {
        line.split("`")[1]: line.rpartition("| ")[2].rstrip(" |")
        for line in page.splitlines()
        if line.startswith("| `")
    }
    for name in SLOS:
        assert rows[name] == (str(TARGETS[name]) if name in TARGETS else "none")
    for counter in Counter:
        assert counter in rows
