"""Reading one commit of a repository: its files, single paths at a ref, and when each path last changed.

Only objects are read, never the working tree: what is under review is what was committed. The commit, its
trees and each file that is read are hashed anew, for git does not look whether they are what their ids say.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phasegate.engine.app.git.hashed import hash_blob, listing, tree_of
from phasegate.engine.app.git.names import resolve_commit
from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.engine.app.git.truth import top_of

FILES_MAX: Final = 100_000
BYTES_MAX: Final = 512 * 1024 * 1024
_BATCH_BYTES: Final = 32 * 1024 * 1024
_PLAIN_FILES: Final = (b"100644", b"100755")


@dataclass(frozen=True, slots=True)
class Blob:
    """A plain file of a commit."""

    path: str
    id: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a repository.

    Attributes:
        root: the working tree's root.
        id: full id of the commit.
        tree: full id of its tree.
    """

    root: Path
    id: str
    tree: str

    def blobs(self) -> tuple[Blob, ...]:
        """Its plain files; links and submodules have no content of their own.

        Raises:
            GitUnavailable: it cannot be read, or has more than `FILES_MAX` files.
        """
        listed = self._git("ls-tree", "-r", "-z", "-l", "--full-tree", self.id).split(b"\0")
        found = []
        for line in listed:
            head, _, name = line.partition(b"\t")
            fields = head.split()
            if fields and fields[0] in _PLAIN_FILES:
                found.append(Blob(os.fsdecode(name), fields[2].decode("ascii"), int(fields[3])))
        if len(found) > FILES_MAX:
            raise GitUnavailable(f"the commit has more than {FILES_MAX} files")
        return tuple(found)

    def read(self, blobs: Iterable[Blob], *, file_bytes_max: int) -> dict[str, bytes]:
        """Contents by path; of a file larger than the limit only one byte more than that.

        Raises:
            GitUnavailable: it cannot be read, or is larger in all than `BYTES_MAX`.
        """
        found: dict[str, bytes] = {}
        batch: list[Blob] = []
        total = 0
        for blob in blobs:
            if blob.size_bytes > file_bytes_max:
                found[blob.path] = bytes(file_bytes_max + 1)
                continue
            total += blob.size_bytes
            if total > BYTES_MAX:
                raise GitUnavailable(f"the files to read have more than {BYTES_MAX} bytes")
            batch.append(blob)
            if sum(item.size_bytes for item in batch) > _BATCH_BYTES:
                found.update(self._contents(batch))
                batch.clear()
        found.update(self._contents(batch))
        return found

    def _contents(self, blobs: Collection[Blob]) -> dict[str, bytes]:
        """Contents from `git cat-file --batch`: a line with id, type and size, the bytes, a line end."""
        if not blobs:
            return {}
        asked = "".join(f"{blob.id}\n" for blob in blobs).encode()
        answer = self._git("cat-file", "--batch", stdin=asked)
        found: dict[str, bytes] = {}
        place = 0
        for blob in blobs:
            start = answer.index(b"\n", place) + 1
            found[blob.path] = hash_blob(answer[start : start + blob.size_bytes], blob.id)
            place = start + blob.size_bytes + 1
        return found

    def changed_since(self, base: str) -> frozenset[str]:
        """Paths that differ between the point where it left `base` and this commit.

        Raises:
            GitUnavailable: there is no such base, or the two have nothing in common.
        """
        since = f"{resolve_commit(self.root, base)}...{self.id}"
        names = self._git("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", since)
        return frozenset(os.fsdecode(name) for name in names.split(b"\0") if name)

    def forked_from(self, base: str, commit: str) -> bool:
        """Whether a commit is the point where this one left `base`.

        An earlier one is not: the tests that came in between would be compared with nothing, and could go.

        Raises:
            GitUnavailable: there is no such base or commit, or they have nothing in common.
        """
        fork = self._git("merge-base", resolve_commit(self.root, base), self.id).decode().strip()
        return resolve_commit(self.root, commit) == fork

    def times(self) -> dict[str, int]:
        """When the content of each path last changed, in seconds since 1970 by the committer's clock.

        A merge changes what is as in none of its parents; what it takes from one of them changed there. A
        change of the mode alone (`chmod +x`) is none.

        Raises:
            GitUnavailable: the history cannot be read, or is not all there.
        """
        if self._git("rev-parse", "--is-shallow-repository").strip() == b"true":
            raise GitUnavailable("the clone is shallow, so it is not known when files last changed")
        log = self._git(
            "log", "--format=%x00%x00%ct", "-c", "--raw", "--no-abbrev", "-z", "--no-renames", self.id
        )
        found: dict[str, int] = {}
        for record in log.split(b"\0\0\0"):
            head, _, changes = record.strip(b"\0").partition(b"\0")
            # Of a merge the changes follow an empty field, of another commit a line end.
            fields = filter(None, changes.removeprefix(b"\n").split(b"\0"))
            for change, name in zip(fields, fields, strict=True):
                # The log goes back in time; the newest change of a path is the first seen.
                if _changes_content(change):
                    found.setdefault(os.fsdecode(name), int(head))
        return found

    def at(self, ref: str, path: str) -> bytes:
        """Bytes of a file as of another ref.

        Raises:
            GitUnavailable: there is no such ref, or no such file in it.
        """
        commit = resolve_commit(self.root, ref)
        entry = listing(self._asked, commit).get(os.fsencode(path.removeprefix("./")))
        if entry is None:
            raise GitUnavailable(f"it is not in the commit {commit[:12]}")
        return hash_blob(self._git("cat-file", "blob", entry.id), entry.id)

    def tree_of(self, commit: str) -> str:
        """Id of the tree of a commit; empty when it is not in the repository."""
        try:
            return tree_of(self._asked, resolve_commit(self.root, commit))
        except GitUnavailable:
            return ""

    def _asked(self, argv: Sequence[str], stdin: bytes) -> bytes:
        return self._git(*argv, stdin=stdin)

    def _git(self, *args: str, stdin: bytes = b"") -> bytes:
        return run_git(("-C", str(self.root), *args), {}, stdin=stdin)


def open_commit(repo: Path, ref: str = "HEAD") -> Commit:
    """The commit a ref stands for.

    Raises:
        GitUnavailable: there is no git, no repository, or no such commit in it; or its objects are not what
            their ids say.
    """
    root = top_of(repo)
    commit = resolve_commit(root, ref)
    if not commit:
        raise GitUnavailable("the repository has no commit yet")

    def git(argv: Sequence[str], stdin: bytes) -> bytes:
        return run_git(("-C", str(root), *argv), {}, stdin=stdin)

    listing(git, commit)
    return Commit(root, commit, tree_of(git, commit))


def _changes_content(change: bytes) -> bool:
    """Whether a change is more than one of the mode (git-diff-tree, "Raw output format" and "-c")."""
    parents = len(change) - len(change.lstrip(b":"))
    fields = change.lstrip(b":").split(b" ")
    before, after, status = fields[parents + 1 : -2], fields[-2], fields[-1]
    return after not in before or b"T" in status
