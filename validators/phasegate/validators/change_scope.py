"""Does a patch stay within its paths and its size?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phasegate.validators.errors import BadParameterError
from phasegate.validators.globs import Globs, globs
from phasegate.validators.hidden_text import hiding_lines
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.parameters import count, flag
from phasegate.validators.patch import read_patch
from phasegate.validators.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from phasegate.validators.patch_reader import FileChange, Patch

DEFAULT_MAX_FILES = 50
DEFAULT_MAX_LINES = 1_500

_LINK_MODES = frozenset({"120000", "160000"})
_WHOLE = "document"


def change_scope(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check a patch's paths against an allowlist, and its size against caps.

    Parameters: `allow`, the patterns (see `globs`) a path must match; `deny`, those it must not; `max_files`
    (default 50); `max_lines`, added and removed together (default 1,500); `refuse_binary`, true or patterns
    of files that may not be binary, because their lines cannot be counted, and whose lines may hide nothing
    (`hidden_text`); `allow_links`, whether symbolic
    links and submodules may be changed.

    Findings: `change_scope.path_unsafe`, `change_scope.path_not_allowed`, `change_scope.too_many_files`,
    `change_scope.too_many_lines`, `change_scope.binary`, `change_scope.hidden_text`,
    `change_scope.link`, and those of `patch.read_patch`.

    Raises:
        BadParameterError: `allow` is missing, or a parameter is of the wrong shape.
    """
    allow, deny = globs(context.params, "allow"), globs(context.params, "deny")
    if not allow:
        raise BadParameterError("`allow` names no path, so nothing may change", "add `allow: [PATTERN]`")
    max_files = count(context.params, "max_files", DEFAULT_MAX_FILES)
    max_lines = count(context.params, "max_lines", DEFAULT_MAX_LINES)
    refuse_binary, allow_links = _refused(context.params), flag(context.params, "allow_links")
    parsed, findings = read_patch(artifact)
    if findings:
        return findings
    return (
        *path_faults(artifact.name, parsed.paths, allow, deny),
        *_size_faults(artifact.name, parsed, max_files, max_lines),
        *_kind_faults(artifact.name, parsed.files, refuse_binary=refuse_binary, allow_links=allow_links),
    )


def _refused(params: Mapping[str, Any]) -> Globs:
    """Patterns of the files that may not be binary."""
    if isinstance(params.get("refuse_binary"), list | tuple):
        return globs(params, "refuse_binary")
    return Globs(("**",)) if flag(params, "refuse_binary") else Globs()


def path_faults(artifact: str, paths: Iterable[str], allow: Globs, deny: Globs) -> Iterator[Finding]:
    """Yield a finding for each path that leaves the repository or is not allowed, in order of the paths."""
    for path in sorted(paths):
        place = quoted(path)
        if not is_safe_path(path):
            message = f"{quoted(path)} is no path inside the repository"
            remedy = "name files relative to the repository, and nothing of `.git`"
            yield Finding("change_scope.path_unsafe", artifact, place, message, remedy)
        elif deny.matches(path) or not allow.matches(path):
            message = f"{quoted(path)} is outside what this process allows to change"
            remedy = "take it out of the change, or have the process allow the path"
            yield Finding("change_scope.path_not_allowed", artifact, place, message, remedy)


def is_safe_path(path: str) -> bool:
    """Return whether a path is relative, without `..`, and not below `.git`."""
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or (len(path) > 1 and path[1] == ":"):
        return False
    # File systems that ignore case, and NTFS short names, reach the same folder by these.
    return not any(part in {"", ".", ".."} or part.lower() in {".git", "git~1"} for part in parts)


def _size_faults(artifact: str, parsed: Patch, max_files: int, max_lines: int) -> Iterator[Finding]:
    remedy = "split the change into smaller ones, each with its own task"
    if len(parsed.touched) > max_files:
        message = f"the patch touches {len(parsed.touched)} files, more than {max_files}"
        yield Finding("change_scope.too_many_files", artifact, _WHOLE, message, remedy)
    lines = sum(len(file.added) + len(file.removed) for file in parsed.files)
    if lines > max_lines:
        message = f"the patch adds and removes {lines} lines, more than {max_lines}"
        yield Finding("change_scope.too_many_lines", artifact, _WHOLE, message, remedy)


def _kind_faults(
    artifact: str, files: Iterable[FileChange], *, refuse_binary: Globs, allow_links: bool
) -> Iterator[Finding]:
    for file in files:
        if file.binary and refuse_binary.matches(file.path):
            message = f"{quoted(file.path)} is binary, and nobody can review it"
            remedy = "leave it out, or have the process accept binary files"
            yield Finding("change_scope.binary", artifact, quoted(file.path), message, remedy)
        for number, what in hiding_lines(file) if refuse_binary.matches(file.path) else ():
            message = f"line {number} of {quoted(file.path)} is not what it shows, by {what}"
            remedy = "write the character as an escape, and the source in UTF-8 with plain line ends"
            yield Finding("change_scope.hidden_text", artifact, quoted(file.path), message, remedy)
        if file.mode in _LINK_MODES and not allow_links:
            message = f"{quoted(file.path)} is a symbolic link or a submodule"
            remedy = "hand in a plain file, or have the process accept links"
            yield Finding("change_scope.link", artifact, quoted(file.path), message, remedy)
