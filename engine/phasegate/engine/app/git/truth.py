"""Looking at the real tree with git, without trusting the repository's own word.

Every comparison is made with a scratch repository of our own; the head of `scratch` says what that keeps out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from phasegate.engine.app.git.home_files import inside, is_engines
from phasegate.engine.app.git.output import parsed_changes
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.app.git.scratch import Repository, find, scratch_of
from phasegate.validators.quoting import quoted
from phasegate.validators.truth import (
    PatchCheck,
    PathChange,
    PathStatus,
    PhaseRules,
    Truth,
    phase_rules,
    truth_findings,
)

__all__ = [
    "GitUnavailable",
    "PatchCheck",
    "PathChange",
    "PathStatus",
    "PhaseRules",
    "TreeState",
    "Truth",
    "export",
    "patch_of_commit",
    "phase_rules",
    "snapshot",
    "tree_state",
    "truth_findings",
]

SUBMODULES_MAX = 64
SUBMODULE_DEPTH_MAX = 4

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class TreeState:
    """A working tree at one moment.

    Attributes:
        commit: the commit checked out; empty in a repository without one.
        tree: id of the tree that the working tree's files make, untracked ones included; two moments with the
            same id have the same files.
        branch: the branch checked out; empty when the head is detached.
        dirty: whether any file differs from the commit or is untracked.
        untracked: paths that the commit does not have.
    """

    commit: str
    tree: str
    branch: str
    dirty: bool
    untracked: tuple[str, ...]


def tree_state(repo: Path, without: Path | None = None) -> TreeState:
    """Look at a working tree.

    Args:
        repo: a folder inside it.
        without: the engine's own home, whose files are not looked at.

    Raises:
        GitUnavailable: there is no git, no repository, or it cannot be read.
    """
    real = find(repo)
    with scratch_of(real) as scratch:
        changes = _outside(real.root, scratch.changes(real.head)[0], without)
        tree = scratch.working_tree(changes)
    untracked = tuple(change.path for change in changes if change.status is PathStatus.ADDED)
    return TreeState(real.head, tree, real.branch, bool(changes), untracked)


def _outside(root: Path, changes: tuple[PathChange, ...], without: Path | None) -> tuple[PathChange, ...]:
    """The changes of other files than those of the engine's home."""
    folder = inside(root, without)
    return tuple(change for change in changes if not is_engines(change.path, folder))


def snapshot(repo: Path, base: str, patch: bytes | None = None, without: Path | None = None) -> Truth:
    """Compare the working tree with a recorded base commit.

    Args:
        repo: a folder inside the working tree.
        base: full id of the base commit; empty for a repository that had none, which is the empty tree.
        patch: a patch to try on the base commit, and to compare its result with the working tree.
        without: the engine's own home, whose files are no part of `Truth.tree`.

    Returns:
        What was seen; with `problem` set when the repository could not be looked at.
    """
    if base and not _COMMIT.fullmatch(base):
        return Truth(base=base, problem="the recorded base is not the full id of a commit")
    try:
        real = find(repo)
        with scratch_of(real) as scratch:
            if base and not scratch.succeeds("cat-file", "-e", f"{base}^{{commit}}"):
                return Truth(base, real.head, problem="the recorded base commit is not in the repository")
            is_ancestor = scratch.descends(base)
            changes, hidden = scratch.changes(base)
            tree = scratch.working_tree(_outside(real.root, changes, without))
            committed, uncommitted = scratch.committed(base)
            check = None if patch is None else scratch.check_patch(base, patch, changes)
            pinned = scratch.submodules(base)
            tracked = scratch.tracked(inside(real.root, without))
        nested = _submodule_changes(real, changes, pinned, depth=0)
    except GitUnavailable as error:
        return Truth(base=base, problem=str(error))
    ordered = tuple(sorted((*changes, *nested), key=lambda change: change.path))
    return Truth(
        base,
        real.head,
        ordered,
        is_ancestor,
        hidden,
        check,
        tree=tree,
        committed=committed,
        uncommitted=uncommitted,
        tracked_home=tracked,
    )


