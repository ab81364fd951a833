"""Events of runs: what phase runners do, and how a run ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from phasegate.engine.core.event_fields import (
    FINDINGS_IN_ENTRY_MAX,
    Count,
    EventPayload,
    FigureName,
    Hex,
    Number,
    OptionalHex,
    Short,
    Text,
)


class StepStarted(EventPayload):
    """A phase runner began a step."""

    kind = "step.started"
    step: Short
    total: Count


class StepFinished(EventPayload):
    """A phase runner finished a step; `figures` are its results as decimal strings or counts."""

    kind = "step.finished"
    step: Short
    duration_ms: Count
    figures: Annotated[dict[FigureName, Number | Text | bool | None], Field(max_length=64)]


class SampleGenerated(EventPayload):
    """A model answered one problem once."""

    kind = "sample.generated"
    problem: Short
    sample: Count
    completion: Hex
    synthetic: bool


class SampleExecuted(EventPayload):
    """One completion ran in the sandbox."""

    kind = "sample.executed"
    problem: Short
    sample: Count
    completion: Hex
    verdict: Short
    detail: Short
    wall_ms: Count
    cpu_ms: Count
    rss_kib: Count


class RunEnded(EventPayload):
    """A run came to its end: accepted in its last phase, or held with reasons."""

    kind = "run.ended"
    outcome: Short
    success_level: Short
    reasons: Annotated[tuple[Text, ...], Field(strict=False, max_length=FINDINGS_IN_ENTRY_MAX)]
    report: OptionalHex
