"""Whether a hook left anything to enter: asked by every step of a task, so cheap and without imports."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = "hook"
LINES: Final = "spool.jsonl"
ENTERING: Final = "spool.entering"


def any_spooled(home: Path) -> bool:
    """Whether a hook left anything in this home."""
    folder = home / FOLDER
    return (folder / LINES).exists() or (folder / ENTERING).exists()
