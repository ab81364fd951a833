"""The engine's own files in a working tree: what lies below the home and is named as the engine names it.

The home may lie among the sources (`state/`, `src/state/`), and whoever does the work can write into it. So
not all that lies below it is left out of the comparison, but only files of the layout that `home` describes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_LAYOUT: Final = re.compile(
    r"\.gitignore|\.?home\.json(?:\.\d+)?|ledger\.db[\w.-]*|objects/sha256/.+"
    r"|(?:evidence|results|telemetry|keys|locks)/.+",
    re.DOTALL,
)


def inside(root: Path, home: Path | None) -> str:
    """The home's path from the working tree's root, with a slash behind it; empty when it lies elsewhere."""
    if home is None or not home.is_relative_to(root) or home == root:
        return ""
    return f"{home.relative_to(root).as_posix()}/"


def is_engines(path: str, folder: str) -> bool:
    """Whether a path is one of the home's layout.

    Args:
        path: from the working tree's root.
        folder: what `inside` returned.
    """
    return bool(folder) and path.startswith(folder) and bool(_LAYOUT.fullmatch(path[len(folder) :]))
