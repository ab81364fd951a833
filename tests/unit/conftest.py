"""A repository for git truth to look at, and its first commit."""

from __future__ import annotations

from pathlib import Path

import pytest
from git_truth_repository import commit, of_sources


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository of sources, with nothing committed."""
    return of_sources(tmp_path / "repo")


@pytest.fixture
def base(repo: Path) -> str:
    """The first commit of that repository."""
    return commit(repo)
