"""Runs every named attack against a pool and says which, if any, got through."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .attacks import SELF_CHECKS
from .bait import Bait
from .model import Limits, Outcome, Program, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .attacks.attack import Attack
    from .pool import Pool

LIMITS = Limits(wall_ms=1_000, memory_bytes=256 << 20)
_HONEST_TEST = "def check(candidate):\n    assert candidate(20) == 21\n"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What became of one attack.

    Attributes:
        name: the attack.
        held: whether the sandbox held.
        verdict: the program's verdict.
        detail: the outcome's detail, or what the attack achieved.
    """

    name: str
    held: bool
    verdict: Verdict
    detail: str


def self_check(
    open_pool: Callable[[Limits], Pool], attacks: Iterable[Attack] = SELF_CHECKS
) -> list[CheckResult]:
    """Run the attacks one after the other, in one worker, each followed by a look at the bait.

    An honest program is run after each attack: a sandbox that an attack leaves unusable has not held.

    Args:
        open_pool: makes the pool to check; called with the limits to use.
        attacks: what to run; all of them if not given.
    """
    with Bait() as bait, open_pool(LIMITS) as pool:
        results = [_attack(pool, bait, attack) for attack in attacks]
        marker = pool.marker
    left = processes(marker)
    closing = CheckResult(
        "nothing_left_behind", not left, Verdict.FAILED, f"processes left: {sorted(left)}" if left else ""
    )
    return [*results, closing]


def processes(marker: str) -> set[int]:
    """Return the processes whose command line names `marker`; empty where there is no /proc."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in file.read_bytes():
                found.add(int(file.parent.name))
        except OSError:
            continue  # ended meanwhile
    return found


def _attack(pool: Pool, bait: Bait, attack: Attack) -> CheckResult:
    before = processes(pool.marker)
    outcome = list(pool.run(_programs(bait, attack)))[-1]
    complaint = bait.complaint() or _complaint(pool, attack, outcome, before)
    return CheckResult(attack.name, not complaint, outcome.verdict, complaint or outcome.detail)


def _programs(bait: Bait, attack: Attack) -> Iterator[Program]:
    test = attack.test.replace("@answer@", repr(bait.answer))
    for source in filter(None, (attack.after, attack.source)):
        yield Program(attack.name, "", bait.prepare(source), test, "f")


def _complaint(pool: Pool, attack: Attack, outcome: Outcome, before: set[int]) -> str:
    if outcome.verdict not in attack.allowed:
        return f"ended as `{outcome.verdict}`, which is not allowed: {outcome.detail}"
    honest = next(iter(pool.run([Program("honest", "", "def f(x): return x + 1", _HONEST_TEST, "f")])))
    if honest.verdict != Verdict.PASSED:
        return f"an honest program afterwards ended as `{honest.verdict}`: {honest.detail}"
    after = processes(pool.marker)
    return f"processes were left: {sorted(after - before)}" if len(after) > len(before) else ""
