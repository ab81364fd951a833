"""Tests of packs, as `opa test` runs them: rules `test_...` of `*_test.rego`, each true or failed.

A rule of a pack is *covered* if some test fails once the rule is taken out: that says more than that a line
ran.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Final

from phasegate.policies.rego.annotations import Annotation, annotations_of
from phasegate.policies.rego.interpreter import NoAnswer, RegoProcess, shared
from phasegate.policies.rego.pack import (
    FOLDER,
    MODULES_MAX,
    SUFFIX,
    TEST_SUFFIX,
    PackInvalid,
    PackNotFound,
    check_module,
    decoded,
    folder_reader,
    package_of,
    shipped_library,
    shipped_packs,
)

_TEST: Final = re.compile(r"^((?:todo_)?test_\w+)(?:\s+(?:if|:=|=)\b|\s*:=|\s+if$)", re.MULTILINE)
_TODO: Final = "todo_"


class Verdict(StrEnum):
    """What came of a test."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of one test.

    Attributes:
        file: its module.
        test: its name.
        verdict: what came of it; a test `todo_test_...` is skipped.
        why: what went wrong.
    """

    file: str
    test: str
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True)
class Covered:
    """Whether some test fails without a rule."""

    rule: str
    covered: bool


def modules_of(place: str) -> dict[str, str]:
    """Modules to test: a shipped pack with its tests, or a folder's; all shipped ones for an empty place.

    Raises:
        PackNotFound: it is neither.
        PackInvalid: a module is refused.
    """
    if place and Path(place).is_dir():
        return _checked({**shipped_library(), **_in_folder(Path(place))})
    if place and place not in shipped_packs():
        known = ", ".join(shipped_packs())
        raise PackNotFound(
            f"`{place[:80]}` is no folder and no shipped pack", f"name a folder, or one of {known}"
        )
    folder = resources.files("phasegate.policies") / FOLDER
    names = [place] if place else list(shipped_packs())
    files = [file for name in names for file in (f"{name}{SUFFIX}", f"{name}{TEST_SUFFIX}")]
    found = {file: (folder / file).read_text(encoding="utf-8") for file in files if (folder / file).is_file()}
    return _checked({**shipped_library(), **found})


def run_tests(modules: Mapping[str, str], process: RegoProcess | None = None) -> tuple[Tested, ...]:
    """Run every test of the modules; what cannot be evaluated is an error of each.

    Raises:
        NoAnswer: the interpreter is not installed.
    """
    tests = list(_tests(modules))
    to_run = [(file, package, name) for file, package, name in tests if not name.startswith(_TODO)]
    values, why = _values(modules, [f"data.{package}.{name}" for _, package, name in to_run], process)
    found = {
        (file, name): _tested(file, name, value, why)
        for (file, _, name), value in zip(to_run, values, strict=True)
    }
    skipped = "it is marked as still to be done"
    return tuple(
        found.get((file, name)) or Tested(file, name, Verdict.SKIPPED, skipped) for file, _, name in tests
    )


def rules_covered(modules: Mapping[str, str], process: RegoProcess | None = None) -> tuple[Covered, ...]:
    """For each rule that an annotation declares, whether a test notices that it is gone.

    Raises:
        NoAnswer: the interpreter is not installed.
    """
    queries = [f"data.{package}.{name}" for _, package, name in _tests(modules) if not name.startswith(_TODO)]
    found = []
    for file, text in modules.items():
        for annotation in annotations_of(text, file):
            custom = annotation.said.get("custom")
            if isinstance(custom, dict) and "id" in custom:
                without = {**modules, file: _without(text, annotation)}
                values, _ = _values(without, queries, process)
                found.append(Covered(str(custom["id"]), any(value != [True] for value in values)))
    return tuple(found)


def _without(text: str, annotation: Annotation) -> str:
    lines = text.split("\n")
    return "\n".join([*lines[: annotation.first - 1], *lines[annotation.last :]])


def _values(
    modules: Mapping[str, str], queries: Sequence[str], process: RegoProcess | None
) -> tuple[Sequence[list[object] | None], str]:
    """Values of queries, and why there are none."""
    if not queries:
        return [], ""
    try:
        return (process or shared()).query(modules, queries), ""
    except NoAnswer as error:
        if error.code == "policy.extra_missing":
            raise
        return [None] * len(queries), str(error)


def _tested(file: str, name: str, value: list[object] | None, why: str) -> Tested:
    if value is None:
        return Tested(file, name, Verdict.ERROR, why or "it could not be evaluated")
    if value == [True]:
        return Tested(file, name, Verdict.PASSED)
    return Tested(file, name, Verdict.FAILED, "it is undefined" if not value else "it is not true")


def _tests(modules: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for file, text in modules.items():
        if file.endswith(TEST_SUFFIX):
            for name in dict.fromkeys(_TEST.findall(text)):
                yield file, package_of(text), name


def _in_folder(folder: Path) -> dict[str, str]:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob(f"*{SUFFIX}"))
    if len(files) > MODULES_MAX:
        raise PackInvalid(f"`{folder}` has more than {MODULES_MAX} modules", "test fewer at once")
    read = folder_reader(folder)
    return {file: decoded(file, read(file) or b"") for file in files}


def _checked(modules: dict[str, str]) -> dict[str, str]:
    for file, text in modules.items():
        check_module(file, text)
    return modules
