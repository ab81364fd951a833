"""What git prints, read: changes, entries of an index, names; and what it reads, written as it wants it."""

from __future__ import annotations

import re
from pathlib import Path

from phasegate.engine.app.git.hashed import Entry
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.validators.truth import PathChange, PathStatus

_SPECIAL = re.compile(rb"[*?\[\\]")
_STATUS_OF = {
    "A": PathStatus.ADDED,
    "M": PathStatus.MODIFIED,
    "D": PathStatus.DELETED,
    "R": PathStatus.RENAMED,
    "T": PathStatus.TYPE_CHANGED,
}


def parsed_changes(raw: bytes) -> list[PathChange]:
    """The changes that git tells of.

    Read `:OLDMODE NEWMODE OLDID NEWID STATUS`, then one or two paths (git-diff, "Raw output format").
    """
    fields = iter(raw.split(b"\0"))
    found: list[PathChange] = []
    for head in fields:
        if not head:
            break
        parts = head.decode("ascii", "replace").lstrip(":").split(" ")
        letter = parts[-1][:1]
        status = _STATUS_OF.get(letter)
        if status is None:
            raise GitUnavailable(f"git told of a change `{letter}`, such as a merge that is not finished")
        path = text_of(next(fields, b""))
        old_path = ""
        if status is PathStatus.RENAMED:
            old_path, path = path, text_of(next(fields, b""))
        mode = "" if status is PathStatus.DELETED else parts[1]
        found.append(PathChange(path, status, old_path, mode))
    return found


def entries_of(raw: bytes) -> dict[bytes, Entry]:
    """What an index has at each path: `MODE ID STAGE`, a tab, the path (git-ls-files, "Output")."""
    found: dict[bytes, Entry] = {}
    for line in filter(None, raw.split(b"\0")):
        head, _, path = line.partition(b"\t")
        mode, name, _ = head.decode("ascii", "replace").split(" ")
        found[path] = Entry(mode, name)
    return found


def from_root(line: bytes, folder: bytes) -> bytes:
    """A line of a folder's ignore file as a pattern from the root (gitignore, "Pattern format")."""
    if not line.strip() or line.startswith(b"#") or not folder:
        return line + b"\n"
    negation = b"!" if line.startswith(b"!") else b""
    pattern = line.removeprefix(b"!")
    anchored = b"/" in pattern.rstrip(b"/ ")
    below = pattern.lstrip(b"/") if anchored else b"**/" + pattern
    return negation + b"/" + _SPECIAL.sub(rb"\\\g<0>", folder) + b"/" + below + b"\n"


def names_of(raw: bytes) -> list[bytes]:
    """Names that a zero byte ends each of."""
    return [name for name in raw.split(b"\0") if name]


def text_of(name: bytes) -> str:
    """A name as text; bytes that are not UTF-8 are lone surrogates."""
    return name.decode("utf-8", "surrogateescape")


def alternate(objects: Path) -> str:
    """A path as git reads it in a list: quoted as in C where it holds a colon or begins with a quote."""
    text = str(objects)
    if ":" not in text and not text.startswith('"'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
