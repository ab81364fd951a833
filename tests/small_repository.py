"""A real git repository of one module with its tests, and a command that builds, tests and measures it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from lean_python import lean_python

SOURCE = '''"""Means."""


def mean(values):
    """Mean of numbers."""
    return sum(values) / len(values)
'''

CHANGED = '''"""Means."""


def mean(values):
    """Mean of numbers; None when there are none."""
    values = list(values)
    if not values:
        return None
    return sum(values) / len(values)
'''

TESTS = """import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))
import means


def test_the_mean_of_numbers_is_unchanged():
    assert means.mean([1, 2, 3]) == 2
"""

CHANGED_TESTS = f"""{TESTS}

def test_nothing_has_no_mean():
    assert means.mean(iter(())) is None
"""

# What `coverage json` would write, measured with the interpreter's own tracing.
CHECK = """import json
import py_compile
import sys
import threading

import pytest

source, junit, report = sys.argv[1:4]
print("compiling", py_compile.compile(source, doraise=True, cfile=report + "c") and source)
seen = set()


def trace(frame, event, _arg):
    if frame.f_code.co_filename.endswith(source):
        seen.add(frame.f_lineno)
        return trace
    return None


def lines_of(code):
    yield from (line for _, _, line in code.co_lines() if line)
    for constant in code.co_consts:
        if hasattr(constant, "co_lines"):
            yield from lines_of(constant)


sys.settrace(trace)
code = pytest.main(["-q", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider", "--junitxml", junit, "test_means.py"])
sys.settrace(None)
with open(source) as file:
    wanted = set(lines_of(compile(file.read(), source, "exec")))
summary = {"num_statements": len(wanted), "covered_lines": len(wanted & seen)}
entry = {"summary": summary, "missing_lines": sorted(wanted - seen), "executed_lines": sorted(wanted & seen)}
with open(report, "w") as file:
    json.dump({"files": {source: entry}, "totals": summary}, file)
sys.exit(int(code))
"""


class SmallRepository:
    """The repository at `root`; made with its first commit.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "src").mkdir(parents=True)
        self.write("src/means.py", SOURCE)
        self.write("test_means.py", TESTS)
        self.write("check.py", CHECK)
        self.write(".gitignore", "__pycache__/\nbuild/\nstate/\n")
        self.git("init", "-q", "-b", "main")
        self.commit("A mean")

    def write(self, path: str, text: str) -> None:
        """Write one file."""
        (self.root / path).write_text(text)

    def git(self, *args: str) -> str:
        """Run git; returns what it prints."""
        who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
        environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", *who, *args], cwd=self.root, env=environ, capture_output=True, check=True, timeout=60
        )
        return done.stdout.decode()

    def commit(self, message: str) -> str:
        """Commit everything; returns the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def change(self) -> None:
        """Make the change the task is about, with its test."""
        self.write("src/means.py", CHANGED)
        self.write("test_means.py", CHANGED_TESTS)

    def patch(self) -> tuple[str, str]:
        """The change as a patch, and as the list of files it touches."""
        names = self.git("diff", "--name-only").split()
        return self.git("diff"), json.dumps({"files": names})

    def check_command(self) -> list[str]:
        """The command that builds, tests and measures."""
        (self.root / "build").mkdir(exist_ok=True)
        return [lean_python(), "check.py", "src/means.py", "build/junit.xml", "build/coverage.json"]
