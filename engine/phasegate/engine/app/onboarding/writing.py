"""What onboarding writes into a repository: shown as a diff first, through no link, each file in one step."""

from __future__ import annotations

import difflib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phasegate.engine.app.onboarding.tables import REPORTS
from phasegate.engine.core.errors import BadInput

PROFILE: Final = ".phasegate/process.yaml"
"""Where a profile is written, from the repository's root."""
IGNORED: Final = f"{REPORTS}/.gitignore"
_NO_NEWLINE: Final = "\\ No newline at end of file\n"
IGNORING: Final = "*\n!.gitignore\n"
"""Reports are no part of a change; the folder itself is, so that tools find it in every checkout."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one file.

    Attributes:
        path: from the repository's root.
        before: its bytes; None where there is none yet.
        after: its text.
    """

    path: str
    before: bytes | None
    after: str

    @property
    def replaces(self) -> bool:
        """Whether something else is there."""
        return self.before is not None and self.before != self.after.encode()

    @property
    def diff(self) -> str:
        """A unified diff; empty where nothing changes."""
        old = (self.before or b"").decode(errors="replace").splitlines(keepends=True)
        source = f"a/{self.path}" if self.before is not None else "/dev/null"
        new = self.after.splitlines(keepends=True)
        lines = difflib.unified_diff(old, new, source, f"b/{self.path}")
        return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in lines)


def changes_for(root: Path, text: str) -> tuple[Change, ...]:
    """What writing a profile would do to a repository, a file that stays the same left out.

    Args:
        root: the repository's folder.
        text: the profile.

    Raises:
        BadInput: there is a link or no usual file where one would be written, or it cannot be read.
    """
    for part in (root / ".phasegate", root / REPORTS):
        if part.is_symlink() or (part.exists() and not part.is_dir()):
            raise BadInput(f"`{part}` is no folder", "take it away: a profile is written into the repository")
    ignored = Change(IGNORED, _before(root / IGNORED), IGNORING)
    profile = Change(PROFILE, _before(root / PROFILE), text)
    # What somebody wrote to ignore reports, in whatever words, is theirs.
    made = (ignored,) if ignored.before is None else ()
    return (*made, *((profile,) if profile.before != text.encode() else ()))


def write(root: Path, text: str, *, force: bool = False) -> tuple[Path, ...]:
    """Write a profile, and the folder that its commands put their reports into; returns what was written.

    Raises:
        BadInput: there is another profile, or what `changes_for` raises, or it cannot be written.
    """
    changes = changes_for(root, text)
    for change in changes:
        if change.replaces and not force:
            raise BadInput(
                f"`{root / change.path}` is there already, and another one",
                "see what would change with `engine onboard --dry-run`; `--force` replaces it",
            )
    for change in changes:
        try:
            _replace(root / change.path, change.after)
        except OSError as error:
            raise BadInput(
                f"`{root / change.path}` cannot be written: {error.strerror}",
                "make the folder writable, or keep what `engine onboard --format yaml` prints",
            ) from error
    return tuple(root / change.path for change in changes)


def _before(place: Path) -> bytes | None:
    if place.is_symlink() or (place.exists() and not place.is_file()):
        raise BadInput(
            f"`{place}` is no usual file", "take it away: a profile is written into the repository"
        )
    try:
        return place.read_bytes() if place.exists() else None
    except OSError as error:
        raise BadInput(f"`{place}` cannot be read: {error.strerror}", "make it readable") from error


def _replace(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=place.parent, prefix=".draft-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
        Path(draft).chmod(0o644)
        Path(draft).replace(place)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise
