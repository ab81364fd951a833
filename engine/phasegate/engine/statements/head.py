"""The head predicate: the engine says that its ledger goes this far and reads so.

Every passed gate signs the entries before it; this signs those after the last one, for whoever takes the
entries elsewhere.
"""

from __future__ import annotations

from typing import ClassVar

from phasegate.engine.statements.predicate import PREDICATE_ROOT, ChainRef, Predicate, Subject, Time
from phasegate.engine.statements.statement import Statement

SUBJECT = "ledger"


class LedgerHead(Predicate):
    """A ledger's head, as it was when a task was exported.

    The subject is the ledger itself, by the hash of its last entry.

    Attributes:
        attempt: the visit to the phase the task stands in.
        chain: the whole ledger.
        at: time of its last entry.
    """

    TYPE: ClassVar[str] = PREDICATE_ROOT + "head/v1"

    chain: ChainRef
    at: Time

    def subjects(self) -> tuple[Subject, ...]:
        """The ledger."""
        return (Subject(SUBJECT, self.chain.hash),)

    def subject_problem(self, subjects: tuple[Subject, ...]) -> str:
        """Why these cannot be the subjects of this predicate; empty when they can."""
        return "" if subjects == self.subjects() else "the subject of the head is not the end of its chain"

    def to_statement(self) -> Statement[LedgerHead]:
        """This as a statement about the ledger."""
        return Statement(self.subjects(), self)
