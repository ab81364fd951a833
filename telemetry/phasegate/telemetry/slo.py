"""Service level objectives: seven figures, each a pure function of what was counted in a window.

A figure is a fraction of two counts, kept exactly. Where the denominator is 0 there is no value, and no
objective is met or missed: nothing happened is not the same as everything went well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from phasegate.telemetry.happenings import Counts, Figure
from phasegate.telemetry.window import US_PER_SECOND

NO_DATA: Final = "no data"
PLACES: Final = 6
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


class SloName(StrEnum):
    """Names of the objectives."""

    SUCCESS_RATE = "success_rate"
    LOOP_RATE = "loop_rate"
    TOOL_MTTR = "tool_mttr"
    GROUNDEDNESS = "groundedness_score"
    SPURIOUS_BLOCKS = "spurious_block_rate"
    FALSE_POSITIVES = "false_positive_gate_rate"
    PROMPT_DRIFT = "prompt_drift_rate"


class Sense(StrEnum):
    """On which side of its target a figure is to be."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach, and its unit: a share of 1, or seconds."""

    sense: Sense
    bound: Fraction
    unit: str = ""

    def met_by(self, value: Fraction) -> bool:
        """Whether a value reaches it."""
        return value >= self.bound if self.sense is Sense.AT_LEAST else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sense} {decimal_text(self.bound)}{f' {self.unit}' if self.unit else ''}"


TARGETS: Final[Mapping[SloName, Target]] = MappingProxyType(
    {
        SloName.SUCCESS_RATE: Target(Sense.AT_LEAST, Fraction(95, 100)),
        SloName.LOOP_RATE: Target(Sense.AT_MOST, Fraction(2, 100)),
        SloName.TOOL_MTTR: Target(Sense.AT_MOST, Fraction(30), "s"),
        SloName.SPURIOUS_BLOCKS: Target(Sense.AT_MOST, Fraction(5, 100)),
        SloName.FALSE_POSITIVES: Target(Sense.AT_MOST, Fraction(5, 100)),
        SloName.PROMPT_DRIFT: Target(Sense.AT_MOST, Fraction(2, 100)),
    }
)
"""Objectives; `groundedness_score` has none, because how much can be witnessed depends on the process."""


