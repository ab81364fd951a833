"""Git as tests run it: without the settings of whoever runs them, and with an author of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> bytes:
    """Run git in a folder; returns what it prints."""
    who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=environ, capture_output=True, check=True, timeout=60
    )
    return done.stdout
