"""Tests of packs, as `opa test` runs them: rules `test_...` of `*_test.rego`, each true or failed.

A rule of a pack is *covered* if some test fails once the rule is taken out: that says more than that a line
ran.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Final

from phasegate.policies.rego.annotations import Annotation, annotations_of
from phasegate.policies.rego.cases import Case, taken_apart
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


@dataclass(frozen=True, slots=True)
class _Test:
    """A test, and where it stands."""

    file: str
    package: str
    case: Case

    @property
    def entry(self) -> str:
        return f"{self.package}/{self.case.name}"

    @property
    def given(self) -> str:
        return f"{self.package}/{self.case.given}"


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
    plain, tests = _taken_apart(modules)
    to_run = [test for test in tests if not test.case.fault and not test.case.name.startswith(_TODO)]
    found = dict(zip(to_run, _run(plain, to_run, process), strict=True))
    return tuple(found.get(test) or _not_run(test) for test in tests)


def rules_covered(modules: Mapping[str, str], process: RegoProcess | None = None) -> tuple[Covered, ...]:
    """For each rule that an annotation declares, whether a test that passes with it fails without it.

    Raises:
        NoAnswer: the interpreter is not installed.
    """
    plain, tests = _taken_apart(modules)
    to_run = [test for test in tests if not test.case.fault and not test.case.name.startswith(_TODO)]
    passing = [
        test
        for test, tested in zip(to_run, _run(plain, to_run, process), strict=True)
        if tested.verdict is Verdict.PASSED
    ]
    found = []
    for file, text in plain.items():
        for annotation in annotations_of(text, file):
            custom = annotation.said.get("custom")
            if isinstance(custom, dict) and "id" in custom:
                near, asked = _near(file, plain, passing)
                without = _run({**near, file: _without(text, annotation)}, asked, process)
                noticed = any(tested.verdict is not Verdict.PASSED for tested in without)
                found.append(Covered(str(custom["id"]), noticed))
    return tuple(found)


def _near(
    file: str, modules: Mapping[str, str], tests: Sequence[_Test]
) -> tuple[dict[str, str], list[_Test]]:
    """A pack's own tests, and the modules they need; all where it has none of its own."""
    own = f"{file.removesuffix(SUFFIX)}{TEST_SUFFIX}"
    if own not in modules:
        return dict(modules), list(tests)
    needed = {name: text for name, text in modules.items() if name in {file, own} or "/" in name}
    return needed, [test for test in tests if test.file == own]


def _without(text: str, annotation: Annotation) -> str:
    lines = text.split("\n")
    return "\n".join([*lines[: annotation.first - 1], *lines[annotation.last :]])


def _taken_apart(modules: Mapping[str, str]) -> tuple[dict[str, str], tuple[_Test, ...]]:
    plain, tests = dict(modules), []
    for file, text in modules.items():
        if file.endswith(TEST_SUFFIX):
            plain[file], cases = taken_apart(text)
            tests += [_Test(file, package_of(text).replace(".", "/"), case) for case in cases]
    return plain, tuple(tests)


def _run(modules: Mapping[str, str], tests: Sequence[_Test], process: RegoProcess | None) -> list[Tested]:
    """What comes of tests: first their inputs are computed, then each is evaluated over its own."""
    asked = process or shared()
    with_input = [test for test in tests if test.case.given]
    try:
        values = asked.evaluate_each(modules, [test.given for test in with_input], [None] * len(with_input))
        given = dict(zip(with_input, values, strict=True))
        inputs = [(given.get(test) or [None])[0] for test in tests]
        answers = asked.evaluate_each(modules, [test.entry for test in tests], inputs)
    except NoAnswer as error:
        if error.code == "policy.extra_missing":
            raise
        return [Tested(test.file, test.case.name, Verdict.ERROR, str(error)) for test in tests]
    return [
        _tested(test, answer, given=not test.case.given or bool(given[test]))
        for test, answer in zip(tests, answers, strict=True)
    ]


def _tested(test: _Test, answer: list[object] | None, *, given: bool) -> Tested:
    if not given:
        return Tested(test.file, test.case.name, Verdict.ERROR, "its input is undefined")
    if answer is None:
        return Tested(test.file, test.case.name, Verdict.ERROR, "it could not be evaluated")
    if answer == [True]:
        return Tested(test.file, test.case.name, Verdict.PASSED)
    why = "it is not true" if answer else "it is undefined"
    return Tested(test.file, test.case.name, Verdict.FAILED, why)


def _not_run(test: _Test) -> Tested:
    if test.case.fault:
        return Tested(test.file, test.case.name, Verdict.ERROR, test.case.fault)
    return Tested(test.file, test.case.name, Verdict.SKIPPED, "it is marked as still to be done")


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
