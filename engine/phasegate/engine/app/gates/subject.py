"""What the checks of a gate look at: a copy of the working tree, the task's documents, and who did what."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.git.truth import PathChange
from phasegate.engine.app.witnessing.checkout import Checkouts
from phasegate.engine.core.events import WitnessRecorded
from phasegate.engine.core.state import Approved
from phasegate.policies.model import Process

LINES_COMPARED_MAX: Final = 20_000
"""Of a file with more lines, every line counts as changed."""
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UNICODE_BOMS: Final = tuple(bom for bom, _ in _BOMS)
"""How a file in UTF-16 or UTF-32 begins that says so."""


def decoded(content: bytes) -> str:
    """The text that a file is: UTF-8, what its first bytes name, or else Latin-1; empty for none."""
    encoding = next((name for bom, name in _BOMS if content.startswith(bom)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return "" if b"\0" in content else content.decode("latin-1")


def lines_of(content: bytes) -> list[str]:
    """The lines of a file, counted as changed lines are: what only Unicode takes for an end ends none."""
    return [line.decode("utf-8", "replace") for line in content.splitlines()]


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        task: the task.
        phase: the phase that is left.
        risk: risk class of the task; empty where its process has none.
        process: the definition it runs under.
        checkouts: the base commit and the working tree, as plain folders.
        scratch: an empty folder for what tools write.
        home: the engine's home; what policy names by a relative path lies below it.
        documents: current artifacts of the task by name.
        approvals: latest decision of each key in the current attempt of the phase.
        implementers: names of those who made the change.
        tests: the command whose test results count in the current attempt of the phase; None for none.
        previous: the same artifacts as they passed before, by name.
        reports: what programs reported already, by their command: rules that look at one report share it.
    """

    task: str
    phase: str
    risk: str
    process: Process
    checkouts: Checkouts
    scratch: Path
    home: Path
    documents: Mapping[str, bytes] = field(default_factory=dict)
    approvals: Sequence[Approved] = ()
    implementers: Sequence[str] = ()
    tests: WitnessRecorded | None = None
    previous: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    reports: dict[tuple[str, ...], Any] = field(default_factory=dict)

    @property
    def tree(self) -> Path:
        """Folder with the files of the working tree."""
        return self.checkouts.stands

    @property
    def changes(self) -> Sequence[PathChange]:
        """How the working tree differs from the base commit."""
        return self.checkouts.changes

    @cached_property
    def changed_lines(self) -> Mapping[str, frozenset[int]]:
        """Lines from 1 that the working tree has and the base commit has not, by path; no deleted file."""
        return {change.path: self._added(change) for change in self.changes if change.mode}

    def _added(self, change: PathChange) -> frozenset[int]:
        before = (self.checkouts.at_base(change.old_path or change.path) or b"").splitlines()
        after = (self.checkouts.as_it_stands(change.path) or b"").splitlines()
        if len(before) + len(after) > LINES_COMPARED_MAX:
            return frozenset(range(1, len(after) + 1))
        blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        return frozenset(
            line + 1 for kind, _, _, first, last in blocks if kind != "equal" for line in range(first, last)
        )

    def patch(self) -> str:
        """The change as a unified diff without context."""
        return "".join(self._diff(path) for path in self.changed_lines)

    def _diff(self, path: str) -> str:
        before = lines_of(self.checkouts.at_base(path) or b"")
        after = lines_of(self.checkouts.as_it_stands(path) or b"")
        lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", n=0, lineterm="")
        return "\n".join((f"diff --git a/{path} b/{path}", *lines, ""))

    def text(self, path: str) -> str | None:
        """Text of a file of the working tree; None where there is none."""
        content = self.checkouts.as_it_stands(path)
        return None if content is None else content.decode("utf-8", "replace")

    def outside(self, name: str) -> Path:
        """A file that policy names: its path, or one below the home."""
        return Path(name) if Path(name).is_absolute() else self.home / name
