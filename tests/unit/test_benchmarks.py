"""Every benchmark still fits the code that it measures, as far as its imports tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"
IMPORT_ALL = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"


def test_every_benchmark_can_be_imported() -> None:
    names = sorted(path.stem for path in FOLDER.glob("*.py"))

    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names], cwd=FOLDER, capture_output=True, text=True
    )

    assert names
    assert (ran.returncode, ran.stderr) == (0, "")
