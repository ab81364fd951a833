"""How a program's end becomes a verdict: only the checker's own word can say that it passed."""

from __future__ import annotations

import itertools
import signal

import pytest

from phasegate.engine.runners.sandbox import Limits, Verdict
from phasegate.engine.runners.sandbox.ending import Done, Said, is_worker_fault, outcome_of
from phasegate.engine.runners.sandbox.link import LOST

LIMITS = Limits()


def done(stopped_for: str = "", checker: int = 0, solution: int = -9) -> Done:
    return Done(1, stopped_for, checker, solution, 5, 2, 1000, clean=True)


@pytest.mark.parametrize("stopped_for", ["", "wall", "scratch"])
def test_given_no_pass_from_the_checker_when_the_halves_end_in_any_way_then_it_is_not_a_pass(
    stopped_for: str,
) -> None:
    statuses = [*range(256), *(-int(s) for s in signal.Signals), -34]
    for said, checker, status in itertools.product((None, Said(LOST, "ended")), (0, 1, -9), statuses):
        outcome = outcome_of("k", said, done(stopped_for, checker, status), LIMITS)
        assert outcome.verdict != Verdict.PASSED


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (-signal.SIGSYS, Verdict.FORBIDDEN),
        (-signal.SIGXFSZ, Verdict.OUTPUT),
        (-signal.SIGXCPU, Verdict.TIMEOUT),
        (-signal.SIGSEGV, Verdict.ERROR),
        (-signal.SIGKILL, Verdict.ERROR),
        (0, Verdict.ERROR),
        (1, Verdict.ERROR),
    ],
)
def test_given_a_lost_solution_when_its_end_tells_the_cause_then_that_is_the_verdict(
    status: int, verdict: Verdict
) -> None:
    assert outcome_of("k", Said(LOST, "ended"), done(solution=status), LIMITS).verdict == verdict


def test_given_a_program_stopped_at_its_deadline_when_nothing_was_said_then_it_timed_out() -> None:
    outcome = outcome_of("k", None, done("wall", -9, -9), LIMITS)
    assert (outcome.verdict, outcome.detail) == (Verdict.TIMEOUT, "passed the wall limit of 3000 ms")


def test_given_a_verdict_when_the_deadline_came_at_the_same_time_then_the_verdict_stands() -> None:
    assert outcome_of("k", Said("passed", ""), done("wall"), LIMITS).verdict == Verdict.PASSED


def test_given_a_silent_checker_when_nothing_stopped_it_then_the_worker_is_at_fault() -> None:
    assert is_worker_fault(None, done(checker=1))
    assert outcome_of("k", None, done(checker=1), LIMITS).verdict == Verdict.CHECKER_ERROR
    assert not is_worker_fault(None, done("wall"))
    assert not is_worker_fault(Said(LOST, "ended"), done())


def test_given_a_long_detail_when_the_outcome_is_made_then_it_is_cut() -> None:
    assert len(outcome_of("k", Said("failed", "x" * 5000), done(), LIMITS).detail) == LIMITS.detail_chars
