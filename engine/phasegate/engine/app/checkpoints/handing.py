"""What is remembered of sinks: how much each has, and how often it failed. Trusted by nobody.

The folder `checkpoints` of a home has these files:

    latest       the newest checkpoint, with the cosignatures of witnesses
    cosigned     the newest with any
    sinks.json   by sink: size it has, failures in all and in a row, the last reason, when to retry
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from phasegate.ledger.errors import NoteError
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.witness import replace_durably

FOLDER: Final = "checkpoints"
LATEST: Final = "latest"
COSIGNED: Final = "cosigned"
SINKS: Final = "sinks.json"
PUBLIC_MODE: Final = 0o644
BACKOFF_BASE_S: Final = 2
BACKOFF_CAP_S: Final = 600


@dataclass(slots=True)
class SinkState:
    """How a sink stands.

    Attributes:
        size: entries of the checkpoint it took last; 0 for none.
        failures: how often it failed.
        failures_in_row: how often since it last took one.
        error: why, the last time; empty once it took one.
        retry_at_s: not tried before, in seconds since 1970.
    """

    size: int = 0
    failures: int = 0
    failures_in_row: int = 0
    error: str = ""
    retry_at_s: int = 0

    def took(self, size: int) -> None:
        """It took a checkpoint."""
        self.size, self.failures_in_row, self.error, self.retry_at_s = size, 0, "", 0

    def failed(self, reason: str, now_s: int) -> None:
        """It did not; the next try waits twice as long as the last."""
        self.failures += 1
        self.failures_in_row += 1
        wait_s = min(BACKOFF_BASE_S << min(self.failures_in_row, 16), BACKOFF_CAP_S)
        self.error, self.retry_at_s = reason[:500], now_s + wait_s


@dataclass(slots=True)
class Handing:
    """The folder `checkpoints` of a home.

    Args:
        folder: it; made when something is written.
    """

    folder: Path
    states: dict[str, SinkState] = field(default_factory=dict)

    def load(self) -> None:
        """Read what is remembered; damage counts as nothing remembered, so that all is handed over again."""
        try:
            said = json.loads((self.folder / SINKS).read_bytes())
            self.states = {str(name): _checked(SinkState(**state)) for name, state in said.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            self.states = {}

    def of(self, name: str) -> SinkState:
        """What is remembered of a sink."""
        return self.states.setdefault(name, SinkState())

    def save(self) -> None:
        """Write it down; raises OSError."""
        said = {name: asdict(state) for name, state in self.states.items()}
        self._write(SINKS, json.dumps(said, indent=2, sort_keys=True) + "\n")

    def latest(self) -> Note | None:
        """The newest checkpoint kept here; None without one. Raises NoteError for something else."""
        try:
            return parse_note((self.folder / LATEST).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NoteError(f"cannot read `{self.folder / LATEST}`: {error.strerror}") from error

    def keep(self, note: Note) -> None:
        """Keep the newest checkpoint; raises OSError."""
        self._write(LATEST, note.encoded())
        if len(note.signatures) > 1:
            self._write(COSIGNED, note.encoded())

    def _write(self, name: str, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_durably(self.folder / name, text.encode(), PUBLIC_MODE)


def _checked(state: SinkState) -> SinkState:
    """A state as it is written; raises ValueError for one that nothing could be reckoned with."""
    *numbers, error = (state.size, state.failures, state.failures_in_row, state.retry_at_s, state.error)
    if type(error) is not str or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError("no state of a sink")
    return state
