"""Publishing: a bundle and its checkpoint put where CI fetches them, over what an earlier run put there.

    _ledger.bundle, TASK.bundle   bundles, of the whole ledger and of tasks
    checkpoint                    that of the newest of them

What is there must be of a ledger that this one extends, or nothing is written: a ledger that was put back or
has forked does not take the place of the one that CI saw. Publishing the same state again changes nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from phasegate.engine.app.bundle.export import export_bundle
from phasegate.engine.app.checkpoints.git_ref import GitRef
from phasegate.engine.app.checkpoints.proofs import check_begins
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.core.errors import BadInput, IntegrityError, NotEvaluated
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.errors import NoteError
from phasegate.ledger.notes import MAX_NOTE_BYTES, parse_note
from phasegate.ledger.offline.archive import unpack
from phasegate.ledger.offline.bundle_format import CHECKPOINT
from phasegate.ledger.witness import replace_durably

REFS: Final = "refs/phasegate/bundles/"
CHECKPOINT_FILE: Final = "checkpoint"
WHOLE: Final = "_ledger"
_MODE: Final = 0o644


class Published(NamedTuple):
    """What is published now.

    Attributes:
        place: the ref or folder.
        file: name of the bundle in it.
        sha256: digest of the bundle.
        size: entries that the checkpoint covers.
        commit: the ref's commit; empty for a folder.
        changed: whether anything was written.
    """

    place: str
    file: str
    sha256: str
    size: int
    commit: str
    changed: bool


class _Made(NamedTuple):
    file: str
    bundle: bytes
    checkpoint: bytes

    @property
    def files(self) -> dict[str, bytes]:
        return {self.file: self.bundle, CHECKPOINT_FILE: self.checkpoint}

    def published(self, place: str, commit: str, *, changed: bool) -> Published:
        size = parse_checkpoint(parse_note(self.checkpoint).text).size
        return Published(place, self.file, hashlib.sha256(self.bundle).hexdigest(), size, commit, changed)


def publish_to_git(engine: Engine, task: str, repository: Path, remote: str = "") -> Published:
    """Publish as a commit of the ledger's ref.

    Args:
        engine: open over the home.
        task: the task; the whole ledger without.
        repository: a folder of the repository, which may be bare.
        remote: where the ref is pushed then; nowhere without.

    Raises:
        BadInput, IntegrityError, NotEvaluated: as `export_bundle`.
        IntegrityError: the ref holds a checkpoint that this ledger does not extend.
        NotEvaluated: git or the remote refuses, or somebody else moved the ref meanwhile.
    """
    ref = GitRef(repository, bundle_ref(engine.store.ledger))
    try:
        before = ref.commit()
        parent = ref.fetched(remote, before) if remote else before
        blob = ref.files(parent).get(CHECKPOINT_FILE)
        _check_held(engine, ref.content(blob) if blob else None, f"`{ref.ref}`")
        made = _make(engine, task)
        commit = ref.put(made.files, f"Publish {made.file}", parent, before)
        if remote:
            ref.push(remote)
    except GitUnavailable as error:
        raise NotEvaluated(
            f"`{repository}`: {error}", "name a repository that can be written, and try again"
        ) from error
    return made.published(ref.ref, commit, changed=commit != before)


def publish_to_folder(engine: Engine, task: str, folder: Path) -> Published:
    """Publish as files of a folder; each is replaced whole, the checkpoint last.

    Raises:
        BadInput, IntegrityError, NotEvaluated: as `export_bundle`.
        IntegrityError: the folder holds a checkpoint that this ledger does not extend.
        BadInput: the folder cannot be read or written.
    """
    try:
        _check_held(engine, _read(folder / CHECKPOINT_FILE, MAX_NOTE_BYTES + 1), f"`{folder}`")
        made = _make(engine, task)
        folder.mkdir(parents=True, exist_ok=True)
        changed = False
        for name, content in made.files.items():
            if _read(folder / name, len(content) + 1) != content:
                replace_durably(folder / name, content, _MODE)
                changed = True
    except OSError as error:
        raise BadInput(f"cannot use `{folder}`: {error.strerror}", "name a folder to write to") from error
    return made.published(str(folder), "", changed=changed)


def bundle_ref(ledger: str) -> str:
    """The ref that a ledger's bundles are published under; git forbids some names with dots in them."""
    return REFS + quote(ledger, safe="").replace(".", "%2E")


def _make(engine: Engine, task: str) -> _Made:
    bundle = export_bundle(engine, task)
    return _Made(f"{task or WHOLE}.bundle", bundle, unpack(bundle)[CHECKPOINT])


def _check_held(engine: Engine, held: bytes | None, where: str) -> None:
    """Check that the ledger extends what was published before.

    Raises:
        IntegrityError: it does not, or what is there is no checkpoint of this ledger's keys.
    """
    if held is None:
        return
    try:
        said = engine.checkpoints.chain(engine.checkpoints.key()).check(parse_note(held), engine.store.ledger)
    except NoteError as error:
        raise IntegrityError(
            f"what {where} holds as `{CHECKPOINT_FILE}` is none of this ledger: {error}",
            "publish somewhere else, or find out who put it there",
        ) from error
    check_begins(engine.store, said, where)


def _read(file: Path, most_bytes: int) -> bytes | None:
    try:
        with file.open("rb") as opened:
            return opened.read(most_bytes)
    except FileNotFoundError:
        return None
