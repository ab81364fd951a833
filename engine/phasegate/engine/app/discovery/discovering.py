"""Policy discovery, put together: looked at, and never written.

A plan is the file map that a task has left, or one that is given. Without any there is nothing to estimate,
and only the bounds are told: what each phase lets anyone touch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phasegate.engine.app.discovery.history import UNKNOWN, Estimate, History, history_of, total
from phasegate.engine.app.discovery.lacking import Needed, needed
from phasegate.engine.app.discovery.planned import (
    ADD,
    DELETE,
    FILE_MAP,
    Planned,
    foreseen,
    lines_max,
    paths_of,
    phase_of,
    planned,
)
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.app.onboarding.listing import FILE_BYTES_MAX, listing_of
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process
from phasegate.validators.change_scope import is_safe_path
from phasegate.validators.globs import Globs, alternation, globs
from phasegate.validators.interface import Finding, Severity

PLANNED_MAX: Final = 5_000
"""How many files a plan may have."""


@dataclass(frozen=True, slots=True)
class Touch:
    """A path that work would touch.

    Attributes:
        path: from the repository's root.
        change: what is to be done to it.
        items: work items it is for.
        phase: the first phase that may leave it changed; empty where none may.
        estimate: how many lines that is thought to take.
    """

    path: str
    change: str
    items: tuple[str, ...]
    phase: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Bound:
    """What a phase lets anyone touch of the files that are there.

    Attributes:
        phase: the phase.
        may: number of files that may be changed.
        may_not: number of files that may not.
        kept: number of the former that may not be taken away.
        rules: name of the process's rules; empty where the repository is not looked at.
    """

    phase: str
    may: int
    may_not: int
    kept: int
    rules: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found out.

    Attributes:
        process: name of the process.
        phases: phases that are still to be passed, in order.
        repository: the folder that was looked at; None for a task without one.
        touches: what the plan would touch; empty without a plan.
        bounds: what the phases let anyone touch; empty without a repository.
        needed: evidence and approvals that the phases ask for.
        findings: what stands against the plan, and what could not be found out.
    """

    process: str
    phases: tuple[str, ...]
    repository: Path | None
    touches: tuple[Touch, ...]
    bounds: tuple[Bound, ...]
    needed: tuple[Needed, ...]
    findings: tuple[Finding, ...]

    @property
    def size(self) -> dict[str, int]:
        """Number of files, and the sums of what is known of their lines."""
        return {"files": len(self.touches), **total([touch.estimate for touch in self.touches])}


def discover(
    process: Process,
    *,
    repository: Path | None,
    file_map: bytes | None,
    state: TaskState | None = None,
) -> Discovery:
    """Find out what work would touch, how large it would be, and what it lacks.

    Args:
        process: the process.
        repository: a folder of the repository; None for a task that has none.
        file_map: the plan; None without one.
        state: the task; None for one that is not opened yet.

    Raises:
        BadInput: the folder cannot be looked at, or the file map is none.
    """
    phases = process.from_phase_on(state.phase if state else process.first)
    listing = listing_of(repository, ()) if repository else None
    plan = () if file_map is None else _plan(file_map, listing.root if listing else None)
    history, findings = _history(listing.root if listing else None) if plan else (History(), [])
    touches: list[Touch] = []
    for one in plan:
        phase, said = phase_of(process, phases, one)
        findings += said
        estimate = _estimated(history, one, listing.root if listing else None)
        touches.append(Touch(one.path, one.change, one.items, phase, estimate))
    findings += foreseen(process, phases, plan) if plan else [_no_plan()]
    findings += _too_large(process, phases, touches)
    bounds = _bounds(process, phases, listing.paths) if listing else ()
    return Discovery(
        process.process,
        phases,
        listing.root if listing else None,
        tuple(touches),
        bounds,
        needed(process, phases, state),
        tuple(dict.fromkeys(findings)),
    )


