"""Is a patch a git diff, and does it touch the files it is said to touch?

Reads the format of `git diff` (git-diff documentation, "Generating patch text with -p"; hunks as in POSIX
diff, "Diff -u Output Format"). Every hunk's line counts are checked, so a patch cut short does not pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from phasegate.validators.companions import companion
from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted

_HUNK = re.compile(rb"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|[abtnvfr\"\\])")
_LETTERS = {
    b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r",
    b'"': b'"', b"\\": b"\\",
}  # fmt: skip
_EXTENDED = (
    b"index ", b"old mode ", b"new mode ", b"deleted file mode ", b"new file mode ", b"copy from ",
    b"copy to ", b"rename from ", b"rename to ", b"similarity index ", b"dissimilarity index ",
)  # fmt: skip
_NOWHERE = "/dev/null"


@dataclass(frozen=True, slots=True)
class Patch:
    """What a patch says about files.

    Attributes:
        touched: paths after the change, and before it where the file is deleted.
        renamed_from: paths that renames left behind.
        problems: what keeps it from being a patch: line from 1, message.
    """

    touched: frozenset[str]
    renamed_from: frozenset[str]
    problems: tuple[tuple[int, str], ...]


def patch(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that a git diff parses, names files, and names the files its companion names.

    Parameters: `modified_files` (default `modified_files.json`), the companion's name.

    Findings: `patch.too_large`, `patch.malformed`, `patch.empty`, `patch.files_differ`, and those of
    `companions.companion`.

    Raises:
        BadParameterError: `modified_files` is not a name.
    """
    name = context.params.get("modified_files", "modified_files.json")
    if not isinstance(name, str) or not name:
        raise BadParameterError("`modified_files` must name an artifact", "write `modified_files: NAME`")
    if len(artifact.content) > LIMITS.max_patch_bytes:
        message = f"the patch has {len(artifact.content)} bytes, more than {LIMITS.max_patch_bytes}"
        return (Finding("patch.too_large", artifact.name, "document", message, "split the change"),)
    parsed = parse_patch(artifact.content)
    remedy = "write the patch with `git diff` and do not edit it"
    if parsed.problems:
        return tuple(
            Finding("patch.malformed", artifact.name, f"line {number}", message, remedy)
            for number, message in parsed.problems
        )
    if not parsed.touched:
        return (Finding("patch.empty", artifact.name, "document", "the patch names no file", remedy),)
    return _compared(artifact, context, parsed, name)


def parse_patch(content: bytes) -> Patch:
    """Return what a patch touches; text before the first diff is passed over, as `git apply` does."""
    reader = _Reader(content.split(b"\n"))
    while reader.at < len(reader.lines) and not reader.problems:
        reader.step()
    reader.finish_file()
    return Patch(frozenset(reader.touched), frozenset(reader.renamed_from), tuple(reader.problems))


def _compared(artifact: Artifact, context: Context, parsed: Patch, name: str) -> tuple[Finding, ...]:
    listed, findings = companion(artifact, context, name, "modified_files")
    if findings:
        return findings
    named = {item if isinstance(item, str) else item["path"] for item in listed["files"]}
    differences = [
        (path, f"the patch touches {quoted(path)}, which {quoted(name)} does not name")
        for path in sorted(parsed.touched - named)
    ]
    differences += [
        (path, f"{quoted(name)} names {quoted(path)}, which the patch does not touch")
        for path in sorted(named - parsed.touched - parsed.renamed_from)
    ]
    remedy = f"write the patch and {quoted(name)} from the same change"
    return tuple(
        Finding("patch.files_differ", artifact.name, quoted(path), message, remedy)
        for path, message in differences
    )


