"""Code that git ignores: which of it a command would load."""

from __future__ import annotations

from pathlib import Path

import pytest

from phasegate.engine.app.witnessing.ignored_code import ignored_code


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Given a working tree and what git sees of it."""
    for name in ("root", "stands"):
        (tmp_path / name / "src" / "pkg").mkdir(parents=True)
        (tmp_path / name / "src" / "pkg" / "a.py").write_text("")
    return tmp_path / "root", tmp_path / "stands"


@pytest.mark.parametrize(
    ("path", "named", "is_found"),
    [
        ("build/sitecustomize.py", ["build"], True),
        ("build/other/__init__.py", ["build"], True),
        ("src/pkg/a.so", ["src"], True),
        ("json.py", [], True),
        ("coverage/__init__.py", [], True),
        ("conftest.py", [], True),
        ("src/pytest.ini", [], True),
        ("build/sitecustomize.py", ["src"], False),
        ("build/coverage.json", ["build"], False),
        ("local_settings.py", ["src"], False),
        (".venv/sitecustomize.py", ["."], False),
        ("src/__pycache__/a.pyc", ["src"], False),
    ],
)
def test_given_an_ignored_file_when_looked_for_then_what_would_be_loaded_is_found(
    folders, path, named, is_found
):
    root, stands = folders
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("")

    found = list(ignored_code(root, stands, named))

    assert any(path == one or path.startswith(f"{one}/") for one in found) == is_found, found
