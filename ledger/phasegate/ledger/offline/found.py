"""What reading an export gives, before anything that was signed is compared with it."""

from __future__ import annotations

from typing import NamedTuple

from phasegate.ledger.chain import Head
from phasegate.ledger.entry import ZERO_HASH
from phasegate.ledger.verify import NOT_RULED_OUT, Problem, Verification


class Found(Exception):
    """A problem was found; what follows need not be read."""

    def __init__(self, code: str, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(seq, code, message)


class Content(NamedTuple):
    """An export as read.

    Attributes:
        kind: What it is: ``tiles``, ``jsonl``, ``sqlite`` or ``bundle``.
        chain: What was found of its chain, or of the export around it; with the roots asked for.
        checked: What was checked of it, in words.
        unchecked: What it holds that was not checked, in words.
        checkpoint: The signed note it brings; None if it brings none.
        signed: How many entries a statement of its own covers, signed by one of the keys given.
    """

    kind: str
    chain: Verification
    checked: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    checkpoint: bytes | None = None
    signed: int = 0


def failed(problem: Problem, chain: Verification | None = None) -> Verification:
    """Return a verification that found this problem after what was found good."""
    if chain is None:
        chain = Verification(ok=True, entries=0, head=Head(0, ZERO_HASH, ""), problem=None, not_ruled_out=())
    return chain._replace(ok=False, problem=problem, not_ruled_out=NOT_RULED_OUT, root=None, roots=())