@dataclass(slots=True)
class _Reader:
    """A line-by-line reader; one file's header lines are gathered until its diff ends."""

    lines: list[bytes]
    at: int = 0
    touched: set[str] = field(default_factory=set)
    renamed_from: set[str] = field(default_factory=set)
    problems: list[tuple[int, str]] = field(default_factory=list)
    header: bytes | None = None
    header_line: int = 0
    old: str | None = None
    new: str | None = None
    renames: tuple[str, str] | None = None
    rename_source: str = ""
    has_body: bool = False

    def step(self) -> None:
        """Read one header line or one whole hunk."""
        line = self.lines[self.at]
        if line.startswith(b"diff --git "):
            self.finish_file()
            self.header, self.header_line = line.rstrip(b"\r")[11:], self.at + 1
        elif line.startswith(b"--- ") and self._next_starts(b"+++ "):
            if self.has_body:
                self.finish_file()
            self.old = _path(line[4:], strip=True)
            self.new = _path(self.lines[self.at + 1][4:], strip=True)
            self.at += 1
            if not self._next_starts(b"@@ -"):
                self._problem("no hunk follows the file names")
            self.header_line = self.header_line or self.at
        elif line.startswith(b"@@ "):
            self._hunk(line)
            return
        elif self.header is not None and not self.has_body:
            self._extended(line)
        elif self.has_body and line[:1] in {b"+", b"-", b" "} and not line.startswith(b"-- "):
            self._problem("a line stands outside any hunk")
        self.at += 1

    def finish_file(self) -> None:
        """Take note of the file whose diff has ended, and be ready for the next."""
        if self.renames:
            self.renamed_from.add(self.renames[0])
            self.touched.add(self.renames[1])
        elif self.old is not None or self.new is not None:
            path = self.old if self.new == _NOWHERE else self.new
            if path and path != _NOWHERE:
                self.touched.add(path)
            else:
                self.problems.append((self.header_line, "a diff names no file"))
        elif self.header is not None:
            path = _header_path(self.header)
            if path and self.has_body:
                self.touched.add(path)
            else:
                self.problems.append((self.header_line, "a diff names no file, or changes nothing"))
        self.header = self.old = self.new = self.renames = None
        self.rename_source, self.has_body, self.header_line = "", False, 0

    def _next_starts(self, prefix: bytes) -> bool:
        return self.at + 1 < len(self.lines) and self.lines[self.at + 1].startswith(prefix)

    def _problem(self, message: str) -> None:
        self.problems.append((self.at + 1, message))

    def _extended(self, line: bytes) -> None:
        if line.startswith((b"rename from ", b"copy from ")):
            self.rename_source = _path(line.partition(b" from ")[2])
        elif line.startswith(b"copy to ") and self.rename_source:
            self.old = self.new = _path(line[8:])
        elif line.startswith(b"rename to ") and self.rename_source:
            self.renames = (self.rename_source, _path(line[10:]))
        elif line.startswith((b"Binary files ", b"GIT binary patch")):
            self.has_body = True
            self._skip_binary()
        elif line.startswith((b"new file mode ", b"deleted file mode ", b"new mode ")):
            # An empty file, or a change of mode alone, has no hunk.
            self.has_body = self._ends_here()
        elif not line.startswith(_EXTENDED) and line.strip():
            self._problem(f"{quoted(line.decode('utf-8', 'replace'))} does not belong to a diff's header")

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
        if self.old is None:
            self._problem("a hunk follows no file names")
            return
        self.has_body = True
        old_left, new_left = (1 if count is None else int(count) for count in match.groups())
        start = self.at + 1
        self.at = start
        while old_left > 0 or new_left > 0:
            mark = self.lines[self.at][:1] if self.at < len(self.lines) else b"?"
            old_left -= mark in {b" ", b"-", b""}
            new_left -= mark in {b" ", b"+", b""}
            is_last_line = self.at == len(self.lines) - 1
            if mark not in {b" ", b"+", b"-", b"\\", b""} or (mark == b"" and is_last_line):
                self.problems.append((start, "the hunk ends before the lines its header counts"))
                return
            self.at += 1
        if old_left < 0 or new_left < 0:
            self.problems.append((start, "the hunk has more lines than its header counts"))
        elif self.at < len(self.lines) and self.lines[self.at].startswith(b"\\"):
            self.at += 1


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
