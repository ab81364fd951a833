"""Whether a hook may have left anything to enter: every step of a task asks, so it is cheap."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = "hook"
ENTERING: Final = "spool.entering"


def any_hook(home: Path) -> bool:
    """Whether a hook was set up in this home. Where it left no lines, its head tells if they are gone."""
    return (home / FOLDER).is_dir()
