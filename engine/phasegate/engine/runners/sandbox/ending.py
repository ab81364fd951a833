"""Turns the checker's word and the way both halves ended into one outcome. Pure."""

from __future__ import annotations

import signal
from typing import NamedTuple

from .link import LOST
from .model import Limits, Outcome, Verdict

_STOPPED = {
    "wall": (Verdict.TIMEOUT, "passed the wall limit of {0.wall_ms} ms"),
    "scratch": (Verdict.OUTPUT, "passed the scratch limit of {0.scratch_bytes} bytes"),
}
_SIGNALLED = {
    signal.SIGSYS: (Verdict.FORBIDDEN, "made a forbidden system call"),
    signal.SIGXFSZ: (Verdict.OUTPUT, "passed the limit on output or file size"),
    signal.SIGXCPU: (Verdict.TIMEOUT, "passed the limit on processor time"),
}


class Said(NamedTuple):
    """What the checker reported: a verdict's name, or `lost`."""

    verdict: str
    detail: str


class Done(NamedTuple):
    """What the worker reported once both halves had ended; statuses are negative for signals."""

    sequence: int
    stopped_for: str
    checker_status: int
    solution_status: int
    wall_ms: int
    cpu_ms: int
    max_rss_kib: int
    clean: bool


def is_worker_fault(said: Said | None, done: Done) -> bool:
    """Whether the machinery failed rather than the program: no verdict, though nothing was stopped."""
    if said is None:
        return not done.stopped_for
    return said.verdict == Verdict.CHECKER_ERROR and said.detail == "the solution half did not start"


def outcome_of(key: str, said: Said | None, done: Done, limits: Limits) -> Outcome:
    """Return the outcome of a program from both reports.

    `passed` comes from the checker's own word alone; how a process ended can only ever be the cause
    of another verdict.
    """
    verdict, detail = _decide(said, done, limits)
    return Outcome(key, verdict, detail[: limits.detail_chars], done.wall_ms, done.cpu_ms, done.max_rss_kib)


def _decide(said: Said | None, done: Done, limits: Limits) -> tuple[Verdict, str]:
    if said is not None and said.verdict != LOST:
        return Verdict(said.verdict), said.detail
    if done.stopped_for:
        verdict, detail = _STOPPED[done.stopped_for]
        return verdict, detail.format(limits)
    if said is None:
        return Verdict.CHECKER_ERROR, f"the checker ended with status {done.checker_status} and no verdict"
    return _how_it_ended(done.solution_status, said.detail)


def _how_it_ended(status: int, detail: str) -> tuple[Verdict, str]:
    if status >= 0:
        return Verdict.ERROR, f"{detail}: it exited with status {status}"
    number = -status
    known = _SIGNALLED.get(signal.Signals(number)) if number in {s.value for s in signal.Signals} else None
    if known is not None:
        return known[0], f"{detail}: it {known[1]}"
    if number == signal.SIGKILL:
        return Verdict.ERROR, f"{detail}: it left the conversation"
    return Verdict.ERROR, f"{detail}: it was ended by signal {number}"
