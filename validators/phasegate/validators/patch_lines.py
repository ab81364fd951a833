"""Do the lines that a patch tells of make the file that `git apply` makes?

git looks for the place of a hunk by its context and not by its numbers (git-apply), and goes on behind a
binary patch where no `diff --git` follows. So a patch can apply and yet name lines by other numbers, or leave
some untold. Here each file is made from what was read of the patch alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phasegate.validators.patch_reader import Change, FileChange

_TYPE_CHANGE = [Change.DELETE, Change.ADD]


def misplaced(
    files: Sequence[FileChange], before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> tuple[str, ...]:
    """Return the paths of which a patch tells other lines than it changes, or tells twice.

    Args:
        files: what was read of the patch.
        before: contents by path before the patch; a path that is missing there had none.
        after: likewise after it was applied.
    """
    told: dict[str, list[Change]] = {}
    wrong: set[str] = set()
    for file in files:
        told.setdefault(file.path, []).append(file.change)
        if not (file.binary or file.change is Change.DELETE):
            made = _made(file, _lines(before.get(file.old_path, b"")) if file.old_path else [])
            wrong.update([file.path] if made != _lines(after.get(file.path, b"")) else [])
    twice = {path for path, changes in told.items() if len(changes) > 1 and changes != _TYPE_CHANGE}
    return tuple(sorted(wrong | twice))


def _made(file: FileChange, old: list[str]) -> list[str]:
    """The lines of a file after its change."""
    removed, added = dict(file.removed), dict(file.added)
    kept = [line for number, line in enumerate(old, start=1) if number not in removed]
    found: list[str] = []
    for line in kept:
        while (number := len(found) + 1) in added:
            found.append(added.pop(number))
        found.append(line)
    return [*found, *added.values()]


def _lines(content: bytes) -> list[str]:
    lines = content.split(b"\n")
    # Whether the last line has an end is no matter of lines.
    return [line.decode("utf-8", "replace") for line in (lines[:-1] if not lines[-1] else lines)]
