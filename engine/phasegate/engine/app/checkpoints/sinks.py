"""Sinks for checkpoints outside of the home: a file, and a ref of a git repository.

A sink is asked what it holds before anything new is signed, and is then handed the new checkpoint. What it
holds and is no checkpoint is never written over: somebody has to look at it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from phasegate.engine.app.checkpoints.git_ref import GitRef
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.ledger.errors import NoteError
from phasegate.ledger.notes import MAX_NOTE_BYTES, Note, Signature, parse_note
from phasegate.ledger.witness import replace_durably

REF: Final = "refs/phasegate/checkpoints"
PUBLIC_MODE: Final = 0o644

Prove = Callable[[int], tuple[bytes, ...]]
"""Proof that the checkpoint at hand begins with the ledger at a size; empty from size 0."""


class SinkFailed(Exception):
    """A sink cannot be read or written; the message says why."""


class Sink(Protocol):
    """Somebody outside of the home who keeps checkpoints."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def held(self) -> Note | None:
        """The checkpoint it holds, unchecked; None when it holds none or cannot be asked.

        Raises:
            SinkFailed: it holds something else, or cannot be read.
        """
        ...

    def give(self, note: Note, size: int, prove: Prove) -> tuple[Signature, ...]:
        """Hand it a checkpoint; returns cosignatures, each of which was verified.

        Raises:
            SinkFailed: it does not take it now.
            IntegrityError: it has proof that the ledger is not what it was.
        """
        ...


class FileSink:
    """A file that holds the latest checkpoint, such as an artifact of CI.

    Args:
        name: what messages call it.
        path: the file.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    def held(self) -> Note | None:
        """What is in the file."""
        try:
            with open(self._path, "rb", opener=_without_waiting) as file:
                return parse_note(file.read(MAX_NOTE_BYTES + 1) or b"")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SinkFailed(f"cannot read `{self._path}`: {error.strerror}") from error
        except NoteError as error:
            raise SinkFailed(f"`{self._path}` holds no checkpoint ({error}); move it away") from error

    def give(self, note: Note, size: int, prove: Prove) -> tuple[Signature, ...]:  # noqa: ARG002 - the port's
        """Replace the file."""
        try:
            replace_durably(self._path, note.encoded().encode(), PUBLIC_MODE)
        except OSError as error:
            raise SinkFailed(f"cannot write `{self._path}`: {error.strerror}") from error
        return ()


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe in its place has nothing to read, and nobody waits for it."""
    return os.open(path, flags | os.O_NONBLOCK)


class GitSink:
    """A ref of a repository, one commit a checkpoint, one file a ledger; no branch and no index is touched.

    Args:
        name: what messages call it.
        repository: a folder of the repository.
        origin: the ledger's id.
    """

    def __init__(self, name: str, repository: Path, origin: str) -> None:
        self.name = name
        self._ref = GitRef(repository, REF)
        self._file = quote(origin, safe="")

    def held(self) -> Note | None:
        """What the ref's commit holds of this ledger."""
        try:
            blob = self._ref.files(self._ref.commit()).get(self._file)
            return parse_note(self._ref.content(blob)) if blob else None
        except GitUnavailable as error:
            raise SinkFailed(f"`{self._ref.repository}`: {error}") from error
        except NoteError as error:
            raise SinkFailed(f"`{REF}` of `{self._ref.repository}` holds no checkpoint: {error}") from error

    def give(self, note: Note, size: int, prove: Prove) -> tuple[Signature, ...]:  # noqa: ARG002 - the port's
        """Add a commit, if the ref does not hold this very checkpoint."""
        try:
            # If somebody else moves the ref meanwhile this fails; the retry reads it again.
            parent = self._ref.commit()
            said = {self._file: note.encoded().encode()}
            self._ref.put(said, f"Checkpoint of {size} entries", parent, parent)
        except GitUnavailable as error:
            raise SinkFailed(f"`{self._ref.repository}`: {error}") from error
        return ()
