"""The success level of a run, by SPEC section 3.

    PRIMARY   pass@1 at or above the primary target;
    FALLBACK  else, pass@1 at or above the fallback target;
    UPLIFT    else, the largest uplift of pass@k over one sample reaches the target, or the improvement by
              progressive sampling is significant; the reason says which;
    FAILED    else.

Decided on exact fractions, so that a run that meets a target to the last problem meets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from phasegate.engine.runners.decimals import exact

if TYPE_CHECKING:
    from fractions import Fraction

    from phasegate.engine.runners.statistics.significance import PairedTest
    from phasegate.engine.runners.targets import Targets


class SuccessLevel(StrEnum):
    """How far a run got; FAILED never leaves REVIEW."""

    PRIMARY = "PRIMARY"
    FALLBACK = "FALLBACK"
    UPLIFT = "UPLIFT"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class LevelDecision:
    """A level and why.

    Attributes:
        level: the level.
        basis: the figure that decided: `pass_at_1`, `uplift_pp` or `progressive_significance`; None for
            FAILED.
        reason: one sentence with the figures compared.
        remedies: what would change a FAILED level; empty otherwise.
    """

    level: SuccessLevel
    basis: str | None
    reason: str
    remedies: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields."""
        return {
            "level": self.level.value,
            "basis": self.basis,
            "reason": self.reason,
            "remedies": list(self.remedies),
        }


def decide_level(
    pass_at_1: Fraction,
    largest_uplift: tuple[int, Fraction] | None,
    progressive: PairedTest | None,
    targets: Targets,
) -> LevelDecision:
    """Decide the level.

    Args:
        pass_at_1: exact pass@1, from 0 to 1.
        largest_uplift: the k with the largest uplift and the uplift, from 0 to 1; None with one sample.
        progressive: the test of the first sample against any of n; None with one sample.
        targets: the pre-registered targets.
    """
    shown = f"pass@1 is {_percent(pass_at_1)}"
    for level, threshold in (
        (SuccessLevel.PRIMARY, targets.pass_at_1.primary),
        (SuccessLevel.FALLBACK, targets.pass_at_1.fallback),
    ):
        if pass_at_1 >= exact(threshold):
            reason = f"{shown}, at or above the {level.lower()} target of {_percent(exact(threshold))}"
            return LevelDecision(level, "pass_at_1", reason)
    below = f"{shown}, below the fallback target of {_percent(exact(targets.pass_at_1.fallback))}"
    if largest_uplift is None or progressive is None:
        return LevelDecision(
            SuccessLevel.FAILED,
            None,
            f"{below}; with one sample of each problem no uplift was measured",
            _remedies("take more samples, such as `--samples 1,4,16`, to measure the uplift"),
        )
    return _by_uplift(below, largest_uplift, progressive, targets)


def _by_uplift(
    below: str, largest_uplift: tuple[int, Fraction], progressive: PairedTest, targets: Targets
) -> LevelDecision:
    k, uplift = largest_uplift
    size = f"the largest uplift, that of pass@{k}, is {_points(uplift)}"
    asked = f"{targets.uplift_pp:g} percentage points asked for"
    if 100 * uplift >= exact(targets.uplift_pp):
        return LevelDecision(SuccessLevel.UPLIFT, "uplift_pp", f"{below}; {size}, at or above the {asked}")
    p_value = f"p = {progressive.p_value:.3g} at alpha = {targets.alpha:g}"
    small = f"{below}; {size}, below the {asked}"
    if progressive.significant:
        reason = f"{small}, but the improvement by progressive sampling is significant ({p_value})"
        return LevelDecision(SuccessLevel.UPLIFT, "progressive_significance", reason)
    reason = f"{small}, and the improvement by progressive sampling is not significant ({p_value})"
    return LevelDecision(
        SuccessLevel.FAILED,
        None,
        reason,
        _remedies("take more samples of each problem, planned before the run"),
    )


def _remedies(first: str) -> tuple[str, ...]:
    return first, "evaluate a stronger model or another prompt", "look at the failing problems in the report"


def _percent(share: Fraction) -> str:
    return f"{float(share):.1%}"


def _points(share: Fraction) -> str:
    return f"{100 * float(share):.1f} percentage points"