def export(
    repo: Path, base: str, folder: Path, now: Path, without: Path | None = None
) -> tuple[Path, tuple[PathChange, ...], str]:
    """Write the files of a commit, and those of the working tree, into folders of their own.

    The working tree's files are written from the objects that its id is the id of, so that both are of the
    same bytes whatever happens to the files meanwhile. The engine's files in its home `without` are neither a
    change nor part of the tree.

    Args:
        repo: a folder inside the working tree.
        base: full id of the commit; empty for the empty tree.
        folder: an empty folder for the files of the commit.
        now: an empty folder for those of the working tree.
        without: the engine's own home.

    Returns:
        The working tree's root, how it differs from the commit, and its tree's id.

    Raises:
        GitUnavailable: there is no git, no repository, or no such commit in it, or an object of it has other
            bytes than its id says.
    """
    real = find(repo)
    with scratch_of(real) as scratch:
        changes = _outside(real.root, scratch.changes(base)[0], without)
        tree = scratch.working_tree(changes)
        scratch.write_files(now, scratch.staged())
        scratch.read_tree(base)
        scratch.write_files(folder, scratch.listing(base))
    return real.root, changes, tree


def patch_of_commit(repo: Path, base: str, commit: str, patch: bytes) -> PatchCheck:
    """Whether a patch makes one commit of another, and at which paths it does not.

    Args:
        repo: a folder of the repository.
        base: full id of the commit that the patch is applied to.
        commit: full id of the commit that should come of it.
        patch: the patch.

    Raises:
        GitUnavailable: there is no git, no repository, or not both commits in it.
    """
    real = find(repo)
    with scratch_of(real) as scratch:
        for one in (base, commit):
            if not _COMMIT.fullmatch(one) or not scratch.succeeds("cat-file", "-e", f"{one}^{{commit}}"):
                raise GitUnavailable(
                    f"the commit {one or 'that the task began from'} is not in the repository"
                )
        applied = scratch.apply(base, patch)
        if not applied.applies:
            return applied
        scratch.listing(commit)
        raw = ("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-ext-diff", commit)
        differing = tuple(sorted(change.path for change in parsed_changes(scratch.run(*raw))))
    return replace(applied, differing=differing)


def top_of(repo: Path) -> Path:
    """Root of the working tree a folder lies in.

    Raises:
        GitUnavailable: it lies in none.
    """
    return find(repo).root


def _submodule_changes(
    real: Repository, changes: tuple[PathChange, ...], pinned: Mapping[str, str], *, depth: int
) -> tuple[PathChange, ...]:
    """Changes inside submodules that are checked out, against the commits they are pinned to."""
    if len(pinned) > SUBMODULES_MAX or (pinned and depth >= SUBMODULE_DEPTH_MAX):
        raise GitUnavailable("there are more submodules than are looked into")
    moved = {change.path for change in changes}
    found: list[PathChange] = []
    for path, commit in pinned.items():
        if path in moved or _is_empty(real.root / path):
            continue
        inner = find(real.root / path)
        if inner.root.resolve() != (real.root / path).resolve():
            # Without its `.git` the folder belongs to the repository around it, which does not look into it.
            raise GitUnavailable(
                f"the submodule {quoted(path)} has files and no repository, so nobody sees them"
            )
        with scratch_of(inner) as scratch:
            inside, _ = scratch.changes(commit)
            below = scratch.submodules(commit)
        inside = (*inside, *_submodule_changes(inner, inside, below, depth=depth + 1))
        found.extend(_below(path, change) for change in inside)
    return tuple(found)


def _is_empty(folder: Path) -> bool:
    """Whether a submodule is not checked out."""
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise GitUnavailable(
            f"the submodule {quoted(folder.name)} cannot be read: {error.strerror}"
        ) from error


def _below(folder: str, change: PathChange) -> PathChange:
    old_path = f"{folder}/{change.old_path}" if change.old_path else ""
    return replace(change, path=f"{folder}/{change.path}", old_path=old_path)
