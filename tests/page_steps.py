"""Pages that can be followed: their commands and files, done by one shell as a reader would do them.

A page's steps stand in its order: indented or `console` blocks with `$ COMMAND` and what it shows, and blocks
of files, each behind a line that ends in "`NAME`:".
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "=== step"
_BLOCK = re.compile(
    r"(?:`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Step:
    """A command of a page, and what the page shows of its output."""

    command: str
    shown: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code that its output speaks of."""
        return 1 if any(line.startswith("refused") for line in self.shown[:1]) else 0


@dataclass(frozen=True)
class Place:
    """Where a page is followed, and what each of its commands came to: exit code and output."""

    repository: Path
    environ: dict[str, str]
    came_to: list[tuple[int, str]]


def steps_of(lines: Sequence[str]) -> list[Step]:
    """The steps in the lines of a block."""
    steps: list[Step] = []
    for line in lines:
        if line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ ")))
        elif line.strip():
            steps[-1] = Step(steps[-1].command, (*steps[-1].shown, line))
    return steps


def page_steps(page: str) -> list[Step]:
    """The steps of a whole page with fenced blocks; a file is a step that writes it."""
    return [step for found in _BLOCK.finditer(page) for step in _of_block(found)]


def _of_block(found: re.Match[str]) -> list[Step]:
    file, text = found["file"], found["text"]
    if found["kind"] == "console":
        return steps_of(text.splitlines())
    if not file:
        return []
    folder, name = shlex.quote(str(Path(file).parent)), shlex.quote(file)
    return [Step(f"mkdir -p {folder} && cat > {name} <<'END_OF_FILE'\n{text}END_OF_FILE")]


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody whose home that is, with our commands on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PHASEGATE_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "HOME": str(home), **more}


def follow(steps: Sequence[Step], repository: Path, environ: Mapping[str, str]) -> Place:
    """Do the steps in one shell."""
    script = "\n".join(f'{step.command}\necho "{MARK} $?"' for step in steps)
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", f"exec 2>&1\n{script}"],
        cwd=repository, env=dict(environ), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    parts = re.findall(rf"(.*?)^{MARK} (\d+)\n", ran.stdout, flags=re.MULTILINE | re.DOTALL)
    return Place(repository, dict(environ), [(int(code), output) for output, code in parts])


def assert_as_shown(steps: Sequence[Step], place: Place) -> None:
    """Each command must have done what the page shows."""
    assert len(place.came_to) == len(steps)
    for step, (code, output) in zip(steps, place.came_to, strict=True):
        assert (step.command, code) == (step.command, step.code), output
        lines = [line.rstrip() for line in output.splitlines()]
        assert [line for line in lines if line in step.shown] == list(step.shown), output
