"""What the engine answers: typed, frozen, ready for a table or for JSON."""

from __future__ import annotations

from dataclasses import dataclass

from phasegate.engine.core.events import ViolationRecorded, WitnessRecorded
from phasegate.engine.core.state import TaskState
from phasegate.ledger.entry import Entry
from phasegate.validators.interface import Finding

TRUST_EMBEDDED = "embedded"
TRUST_SEPARATED = "separated"


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of one command.

    Attributes:
        state: the task after it.
        entries: what was written; a refusal writes its violation.
        violation: why it was refused; None when it was accepted.
        findings: all findings of a refusal by a gate.
    """

    state: TaskState
    entries: tuple[Entry, ...]
    violation: ViolationRecorded | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether the command took effect."""
        return self.violation is None


@dataclass(frozen=True, slots=True)
class GateReport:
    """Dry run of a gate.

    Attributes:
        phase: phase whose gate it is.
        attempt: its current attempt.
        leads_to: phases it may lead to; empty when passing it completes the task.
        findings: everything the gate has to say.
    """

    task: str
    phase: str
    attempt: int
    leads_to: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def open(self) -> bool:
        """Whether an advance would pass."""
        return not any(finding.blocks for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """Outcome of a witnessed command.

    Attributes:
        result: what was recorded; refused when the task is not in the phase, and then nothing was run.
        event: what was seen; None when nothing was run.
        problems: why a report does not count as evidence.
        notes: what else the caller should know, such as programs that were found in another place.
    """

    result: Result
    event: WitnessRecorded | None
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the command ended with 0 and every report counted."""
        return (
            self.event is not None and self.result.accepted and not self.event.exit_code and not self.problems
        )
