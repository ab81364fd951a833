"""A read-only mirror of a repository, and a scratch working copy beside it, for what an agent runs.

    FOLDER/mirror.git   branches and tags; files 0444, folders 0555; takes no push
    FOLDER/work         a working copy of one commit, which may be written; its only remote is the mirror

Nothing of the repository's settings comes along: no remote and no URL with a token in it, no credential
helper, no hook, no filter. What leaves the working copy leaves as evidence, and then through the outbox.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.engine.core.errors import BadInput

FILE_MODE: Final = 0o444
FOLDER_MODE: Final = 0o555
_LOCAL: Final = ("-c", "protocol.file.allow=always")
_REFUSALS: Final = (
    # A push is an update of refs, and these are hidden from pushes: git refuses to update what it hides.
    ("receive.hideRefs", "refs/"),
    ("http.receivepack", "false"),
    ("daemon.receivepack", "false"),
    ("receive.denyDeletes", "true"),
    ("receive.denyNonFastForwards", "true"),
    ("gc.auto", "0"),
)


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror and its working copy.

    Attributes:
        mirror: the read-only repository.
        work: the working copy.
        commit: full id of the commit checked out in it.
    """

    mirror: Path
    work: Path
    commit: str


def read_only_mirror(repository: Path, folder: Path, commit: str = "HEAD") -> Mirror:
    """Make a mirror of a repository and a working copy of one of its commits.

    1. The mirror is fetched; after a crash here the folder is not empty, and a repeat says so.
    2. It is closed: from here on it can be read only.
    3. The working copy is made on the mirror's objects.

    Args:
        repository: a folder inside it, or a bare repository.
        folder: where both are made; empty or not there.
        commit: the commit of the working copy, as git resolves it in the repository.

    Raises:
        BadInput: the folder is in use, or there is no such repository or commit.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadInput(f"`{folder}` is not empty", "name a folder that is, or one that does not exist")
    except OSError as error:
        raise BadInput(f"cannot write `{folder}`: {error.strerror}", "choose another folder") from error
    place = folder.resolve()
    mirror, work = place / "mirror.git", place / "work"
    try:
        source, wanted = _source(repository, commit)
        _fetch(source, mirror, wanted)
        close(mirror)
        _check_out(mirror, work, wanted)
    except GitUnavailable as error:
        reopen(mirror)
        for made in (mirror, work):
            shutil.rmtree(made, ignore_errors=True)
        raise BadInput(
            f"cannot mirror `{repository}`: {error}", "name a git repository and one of its commits"
        ) from error
    return Mirror(mirror, work, wanted)


def close(mirror: Path) -> None:
    """Take the right to write from every file and folder of a mirror."""
    for path in (*mirror.rglob("*"), mirror):
        if not path.is_symlink():
            path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)


def reopen(mirror: Path) -> None:
    """Give the owner the right to write back, so that a mirror can be removed."""
    for path in (mirror, *mirror.rglob("*")):
        if not path.is_symlink() and path.exists():
            path.chmod(0o755 if path.is_dir() else 0o644)


def _source(repository: Path, commit: str) -> tuple[Path, str]:
    """Git folder of a repository, and the full id of one of its commits."""
    if commit.startswith("-") or not commit:
        raise GitUnavailable(f"`{commit[:80]}` names no commit")
    named = ("-C", str(repository))
    folder = run_git((*named, "rev-parse", "--absolute-git-dir"), {}).decode().removesuffix("\n")
    full = run_git((*named, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"), {})
    return Path(folder), full.decode().strip()


def _fetch(source: Path, mirror: Path, commit: str) -> None:
    kind = run_git(("-C", str(source), "rev-parse", "--show-object-format"), {}).decode().strip()
    run_git(("init", "-q", "--bare", "--template=", f"--object-format={kind}", str(mirror)), {})
    at = ("-C", str(mirror))
    kept = f"+{commit}:refs/heads/phasegate/base"
    refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    run_git((*at, *_LOCAL, "fetch", "-q", "--no-tags", "--update-shallow", str(source), *refs, kept), {})
    run_git((*at, "update-ref", "--no-deref", "HEAD", commit), {})
    for name, value in _REFUSALS:
        run_git((*at, "config", name, value), {})
    # It names the place everything came from.
    (mirror / "FETCH_HEAD").unlink(missing_ok=True)
    (mirror / "hooks").mkdir(exist_ok=True)


def _check_out(mirror: Path, work: Path, commit: str) -> None:
    kind = run_git(("-C", str(mirror), "rev-parse", "--show-object-format"), {}).decode().strip()
    run_git(("init", "-q", "--template=", f"--object-format={kind}", str(work)), {})
    at = ("-C", str(work))
    alternates = work / ".git" / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{mirror / 'objects'}\n", encoding="utf-8")
    run_git((*at, "remote", "add", "origin", str(mirror)), {})
    run_git((*at, *_LOCAL, "fetch", "-q", "--tags", "origin"), {})
    run_git((*at, "checkout", "-q", "--detach", commit), {})
