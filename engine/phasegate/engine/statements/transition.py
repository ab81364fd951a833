"""The transition predicate: a task went from one phase to another, over exactly this evidence."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from phasegate.engine.core.event_fields import Count, Hex
from phasegate.engine.statements.predicate import (
    PREDICATE_ROOT,
    ChainRef,
    Named,
    Part,
    Phase,
    Predicate,
    Subject,
    Time,
)
from phasegate.engine.statements.statement import SUBJECTS_MAX, Statement
from phasegate.policies.model import FlagMode, Origin

CHECKS_MAX = 256
FLAGS_MAX = 64


class ProcessRef(Part):
    """The definition a task runs under; `digest` is that of its canonical form."""

    name: Named
    version: Count
    digest: Hex

    def as_subject(self) -> Subject:
        """The definition itself as a subject, for a statement that is about no other artifact."""
        return Subject(f"process:{self.name[:200]}", self.digest)


class EvidenceItem(Part):
    """One artifact that a gate was passed with."""

    name: Named
    digest: Hex
    origin: Annotated[Origin, Field(strict=False)]


class Gate(Part):
    """What held when the phase was left, and what was not asked.

    Attributes:
        checks: names of the checks that ran.
        evidence: what they ran on.
        flags: modes of the gate's flags, those other than `enforce`.
        broken_glass: SHA-256 of the signed decision that overrode the policy checks; null when none did.
    """

    checks: Annotated[tuple[Named, ...], Field(strict=False, max_length=CHECKS_MAX)]
    evidence: Annotated[tuple[EvidenceItem, ...], Field(strict=False, max_length=SUBJECTS_MAX)]
    flags: Annotated[dict[Named, Annotated[FlagMode, Field(strict=False)]], Field(max_length=FLAGS_MAX)]
    broken_glass: Hex | None


class Transition(Predicate):
    """A task's step from phase to phase.

    The subjects are the gate's evidence; a transition without any is about its process definition.

    Attributes:
        process: the definition that allows the step.
        source: the phase left; `from` in JSON.
        to: the phase entered; null when the task was completed.
        attempt: the visit to the phase left.
        gate: what held.
        actor: who asked for it.
        prompt_hash: hash of the prompt in use; null when none was attested.
        persona_hash: hash of the PersonaSpec in use; null when there is none.
        commit: commit that was checked out; null where nobody looked.
        risk: risk class of the task; null where the process has none.
        at: when it was decided.
        chain: the ledger as it was when that was decided.
    """

    TYPE: ClassVar[str] = PREDICATE_ROOT + "transition/v1"

    process: ProcessRef
    source: Annotated[Phase, Field(alias="from")]
    to: Phase | None
    gate: Gate
    actor: Named
    prompt_hash: Hex | None
    persona_hash: Hex | None
    commit: Named | None
    risk: Named | None
    at: Time
    chain: ChainRef

    def subjects(self) -> tuple[Subject, ...]:
        """The artifacts this is about."""
        evidence = tuple(Subject(item.name, item.digest) for item in self.gate.evidence)
        return evidence or (self.process.as_subject(),)

    def subject_problem(self, subjects: tuple[Subject, ...]) -> str:
        """Why these cannot be the subjects of this predicate; empty when they can."""
        evidence = self.gate.evidence or self.subjects()
        same = {item.name: item.digest for item in subjects} == {item.name: item.digest for item in evidence}
        if same and len(subjects) == len(evidence):
            return ""
        return "the subjects of the transition are not the evidence of its gate"

    def to_statement(self) -> Statement[Transition]:
        """This as a statement about the evidence of its gate.

        Raises:
            StatementError: `bad_subject` when two artifacts have one name.
        """
        return Statement(self.subjects(), self)
