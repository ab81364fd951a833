"""What an attack is: a hostile candidate, the test it must not pass, and the verdicts it may end with."""

from __future__ import annotations

from dataclasses import dataclass

from phasegate.engine.runners.sandbox.model import Verdict

# Nobody outside the checker can know the answer, so whoever returns it has broken in.
TEST = """
def check(candidate):
    assert candidate("first") == @answer@
    assert candidate("second") == @answer@
"""
NOT_PASSED = frozenset(Verdict) - {Verdict.PASSED, Verdict.CHECKER_ERROR}
BROKEN = frozenset({Verdict.FAILED, Verdict.ERROR})
DENIED = frozenset({Verdict.FORBIDDEN, Verdict.FAILED, Verdict.ERROR})


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile candidate.

    Attributes:
        name: what it tries, in snake case.
        source: defines `f`; `@name@` stands for a path, port or number of the bait.
        allowed: the verdicts it may end with; never `passed`.
        test: defines `check`; `@answer@` stands for the secret answer.
        after: source of a program to run before this one in the same worker.
    """

    name: str
    source: str
    allowed: frozenset[Verdict] = DENIED
    test: str = TEST
    after: str = ""
