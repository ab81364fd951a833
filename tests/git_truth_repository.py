"""A repository for git truth to look at, the honest claims of what changed in it, and what is seen and found."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from git_command import git

from phasegate.engine.app.git.truth import phase_rules, snapshot, truth_findings

EVERYWHERE = {"allow": ["**"], "claims": True}
# A commit is the one kind of object that git itself hashes, on some of its ways to it.
ALTERED = re.compile("has other bytes than its id says; see `git fsck`|hash mismatch|base commit is not in")


def made(folder: Path, **files: str) -> Path:
    """A repository with these files, none committed."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def of_sources(folder: Path) -> Path:
    """A repository with sources, a test, a binary file and ignore rules, none committed."""
    (folder / "src").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "src" / "a.py").write_text("x = 1\ny = 2\nz = 3\n" * 5)
    (folder / "src" / "b.py").write_text("b = 1\n" * 20)
    (folder / "tests" / "test_a.py").write_text("def test_a():\n    assert True\n")
    (folder / "logo.bin").write_bytes(bytes(range(256)))
    (folder / ".gitignore").write_text("build/\n")
    return made(folder)


def commit(folder: Path) -> str:
    """Commit everything, if only the same once more; returns the commit's id."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return id_of(folder)


def id_of(folder: Path, name: str = "HEAD") -> str:
    """The id of what git knows by a name."""
    return git(folder, "rev-parse", name).decode().strip()


def seen(repo: Path, base: str) -> set[tuple[str, str, str]]:
    """Each path that differs from the base, how, and its old name."""
    truth = snapshot(repo, base)
    assert not truth.problem
    return {(change.path, change.status.value, change.old_path) for change in truth.changes}


def claims(repo: Path, base: str) -> dict[str, bytes]:
    """An honest patch and list of files, untracked ones included."""
    git(repo, "add", "-A", "-N")
    patch = git(repo, "diff", "--binary", base)
    names = git(repo, "diff", "--name-only", "-z", base).decode().strip("\0").split("\0")
    return {"git_diff.patch": patch, "modified_files.json": json.dumps({"files": names}).encode()}


def codes(
    repo: Path, base: str, rules: dict[str, Any], artifacts: Mapping[str, bytes] | None = None
) -> list[str]:
    """What is found under these rules of a phase and these claims."""
    artifacts = artifacts or {}
    truth = snapshot(repo, base, artifacts.get("git_diff.patch"))
    return [finding.code for finding in truth_findings(truth, phase_rules("PLAN", rules), artifacts)]
