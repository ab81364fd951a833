"""Reading git diffs: which files, which lines.

Reads the format of `git diff` (git-diff documentation, "Generating patch text with -p"; hunks as in POSIX
diff, "Diff -u Output Format"). Every hunk's line counts are checked, so a patch cut short does not pass. No
I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from phasegate.validators.quoting import quoted

_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|[abtnvfr\"\\])")
_LETTERS = {
    b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r",
    b'"': b'"', b"\\": b"\\",
}  # fmt: skip
_EXTENDED = (
    b"index ", b"old mode ", b"new mode ", b"deleted file mode ", b"new file mode ", b"copy from ",
    b"copy to ", b"rename from ", b"rename to ", b"similarity index ", b"dissimilarity index ",
)  # fmt: skip
_MODES = (b"new file mode ", b"deleted file mode ", b"new mode ")
_NOWHERE = "/dev/null"


class Change(StrEnum):
    """What a patch does to a file."""

    ADD = "add"
    MODIFY = "modify"
    DELETE = "delete"
    RENAME = "rename"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a patch does to one file.

    Attributes:
        path: after the change; before it where the file is deleted.
        old_path: before the change; empty where the file is new.
        change: what is done.
        added: lines that are new, with their numbers from 1 after the change.
        removed: lines that are taken out, with their numbers before the change.
        binary: whether content is changed that is not shown as lines.
        mode: the file's mode as git writes it (`100644`, `120000`, `160000`), empty where none is named.
    """

    path: str
    old_path: str
    change: Change
    added: tuple[tuple[int, str], ...] = ()
    removed: tuple[tuple[int, str], ...] = ()
    binary: bool = False
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Patch:
    """What a patch says about files.

    Attributes:
        touched: paths after the change, and before it where the file is deleted.
        renamed_from: paths that renames left behind.
        problems: what keeps it from being a patch: line from 1, message.
        files: each file's change, in order.
    """

    touched: frozenset[str]
    renamed_from: frozenset[str]
    problems: tuple[tuple[int, str], ...]
    files: tuple[FileChange, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        """Every path the patch names, those that renames left behind included."""
        return self.touched | self.renamed_from


def parse_patch(content: bytes) -> Patch:
    """Return what a patch touches; text before the first diff is passed over, as `git apply` does."""
    reader = _Reader(content.split(b"\n"))
    while reader.at < len(reader.lines) and not reader.problems:
        reader.step()
    reader.finish_file()
    touched = frozenset(file.path for file in reader.files)
    left = frozenset(file.old_path for file in reader.files if file.change is Change.RENAME)
    return Patch(touched, left, tuple(reader.problems), tuple(reader.files))


@dataclass(slots=True)
class _File:
    """The file whose diff is being read."""

    header: bytes | None = None
    line: int = 0
    old: str | None = None
    new: str | None = None
    source: str = ""
    target: str = ""
    moved: Change | None = None
    change: Change = Change.MODIFY
    mode: str = ""
    binary: bool = False
    has_body: bool = False
    added: list[tuple[int, str]] = field(default_factory=list)
    removed: list[tuple[int, str]] = field(default_factory=list)

    def finished(self) -> FileChange | None:
        """Return the change, or None if the diff names no file or does nothing to it."""
        path, old_path, change = self._names()
        if not path or path == _NOWHERE:
            return None
        return FileChange(
            path, old_path, change, tuple(self.added), tuple(self.removed), self.binary, self.mode
        )

    def _names(self) -> tuple[str, str, Change]:
        if self.moved is not None:
            return self.target, self.source, self.moved
        if self.old is not None and self.new is not None:
            if self.new == _NOWHERE:
                return self.old, self.old, Change.DELETE
            if self.old == _NOWHERE:
                return self.new, "", Change.ADD
            return self.new, self.old, self.change
        path = _header_path(self.header or b"") or ""
        if not self.has_body:
            return "", "", self.change
        return path, "" if self.change is Change.ADD else path, self.change


@dataclass(slots=True)
class _Reader:
    """A line-by-line reader; one file's header lines are gathered until its diff ends."""

    lines: list[bytes]
    at: int = 0
    files: list[FileChange] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    file: _File = field(default_factory=_File)

    def step(self) -> None:
        """Read one header line or one whole hunk."""
        line = self.lines[self.at]
        if line.startswith(b"diff --git "):
            self.finish_file()
            self.file = _File(header=line.rstrip(b"\r")[11:], line=self.at + 1)
        elif line.startswith(b"--- ") and self._next_starts(b"+++ "):
            self._names(line)
        elif line.startswith(b"@@ "):
            self._hunk(line)
            return
        elif self.file.header is not None and not self.file.has_body:
            self._extended(line)
        elif self.file.has_body and line[:1] in {b"+", b"-", b" "} and not line.startswith(b"-- "):
            self._problem("a line stands outside any hunk")
        self.at += 1

    def finish_file(self) -> None:
        """Take note of the file whose diff has ended, and be ready for the next."""
        file, self.file = self.file, _File()
        if file.header is None and file.old is None and file.moved is None:
            return
        change = file.finished()
        if change is None:
            self.problems.append((file.line, "a diff names no file, or changes nothing"))
        else:
            self.files.append(change)

    def _names(self, line: bytes) -> None:
        if self.file.has_body:
            self.finish_file()
        self.file.old = _path(line[4:], strip=True)
        self.file.new = _path(self.lines[self.at + 1][4:], strip=True)
        self.at += 1
        if not self._next_starts(b"@@ -"):
            self._problem("no hunk follows the file names")
        self.file.line = self.file.line or self.at

    def _next_starts(self, prefix: bytes) -> bool:
        return self.at + 1 < len(self.lines) and self.lines[self.at + 1].startswith(prefix)

    def _problem(self, message: str) -> None:
        self.problems.append((self.at + 1, message))

    def _extended(self, line: bytes) -> None:
        if line.startswith((b"rename from ", b"copy from ")):
            self.file.source = _path(line.partition(b" from ")[2])
        elif line.startswith((b"rename to ", b"copy to ")) and self.file.source:
            self.file.target = _path(line.partition(b" to ")[2])
            self.file.moved = Change.RENAME if line.startswith(b"r") else Change.COPY
        elif line.startswith((b"Binary files ", b"GIT binary patch")):
            self.file.has_body = self.file.binary = True
            self._skip_binary()
        elif line.startswith(_MODES):
            self._mode(line)
        elif not line.startswith(_EXTENDED) and line.strip():
            self._problem(f"{quoted(line.decode('utf-8', 'replace'))} does not belong to a diff's header")

    def _mode(self, line: bytes) -> None:
        self.file.mode = line.rsplit(b" ", 1)[1].strip().decode("ascii", "replace")
        if not line.startswith(b"new mode "):
            self.file.change = Change.ADD if line.startswith(b"new") else Change.DELETE
        # An empty file, or a change of mode alone, has no hunk.
        self.file.has_body = self._ends_here()

    def _ends_here(self) -> bool:
        following = self.at + 1
        while following < len(self.lines) and self.lines[following].startswith(_EXTENDED):
            following += 1
        rest = self.lines[following : following + 1]
        return not rest or not rest[0].strip() or rest[0].startswith(b"diff --git ")

    def _skip_binary(self) -> None:
        while self.at + 1 < len(self.lines) and not self._next_starts(b"diff --git "):
            self.at += 1

    def _hunk(self, line: bytes) -> None:
        match = _HUNK.match(line)
        if match is None:
            self._problem("a hunk's header is malformed")
            return
        if self.file.old is None:
            self._problem("a hunk follows no file names")
            return
        self.file.has_body = True
        old_at, old_left, new_at, new_left = (1 if part is None else int(part) for part in match.groups())
        start = self.at + 1
        self.at = start
        while old_left > 0 or new_left > 0:
            line = self.lines[self.at] if self.at < len(self.lines) else b"?"
            mark = line[:1]
            is_last_line = self.at == len(self.lines) - 1
            if mark not in {b" ", b"+", b"-", b"\\", b""} or (mark == b"" and is_last_line):
                self.problems.append((start, "the hunk ends before the lines its header counts"))
                return
            self._body_line(mark, line, old_at, new_at)
            in_old, in_new = mark in {b" ", b"-", b""}, mark in {b" ", b"+", b""}
            old_at, old_left = old_at + in_old, old_left - in_old
            new_at, new_left = new_at + in_new, new_left - in_new
            self.at += 1
        if old_left < 0 or new_left < 0:
            self.problems.append((start, "the hunk has more lines than its header counts"))
        elif self.at < len(self.lines) and self.lines[self.at].startswith(b"\\"):
            self.at += 1

    def _body_line(self, mark: bytes, line: bytes, old_at: int, new_at: int) -> None:
        if mark == b"+":
            self.file.added.append((new_at, line[1:].decode("utf-8", "replace")))
        elif mark == b"-":
            self.file.removed.append((old_at, line[1:].decode("utf-8", "replace")))


def _path(raw: bytes, *, strip: bool = False) -> str:
    """Return a path as git writes it: C-quoted where it holds odd bytes, `a/` and `b/` taken off."""
    raw = raw.rstrip(b"\r")
    if raw.startswith(b'"') and raw.endswith(b'"') and len(raw) > 1:
        raw = _ESCAPE.sub(_unescaped, raw[1:-1])
    else:
        # What follows a tab is a time stamp.
        raw = raw.partition(b"\t")[0]
    if strip and raw[:2] in {b"a/", b"b/", b"c/", b"i/", b"o/", b"w/"}:
        raw = raw[2:]
    return raw.decode("utf-8", "replace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return _LETTERS[code] if code in _LETTERS else bytes([int(code, 8) & 0xFF])


def _header_path(header: bytes) -> str | None:
    """Return the path of `a/PATH b/PATH`; only a rename has two, and it names them on lines of their own."""
    if header.startswith(b'"'):
        middle = header.find(b'" ', 1)
        return _path(header[middle + 2 :], strip=True) if middle > 0 else None
    middle = len(header) // 2
    left, right = header[:middle], header[middle + 1 :]
    if header[middle : middle + 1] != b" " or left[2:] != right[2:] or not left[2:]:
        return None
    return _path(right, strip=True)
