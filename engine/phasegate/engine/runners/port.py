"""What a phase runner is: a generator of events and artifacts that does a phase's work.

A runner records nothing itself. Whoever drives it commits each event before asking for the next item, so a
run that is killed resumes behind the last one; the runner is told through its run what was recorded already
and does none of it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from phasegate.engine.core.events import SampleExecuted, SampleGenerated


@dataclass(frozen=True, slots=True)
class Produced:
    """An artifact the runner leaves as witnessed evidence."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples that were generated or executed, to be recorded in one commit."""

    events: Sequence[SampleGenerated | SampleExecuted]


@dataclass(frozen=True, slots=True)
class Figures:
    """Results of the step, for its closing entry; decimals as strings."""

    values: dict[str, int | str | bool | None]


@dataclass(frozen=True, slots=True)
class Work:
    """How many samples the step comes to, told before the first; `done` were recorded earlier."""

    total: int
    done: int


Item = Work | Samples | Produced | Figures

RunT = TypeVar("RunT")
Runner = Callable[[RunT], Iterator[Item]]

ArtifactJson = dict[str, Any]