@dataclass(frozen=True, slots=True)
class Slo:
    """One figure of one window.

    Attributes:
        name: which one.
        numerator: exactly; in microseconds where the unit is seconds.
        denominator: a count.
        value: their quotient in the unit of the target; None when there is nothing to divide by.
        target: what it is to reach; None when it has no target.
        reason: why there is no value, or what the value leaves out; empty otherwise.
    """

    name: SloName
    numerator: int
    denominator: int
    value: Fraction | None
    target: Target | None
    reason: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a value or a target."""
        return None if self.value is None or self.target is None else self.target.met_by(self.value)

    def to_json(self) -> dict[str, str | int | bool | None]:
        """Return it as JSON values: counts exactly, fractions as decimal strings."""
        return {
            "name": str(self.name),
            "value": None if self.value is None else decimal_text(self.value),
            "numerator": self.numerator,
            "denominator": self.denominator,
            "target": None if self.target is None else str(self.target),
            "met": self.met,
            "reason": self.reason,
        }


def success_rate(counts: Counts) -> Slo:
    """Completed tasks / tasks that ended.

    A task ends by completing, by being aborted, by a run that is held, or by waiting for a person who was
    called; it counts once, for how it stands at the end of the ledger and at the time it came to that. A task
    that is still under way has not ended. Target: at least 0.95.
    """
    return _share(SloName.SUCCESS_RATE, counts.of(Figure.TASKS_COMPLETED), counts.of(Figure.TASKS_ENDED))


def loop_rate(counts: Counts) -> Slo:
    """Tasks with a `loop.detected` entry / tasks with any entry, both within the window.

    Target: at most 0.02.
    """
    return _share(SloName.LOOP_RATE, counts.of(Figure.TASKS_LOOPED), counts.of(Figure.TASKS_ACTIVE))


def tool_mttr(counts: Counts) -> Slo:
    """Mean time to repair of tool calls, in seconds: time out of order / outages that were repaired.

    An outage begins with the first `tool_rejected` violation of a task since its work last went on; further
    rejections belong to it. It ends with the next entry that only accepted work leaves (evidence, a witnessed
    command, a gate passed, a phase entered or gone back to, a runner's step or sample), and is counted in the
    window it ends in. Outages that have not ended are no repair; the reason says how many began in the
    window. Target: at most 30 s.
    """
    took_us, outages = counts.of(Figure.OUTAGE_US), counts.of(Figure.OUTAGES)
    waiting = counts.of(Figure.OUTAGES_OPEN)
    value = Fraction(took_us, outages * US_PER_SECOND) if outages else None
    still = f"{waiting} not repaired yet" if waiting else ""
    reason = still if outages else (f"{NO_DATA}; {still}" if still else NO_DATA)
    return Slo(SloName.TOOL_MTTR, took_us, outages, value, TARGETS[SloName.TOOL_MTTR], reason)


def groundedness_score(counts: Counts) -> Slo:
    """Grounded pieces of evidence / pieces of evidence, over the gates passed in the window.

    A piece is grounded when it is more than somebody's word: the engine witnessed it, a person signed it, or
    the gate checked its citations and they resolve (a check that is switched off or only observed, or a gate
    passed by broken glass, grounds nothing). No target: what can be witnessed depends on the process.
    """
    return _share(SloName.GROUNDEDNESS, counts.of(Figure.EVIDENCE_GROUNDED), counts.of(Figure.EVIDENCE))


def spurious_block_rate(counts: Counts) -> Slo:
    """Blocks that proved to be for nothing / blocks; both dated to the block.

    A block is a `gate_failed` violation. It was for nothing when the same gate passed in the same attempt
    although neither evidence nor prompt nor any decision of a person had changed in the ledger, no person
    overrode it, and none of its findings names the repository or the shelf, which change without an entry.
    Target: at most 0.05.
    """
    return _share(SloName.SPURIOUS_BLOCKS, counts.of(Figure.BLOCKS_SPURIOUS), counts.of(Figure.BLOCKS))


def false_positive_gate_rate(counts: Counts) -> Slo:
    """Blocks that a person overrode / blocks; both dated to the block.

    Overridden: the same gate passed in the same attempt on the same evidence by broken glass, under a flag
    that was set since, or after an approval by an operator or supervisor of what was blocked for more than a
    missing approval. A gate that waited for a person and got one was right. Target: at most 0.05.
    """
    return _share(SloName.FALSE_POSITIVES, counts.of(Figure.BLOCKS_OVERRIDDEN), counts.of(Figure.BLOCKS))


def prompt_drift_rate(counts: Counts) -> Slo:
    """Prompts that differed from their baseline / prompts that were compared with one.

    The prompt that becomes the baseline, and one that has none, are compared with nothing and do not count.
    Target: at most 0.02.
    """
    return _share(SloName.PROMPT_DRIFT, counts.of(Figure.PROMPTS_DRIFTED), counts.of(Figure.PROMPTS_COMPARED))


SLOS: Final[Mapping[SloName, Callable[[Counts], Slo]]] = MappingProxyType(
    {
        SloName.SUCCESS_RATE: success_rate,
        SloName.LOOP_RATE: loop_rate,
        SloName.TOOL_MTTR: tool_mttr,
        SloName.GROUNDEDNESS: groundedness_score,
        SloName.SPURIOUS_BLOCKS: spurious_block_rate,
        SloName.FALSE_POSITIVES: false_positive_gate_rate,
        SloName.PROMPT_DRIFT: prompt_drift_rate,
    }
)


def slos_of(counts: Counts) -> tuple[Slo, ...]:
    """Return all objectives of one window."""
    return tuple(formula(counts) for formula in SLOS.values())


def rounded(value: Fraction) -> Fraction:
    """Return a fraction as it is written: rounded half to even to six places."""
    return Fraction(round(value * 10**PLACES), 10**PLACES)


def decimal_text(value: Fraction) -> str:
    """Return a fraction as a decimal string, rounded half to even to six places, without trailing zeros."""
    text = format(Decimal(int(rounded(value) * 10**PLACES)).scaleb(-PLACES, _EXACT), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _share(name: SloName, numerator: int, denominator: int) -> Slo:
    value = Fraction(numerator, denominator) if denominator else None
    return Slo(name, numerator, denominator, value, TARGETS.get(name), "" if denominator else NO_DATA)
