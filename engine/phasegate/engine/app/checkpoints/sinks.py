"""Sinks for checkpoints outside of the home: a file, and a ref of a git repository.

A sink is asked what it holds before anything new is signed, and is then handed the new checkpoint. What it
holds and is no checkpoint is never written over: somebody has to look at it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from phasegate.engine.app.git.running import GitUnavailable, run_git
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
            with self._path.open("rb") as file:
                return parse_note(file.read(MAX_NOTE_BYTES + 1))
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


class GitSink:
    """A ref of a repository, one commit a checkpoint, one file a ledger; no branch and no index is touched.

    Args:
        name: what messages call it.
        repository: a folder of the repository.
        origin: the ledger's id.
    """

    def __init__(self, name: str, repository: Path, origin: str) -> None:
        self.name = name
        self._repository = repository
        self._file = quote(origin, safe="")

    def held(self) -> Note | None:
        """What the ref's commit holds of this ledger."""
        try:
            _, files = self._read()
            blob = files.get(self._file)
            return parse_note(self._git("cat-file", "blob", blob)) if blob else None
        except GitUnavailable as error:
            raise SinkFailed(f"`{self._repository}`: {error}") from error
        except NoteError as error:
            raise SinkFailed(f"`{REF}` of `{self._repository}` holds no checkpoint: {error}") from error

    def give(self, note: Note, size: int, prove: Prove) -> tuple[Signature, ...]:  # noqa: ARG002 - the port's
        """Add a commit, if the ref does not hold this very checkpoint."""
        try:
            parent, files = self._read()
            blob = self._git("hash-object", "-w", "--stdin", stdin=note.encoded().encode()).decode().strip()
            if files.get(self._file) == blob:
                return ()
            rows = {**files, self._file: blob}
            text = "".join(f"100644 blob {sha}\t{file}\0" for file, sha in sorted(rows.items()))
            tree = self._git("mktree", "-z", stdin=text.encode()).decode().strip()
            above = ("-p", parent) if parent else ()
            said = f"Checkpoint of {size} entries"
            commit = self._git("commit-tree", tree, *above, "-m", said).decode().strip()
            # Only if nobody else has moved the ref meanwhile; the retry reads it again.
            self._git("update-ref", REF, commit, parent)
        except GitUnavailable as error:
            raise SinkFailed(f"`{self._repository}`: {error}") from error
        return ()

    def _read(self) -> tuple[str, dict[str, str]]:
        """The ref's commit, empty without one, and its blobs by file name."""
        commit = self._git("for-each-ref", "--format=%(objectname)", REF).decode().strip()
        if not commit:
            return "", {}
        files = {}
        for row in self._git("ls-tree", "-z", commit).decode("utf-8", "replace").split("\0")[:-1]:
            about, _, file = row.partition("\t")
            files[file] = about.split(" ")[2]
        return commit, files

    def _git(self, *argv: str, stdin: bytes = b"") -> bytes:
        return run_git(("-C", str(self._repository), *argv), _IDENTITY, stdin=stdin)


_IDENTITY: Final = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "phasegate"), ("EMAIL", "phasegate@localhost"))
}
