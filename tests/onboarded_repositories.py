"""Small repositories to onboard, each as the files it has, one language or several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PYTHON: Mapping[str, str] = {
    "pyproject.toml": """[project]
name = "shop"
requires-python = ">=3.11"

[dependency-groups]
dev = [
    "pytest>=8",
    "pytest-cov",
]

[tool.coverage.report]
fail_under = 90
""",
    "uv.lock": "version = 1\n",
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "tests/test_shop.py": "import shop\n\n\ndef test_total():\n    assert shop.total([1, 2]) == 3\n",
    ".github/workflows/ci.yml": "on: push\n",
    ".github/CODEOWNERS": "* @ann\n",
}
UNITTEST: Mapping[str, str] = {
    "setup.py": "from setuptools import setup\n\nsetup(name='shop', python_requires='>=3.11')\n",
    "shop.py": "def total(prices):\n    return sum(prices)\n",
    "test_shop.py": """import unittest

import shop


class Totals(unittest.TestCase):
    def test_total(self):
        self.assertEqual(shop.total([1, 2]), 3)
""",
}


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a repository's files into a folder; returns the folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
