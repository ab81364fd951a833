"""The row that says a checkpoint is due, written in the commit that makes it so.

It is deleted in the commit that records the checkpoint. A crash in between leaves it, and so does a signer or
a disk that fails: the next command tries again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phasegate.engine.app.results import Result
from phasegate.engine.app.standing import Standing
from phasegate.engine.core.events import PhaseCompleted, Recorded
from phasegate.ledger.store import Projection
from phasegate.policies.model import Process

CHECKPOINT_ROW: Final = "checkpoint"
DUE: Final = "due"
DUE_ROW: Final = Projection(CHECKPOINT_ROW, DUE, b"{}")
DONE_ROW: Final = Projection(CHECKPOINT_ROW, DUE, None)


def due_rows(process: Process, events: Sequence[Recorded]) -> tuple[Projection, ...]:
    """The row, if a phase was completed at whose gate the process wants a checkpoint."""
    return (DUE_ROW,) if any(_is_marked(process, item) for item in events) else ()


def wants_checkpoint(path: Standing, result: Result) -> bool:
    """Whether what was recorded has made a checkpoint due."""
    if not result.accepted:
        return False
    process = path.process(result.state.process_digest)
    left = [entry.phase for entry in result.entries if entry.type == PhaseCompleted.kind]
    return any(process.phase(phase).checkpoint for phase in left)


def _is_marked(process: Process, item: Recorded) -> bool:
    return isinstance(item.event, PhaseCompleted) and process.phase(item.phase).checkpoint