def _plan(file_map: bytes, root: Path | None) -> tuple[Planned, ...]:
    files, faults = paths_of(file_map)
    if faults:
        raise BadInput(
            f"the file map cannot be used: {faults[0].place or FILE_MAP}: {faults[0].message}",
            faults[0].remedy,
        )
    if len(files) > PLANNED_MAX:
        raise BadInput(f"the file map has more than {PLANNED_MAX} files", "plan smaller tasks")
    paths = {file["path"].removeprefix("./") for file in files}
    there = frozenset(path for path in paths if root and is_safe_path(path) and os.path.lexists(root / path))
    return planned(files, there)


def _history(root: Path | None) -> tuple[History, list[Finding]]:
    if root is None:
        return History(), [_no_history("the task was opened without its repository")]
    try:
        return history_of(root), []
    except GitUnavailable as error:
        return History(), [_no_history(str(error))]


def _no_history(reason: str) -> Finding:
    message = f"the size of the change cannot be estimated: {reason}"
    remedy = "name a folder of a git repository, and have its history here"
    return Finding("discover.no_history", "", "repository", message, remedy, Severity.NOT_EVALUATED)


def _estimated(history: History, one: Planned, root: Path | None) -> Estimate:
    if one.change == DELETE and one.exists and root:
        lines = _lines_of(root, one.path)
        return UNKNOWN if lines is None else Estimate(lines, lines, "all of its lines")
    if one.change == ADD or not one.exists:
        return history.of_addition(one.path)
    return history.of_change(one.path)


def _lines_of(root: Path, name: str) -> int | None:
    """Number of lines of a text file; None of anything else, and of what a link leads to."""
    path = root / name
    try:
        if path.resolve() != path or not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:
            return None
        content = path.read_bytes()
    except (OSError, RuntimeError):
        return None
    return (
        None if b"\0" in content else content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    )


def _no_plan() -> Finding:
    message = "there is no file map, so nobody knows what would be touched; the phases' bounds are told"
    remedy = f"leave `{FILE_MAP}` in its phase, or try one: `--file-map FILE`"
    return Finding("discover.no_file_map", FILE_MAP, "", message, remedy, Severity.WARNING)


def _too_large(process: Process, phases: Sequence[str], touches: Sequence[Touch]) -> list[Finding]:
    most, lines = lines_max(process, phases), total([touch.estimate for touch in touches])["lines"]
    if most is None or lines <= most:
        return []
    message = f"about {lines} lines are expected to change, and a patch may have {most}"
    remedy = "split the work into smaller tasks; an estimate refuses nothing, the patch will"
    return [Finding("discover.large", FILE_MAP, "document", message, remedy, Severity.WARNING)]


def _bounds(process: Process, phases: Sequence[str], paths: Sequence[str]) -> tuple[Bound, ...]:
    """The bounds of each phase; rules that several phases share are put to the files once."""
    counted: dict[str, tuple[int, int]] = {}
    for phase in phases:
        rules, name = process.git_rules(phase), process.phase(phase).git
        if rules is not None and name is not None and name not in counted:
            allow, deny, keep = (_matcher(globs(rules, part)) for part in ("allow", "deny", "keep"))
            may = [path for path in paths if allow(path) and not deny(path)]
            counted[name] = len(may), sum(1 for path in may if keep(path))
    return tuple(_bound(phase, process.phase(phase).git or "", counted, len(paths)) for phase in phases)


def _bound(phase: str, name: str, counted: Mapping[str, tuple[int, int]], files: int) -> Bound:
    may, kept = counted.get(name, (files, 0))
    return Bound(phase, may, files - may, kept, name)


def _matcher(patterns: Globs) -> Callable[[str], object]:
    """Whether any pattern matches, as one expression: there may be very many files."""
    if not patterns:
        return lambda _path: None
    return re.compile("|".join(alternation(patterns.patterns)), re.DOTALL).fullmatch
