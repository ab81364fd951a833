"""Objects of a repository, hashed anew: git itself does not look whether what it reads is what its id says.

An object is named by the hash of its bytes (gitformat-loose, "Object header"), but git compares the two only
where objects come in by a fetch. Whoever can write into `.git/objects` can put other bytes under a known
name: of a base commit with a weakened test, neither a patch nor a tree's id would tell. So what is read as a
commit is hashed by us before it counts: commits and trees as they are read, files as they were laid out.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from phasegate.engine.app.git.running import GitUnavailable

LINK: Final = "120000"
SUBMODULE: Final = "160000"
TREE: Final = "040000"
_AT_ONCE: Final = 1_000
_CHUNK_BYTES: Final = 1 << 20
_SHA1_CHARS: Final = 40
_FIELDS: Final = 3
_HEAD_BYTES_MAX: Final = 200

Git = Callable[[Sequence[str], bytes], bytes]
"""Runs git in one repository: its arguments and standard input; returns what it printed."""


class Entry(NamedTuple):
    """What a tree says of one path: a mode as git writes it, and the object's id."""

    mode: str
    id: str


def listing(git: Git, commit: str, others: Sequence[str] = ()) -> Mapping[bytes, Entry]:
    """Files, links and submodules of a commit by path, after the commit and all its trees were hashed.

    Args:
        git: of the repository.
        commit: full id of the commit.
        others: commits that are hashed as well, so that the parents that they name are the real ones.

    Raises:
        GitUnavailable: an object is not there, or its bytes are not what its id says.
    """
    answered = git(("ls-tree", "-r", "-t", "-z", "--full-tree", commit), b"").split(b"\0")
    found: dict[bytes, Entry] = {}
    trees: dict[str, None] = {}
    for line in filter(None, answered):
        head, _, path = line.partition(b"\t")
        mode, _, name = head.decode("ascii", "replace").split(" ")
        if mode == TREE:
            trees[name] = None
        else:
            found[path] = Entry(mode, name)
    root = f"{commit}^{{tree}}"
    asked = (commit, root, *trees, *others)
    objects = {one: (name, data) for one, name, data in read_objects(git, asked)}
    if objects[root][0] != _named_tree(objects[commit][1]):
        raise _altered(commit)
    return found


def tree_of(git: Git, commit: str) -> str:
    """Id of the tree that a commit names, after the commit was hashed.

    Raises:
        GitUnavailable: it is not there, or its bytes are not what its id says.
    """
    ((_, _, data),) = read_objects(git, (commit,))
    return _named_tree(data)


def hash_blob(data: bytes, name: str) -> bytes:
    """The bytes of a file, if they are what its id says.

    Raises:
        GitUnavailable: they are others.
    """
    if _id(b"blob", data, name) != name:
        raise _altered(name)
    return data


def hash_files(folder: Path, entries: Iterable[tuple[bytes, Entry]]) -> None:
    """Hash files and links that were laid out in a folder.

    Raises:
        GitUnavailable: one is not there, or its bytes are not what the id says that it was laid out by.
    """
    for path, entry in entries:
        if entry.mode == SUBMODULE:
            continue
        try:
            name = _id_of_file(folder / os.fsdecode(path), entry)
        except OSError as error:
            raise GitUnavailable(f"`{os.fsdecode(path)}` was not laid out: {error.strerror}") from error
        if name != entry.id:
            raise _altered(entry.id)


def read_objects(git: Git, asked: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    """Objects, hashed: what was asked for, the id, and the bytes.

    Raises:
        GitUnavailable: one is not there, or its bytes are not what its id says.
    """
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        answer = git(("cat-file", "--batch", "--buffer"), "".join(f"{name}\n" for name in some).encode())
        place = 0
        for one in some:
            head, _, _ = answer[place : place + _HEAD_BYTES_MAX].partition(b"\n")
            end, fields = place + len(head), head.split(b" ")
            if len(fields) != _FIELDS or not fields[2].isdigit():
                raise GitUnavailable(f"the object {one} is not in the repository")
            name, kind, size = fields[0].decode("ascii", "replace"), fields[1], int(fields[2])
            data = answer[end + 1 : end + 1 + size]
            if _id(kind, data, name) != name or (one != name and not one.endswith("^{tree}")):
                raise _altered(one)
            yield one, name, data
            place = end + 1 + size + 1


def _named_tree(commit: bytes) -> str:
    """The tree that a commit's first line names (gitformat-commit: `tree ID`)."""
    return commit.partition(b"\n")[0].removeprefix(b"tree ").decode("ascii", "replace")


def _id(kind: bytes, data: bytes, name: str) -> str:
    """The id of an object, by the hash that another id of the repository was made with."""
    hashed = _begun(kind, len(data), name)
    hashed.update(data)
    return hashed.hexdigest()


def _begun(kind: bytes, size: int, name: str) -> hashlib._Hash:
    # SHA-1 is what git names objects by; nothing of ours is.
    is_sha1 = len(name) == _SHA1_CHARS
    hashed = hashlib.sha1(usedforsecurity=False) if is_sha1 else hashlib.sha256()
    hashed.update(b"%s %d\0" % (kind, size))
    return hashed


def _id_of_file(place: Path, entry: Entry) -> str:
    if entry.mode == LINK:
        # The very bytes: a path object would leave out a second slash.
        return _id(b"blob", os.fsencode(os.readlink(place)), entry.id)  # noqa: PTH115
    with place.open("rb") as file:
        hashed = _begun(b"blob", os.fstat(file.fileno()).st_size, entry.id)
        while chunk := file.read(_CHUNK_BYTES):
            hashed.update(chunk)
    return hashed.hexdigest()


def _altered(name: str) -> GitUnavailable:
    return GitUnavailable(
        f"the object {name} has other bytes than its id says; "
        "see `git fsck`, and fetch it anew from where the base branch is kept"
    )
