"""Work for processes that race one another; importable, so that a spawned process finds it."""

from __future__ import annotations

from multiprocessing.synchronize import Barrier
from pathlib import Path

from engine_drivers import ApiDriver, CliDriver

DRIVERS = {"api": ApiDriver, "cli": CliDriver}
BARRIER_WAIT_S = 60


def race(driver: str, home: Path, tasks: list[str], command: str, barrier: Barrier) -> list[tuple[int, str]]:
    """Ask one command of each task in turn, each at the same moment as the other process.

    Returns:
        Exit code and violation for each task.
    """
    engine = DRIVERS[driver](home)
    answers = []
    for task in tasks:
        barrier.wait(BARRIER_WAIT_S)
        outcome = engine.advance(task, "C") if command == "advance" else engine.backtrack(task, "A")
        answers.append((outcome.code, outcome.violation))
    return answers
