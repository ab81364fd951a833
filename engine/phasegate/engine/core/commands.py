"""Commands: what an actor may ask for, as a closed union of plain values."""

from __future__ import annotations

from dataclasses import dataclass

from phasegate.engine.core.events import RunnerEvent, StepFinished, WitnessRecorded
from phasegate.policies.model import Witness


@dataclass(frozen=True, slots=True)
class OpenTask:
    """Begin a task under the given process."""

    title: str


@dataclass(frozen=True, slots=True)
class Offer:
    """Bytes offered as evidence.

    Attributes:
        name: artifact name.
        digest: SHA-256 of the bytes, hex.
        size_bytes: their number.
        path: where the standing copy lies, relative to the home.
        source: file the bytes were read from; empty when the engine made them.
        witness: what the engine derived them from; None when an agent handed them in.
        exit_code: of the witnessed command.
    """

    name: str
    digest: str
    size_bytes: int
    path: str
    source: str = ""
    witness: Witness | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class AddEvidence:
    """Bind claimed artifacts to the current phase and attempt."""

    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class RecordWitness:
    """Record what the engine did itself, a command or a runner's step, and bind what came of it.

    `phase` and `attempt` are those the command was started for; when the task has moved on since, the
    result belongs to nothing and is refused.
    """

    phase: str
    attempt: int
    witnessed: WitnessRecorded | StepFinished | None
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Advance:
    """Leave the current phase forward, to `to` or to the only next phase."""

    to: str | None = None


@dataclass(frozen=True, slots=True)
class Backtrack:
    """Go back to an earlier phase and void everything from it on."""

    to: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordProgress:
    """Record what a phase runner did, for the phase it ran in."""

    phase: str
    attempt: int
    events: tuple[RunnerEvent, ...]


Command = OpenTask | AddEvidence | RecordWitness | Advance | Backtrack | RecordProgress

COMMAND_NAMES: dict[type, str] = {
    OpenTask: "open",
    AddEvidence: "evidence add",
    RecordWitness: "witness",
    Advance: "advance",
    Backtrack: "backtrack",
    RecordProgress: "run",
}
