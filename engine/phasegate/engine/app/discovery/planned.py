"""What a file map plans to touch, and what the rules that decide at the gates say of it beforehand. Pure.

The rules are the process's own: the paths that a phase may leave changed (`truth`), and the scope and tests
of the change. What they ask of its content nobody can say before there is any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from phasegate.policies.model import CheckRule, Process
from phasegate.validators.change_scope import DEFAULT_MAX_FILES, DEFAULT_MAX_LINES, is_safe_path, path_faults
from phasegate.validators.change_tests import DEFAULT_TESTS
from phasegate.validators.file_map import duplicates
from phasegate.validators.globs import globs
from phasegate.validators.interface import Artifact, Finding, Severity
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import count
from phasegate.validators.quoting import quoted
from phasegate.validators.truth import PathChange, PathStatus, Truth, phase_rules, truth_findings

FILE_MAP: Final = "file_map.json"
_REMEDY: Final = "plan without it, or have the owners of the process allow it"
ADD, MODIFY, DELETE, RENAME = "add", "modify", "delete", "rename"


@dataclass(frozen=True, slots=True)
class Planned:
    """One path that is to be touched.

    Attributes:
        path: from the repository's root.
        change: `add`, `modify`, `delete` or `rename`.
        items: work items it is touched for.
        exists: whether it is there now.
    """

    path: str
    change: str
    items: tuple[str, ...]
    exists: bool

    @property
    def seen_as(self) -> PathChange:
        """The change as a gate would see it; of a rename the map names one of its two paths."""
        gone = self.change == DELETE or (self.change == RENAME and self.exists)
        if gone:
            return PathChange(self.path, PathStatus.DELETED)
        status = PathStatus.MODIFIED if self.exists else PathStatus.ADDED
        return PathChange(self.path, status, mode="100644")


def paths_of(content: bytes) -> tuple[tuple[dict[str, Any], ...], tuple[Finding, ...]]:
    """The files of a file map, and what is wrong with it; no file if anything is.

    Args:
        content: JSON of `schemas/file_map.json`.
    """
    value, findings = read(Artifact(FILE_MAP, content), "file_map")
    faults = findings or tuple(duplicates(FILE_MAP, value["files"]))
    return ((), faults) if faults else (tuple(value["files"]), ())


def planned(files: Sequence[Mapping[str, Any]], existing: frozenset[str]) -> tuple[Planned, ...]:
    """What a file map plans, by path.

    Args:
        files: of the map, as `paths_of` gives them.
        existing: those of its paths that are there.
    """
    found = []
    for file in files:
        path = file["path"].removeprefix("./")
        change = file.get("change") or (MODIFY if path in existing else ADD)
        items = tuple(dict.fromkeys(file.get("items", ())))
        found.append(Planned(path, change, items, path in existing))
    return tuple(sorted(found, key=lambda one: one.path))


def phase_of(process: Process, phases: Sequence[str], one: Planned) -> tuple[str, tuple[Finding, ...]]:
    """The first of some phases that may leave a path changed so; else none, and why the work's own may not.

    Phases whose rules say nothing of the repository are passed over; where all are, work is done anywhere.
    """
    rules = {phase: found for phase in phases if (found := process.git_rules(phase)) is not None}
    working = [phase for phase in rules or phases if process.phase(phase).implements]
    own = (working or [*(rules or phases)])[-1]
    said = {phase: _faults(phase, one, found) for phase, found in rules.items()}
    allowing = [phase for phase, faults in said.items() if not faults]
    if allowing or not rules:
        return (allowing or [own])[0], ()
    return "", said[own]


def _faults(phase: str, one: Planned, rules: Mapping[str, Any]) -> tuple[Finding, ...]:
    allowed = replace(phase_rules(phase, rules), claims=False, committed=False)
    return tuple(
        replace(finding, artifact=FILE_MAP, place=quoted(one.path), remedy=_REMEDY)
        for finding in truth_findings(Truth(changes=(one.seen_as,)), allowed, {})
        if finding.blocks
    )


def foreseen(process: Process, phases: Sequence[str], plan: Sequence[Planned]) -> Iterator[Finding]:
    """What the checks of a patch in some phases will say of a plan that is followed."""
    for check in _checks(process, phases):
        params = check.params
        if check.use == "change_scope":
            allow, deny = globs(params, "allow"), globs(params, "deny")
            yield from path_faults(
                FILE_MAP, [one.path for one in plan if is_safe_path(one.path)], allow, deny
            )
            most = count(params, "max_files", DEFAULT_MAX_FILES)
            if len(plan) > most:
                message = f"the plan touches {len(plan)} files, more than {most}"
                remedy = "split the work into smaller tasks"
                yield Finding("change_scope.too_many_files", FILE_MAP, "document", message, remedy)
        elif check.use == "change_tests":
            yield from _untested(params, plan)
    yield from _contradictions(plan)


def lines_max(process: Process, phases: Sequence[str]) -> int | None:
    """The least number of lines that a check of these phases lets a patch have; None without any."""
    found = [
        count(check.params, "max_lines", DEFAULT_MAX_LINES)
        for check in _checks(process, phases)
        if check.use == "change_scope"
    ]
    return min(found, default=None)


def _checks(process: Process, phases: Sequence[str]) -> Iterator[CheckRule]:
    for phase in phases:
        yield from (check for rule in process.phase(phase).evidence for check in rule.checks)


def _untested(params: Mapping[str, Any], plan: Sequence[Planned]) -> Iterator[Finding]:
    sources, excused = globs(params, "sources"), globs(params, "excused")
    tests = globs(params, "tests", DEFAULT_TESTS)
    need = [
        one
        for one in plan
        if sources.matches(one.path) and not tests.matches(one.path) and not excused.matches(one.path)
    ]
    if need and not any(tests.matches(one.path) and one.change != DELETE for one in plan):
        place = quoted(need[0].path)
        message = f"{len(need)} sources are to change, {place} first, and no test is planned"
        remedy = "plan the tests of the change as well; a patch without any is refused"
        # A patch may touch more than was planned, so unlike a path that is not allowed this refuses nothing.
        yield Finding("change_tests.untested", FILE_MAP, place, message, remedy, Severity.WARNING)


def _contradictions(plan: Sequence[Planned]) -> Iterator[Finding]:
    for one in plan:
        place = quoted(one.path)
        if one.change == ADD and one.exists:
            message, remedy = f"{place} is to be added, and is there already", "say `modify`, or another path"
            yield Finding("discover.exists", FILE_MAP, place, message, remedy, Severity.WARNING)
        elif one.change in {MODIFY, DELETE} and not one.exists:
            message, remedy = f"{place} is to be changed, and is not there", "say `add`, or the right path"
            yield Finding("discover.not_there", FILE_MAP, place, message, remedy, Severity.WARNING)
