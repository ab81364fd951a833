"""Counters as a fold over committed entries. Pure; incremental; the state is plain JSON.

A counter is the number of entries since the ledger began, so it never restarts with a process:

    phase_skips_attempted        violations of kind out_of_sequence
    evidence_gate_failed         violations of kind gate_failed, stale_evidence, foreign_evidence,
                                 altered_evidence
    phase_validations_failed     violations of kind gate_failed with a finding of a validator that blocks:
                                 content was examined and found wanting. Codes that begin with `evidence.`,
                                 `approval.`, `attestation.` or `git.` are of no validator
    phase_backtracks             phase.backtracked entries
    prompt_drift_detected        prompt.attested entries of status drift, and violations of kind prompt_drift
    tool_calls_rejected          violations of kind tool_rejected; one that folds repeats counts each of them
    lease_contention             violations of kind lease_contention (another holds the lease) and stale_lease
                                 (the epoch acted under was taken over or has run out)
    tasks_rejected_for_process_violation
                                 distinct tasks with at least one violation of any kind, a refused opening
                                 among them

Each is counted by the phase its entry stands in, but for the last, which is over all phases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from phasegate.telemetry import names
from phasegate.telemetry.entry_like import EntryLike, count, objects, text, violation_kind
from phasegate.telemetry.names import Counter, EntryType


class Point(NamedTuple):
    """A counter's value for one phase; the phase is empty where the counter has none."""

    counter: Counter
    phase: str
    value: int


@dataclass(slots=True)
class Counters:
    """The folded state.

    Attributes:
        seq: sequence number of the last entry folded.
        since: time of the first entry, RFC 3339; empty before it.
        until: time of the last entry.
        by_phase: counts by counter and phase.
        refused_tasks: tasks refused at least once.
    """

    seq: int = 0
    since: str = ""
    until: str = ""
    by_phase: dict[Counter, dict[str, int]] = field(default_factory=dict)
    refused_tasks: set[str] = field(default_factory=set)

    def fold(self, entry: EntryLike) -> None:
        """Take one entry into account; one that was folded before changes nothing."""
        if entry.seq <= self.seq:
            return
        self.seq, self.since, self.until = entry.seq, self.since or entry.at, entry.at
        for counter in counted_by(entry):
            phases = self.by_phase.setdefault(counter, {})
            phases[entry.phase] = phases.get(entry.phase, 0) + weight(entry)
        if entry.type == EntryType.VIOLATION_RECORDED:
            self.refused_tasks.add(refused_task(entry))

    def total(self, counter: Counter) -> int:
        """Return a counter's value over all phases."""
        if counter is Counter.TASKS_REJECTED:
            return len(self.refused_tasks)
        return sum(self.by_phase.get(counter, {}).values())

    def points(self) -> Iterator[Point]:
        """Return all values; a counter that never counted is there with 0 and no phase."""
        for counter in Counter:
            phases = self.by_phase.get(counter)
            if counter is Counter.TASKS_REJECTED or not phases:
                yield Point(counter, "", self.total(counter))
            else:
                for phase in sorted(phases):
                    yield Point(counter, phase, phases[phase])

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "seq": self.seq,
            "since": self.since,
            "until": self.until,
            "by_phase": {
                counter.value: dict(sorted(by.items())) for counter, by in sorted(self.by_phase.items())
            },
            "refused_tasks": sorted(self.refused_tasks),
        }


def weight(entry: EntryLike) -> int:
    """Return how much an entry raises its counters by: a violation that folds repeats, by each of them."""
    return count(entry.payload, "repeats") or 1


def refused_task(entry: EntryLike) -> str:
    """Return the task that a violation refused: the entry's own, or the one that was not opened."""
    if entry.task != names.LEDGER_STREAM:
        return entry.task
    return text(entry.payload, "target") or entry.task


def counted_by(entry: EntryLike) -> tuple[Counter, ...]:
    """Return the counters that this entry raises by its `weight`, but for the count of distinct tasks."""
    if entry.type == EntryType.PHASE_BACKTRACKED:
        return (Counter.BACKTRACKS,)
    if entry.type == EntryType.PROMPT_ATTESTED:
        return (Counter.PROMPT_DRIFT,) if text(entry.payload, "status") == names.DRIFT else ()
    if entry.type != EntryType.VIOLATION_RECORDED:
        return ()
    kind = violation_kind(entry.payload)
    counter = names.COUNTER_OF_VIOLATION.get(kind)
    found = () if counter is None else (counter,)
    if kind == names.GATE_FAILED and any(map(_failed_validation, objects(entry.payload, "findings"))):
        return (*found, Counter.VALIDATIONS_FAILED)
    return found


def _failed_validation(finding: Mapping[str, Any]) -> bool:
    """Whether a validator found something that blocks; an entry without a severity tells of an error."""
    blocks = text(finding, "severity") != names.WARNING
    return blocks and not text(finding, "code").startswith(names.NO_VALIDATOR)


def counters_from(state: Mapping[str, Any]) -> Counters:
    """Return the counters that `Counters.to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is not such a state.
    """
    if not all(isinstance(state[name], str) for name in ("since", "until")):
        raise TypeError("times are not texts")
    by_phase = {
        Counter(name): {str(phase): int(value) for phase, value in by.items()}
        for name, by in dict(state["by_phase"]).items()
    }
    return Counters(
        seq=int(state["seq"]),
        since=state["since"],
        until=state["until"],
        by_phase=by_phase,
        refused_tasks=set(map(str, state["refused_tasks"])),
    )
