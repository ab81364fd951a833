"""Do tests change when sources do, and is none of them taken away silently?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phasegate.validators.errors import BadParameterError
from phasegate.validators.globs import Globs, globs
from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.limits import LIMITS
from phasegate.validators.patch import read_patch
from phasegate.validators.patch_reader import Change, FileChange, Patch
from phasegate.validators.quoting import quoted
from phasegate.validators.test_text import ASSERTION, SKIP, TEST_HEAD

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

DEFAULT_TESTS = (
    "test/**", "tests/**", "**/tests/**", "**/test/**", "**/__tests__/**", "spec/**/*.rb",
    "test*.py", "*_test.py", "*_tests.py", "conftest.py", "*_test.go", "*.test.*", "*.spec.*",
    "*Test.java", "*Tests.java", "*TestCase.java", "*IT.java", "*Test.kt", "*Tests.kt", "*Spec.kt",
    "*Test.scala", "*Spec.scala", "*Spec.groovy", "*Test.cs", "*Tests.cs", "*Test.php", "*Tests.swift",
    "*_spec.rb", "*_test.rb", "test_*.rb", "*_test.exs", "*_test.dart", "*_test.cc", "*_test.cpp",
)  # fmt: skip
"""Files that runners of their languages take for tests, by their habits or settings of frameworks."""


def change_tests(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that a patch that changes sources also adds to tests, and show what it takes from them.

    Parameters: `sources`, patterns of files that need tests; `tests`, patterns of tests (default
    `DEFAULT_TESTS`; what matches both is a test); `excused`, patterns of sources that need none.

    Findings: `change_tests.untested`, and as warnings `change_tests.test_deleted`,
    `change_tests.test_skipped`, `change_tests.weakened` (fewer tests or assertions in a file than before);
    those of `patch.read_patch`. Whether tests vanished is enforced where they run (`test_history`).

    Raises:
        BadParameterError: `sources` is missing, or a parameter is of the wrong shape.
    """
    sources, excused = globs(context.params, "sources"), globs(context.params, "excused")
    tests = globs(context.params, "tests", DEFAULT_TESTS)
    if not sources or not tests:
        raise BadParameterError("`sources` or `tests` names no path", "add `sources: [PATTERN]`")
    parsed, findings = read_patch(artifact)
    if findings:
        return findings
    return (
        *_untested(artifact.name, parsed, sources, tests, excused),
        *(found for file in parsed.files for found in _taken(artifact.name, file, tests)),
    )


def _untested(
    artifact: str, parsed: Patch, sources: Globs, tests: Globs, excused: Globs
) -> Iterator[Finding]:
    changed = [
        file
        for file in parsed.files
        if sources.matches(file.path)
        and not tests.matches(file.path)
        and not excused.matches(file.path)
        and (file.added or file.removed or file.binary)
    ]
    added = any(tests.matches(file.path) and _says_something(file) for file in parsed.files)
    if changed and not added:
        message = f"{len(changed)} source files change, {quoted(changed[0].path)} first, and no test does"
        remedy = "add tests that fail without the change, in the same patch"
        yield Finding("change_tests.untested", artifact, quoted(changed[0].path), message, remedy)


def _says_something(file: FileChange) -> bool:
    return file.change is not Change.DELETE and any(
        any(map(str.isalnum, text)) and not text.lstrip().startswith(("#", "//")) for _, text in file.added
    )


def _taken(artifact: str, file: FileChange, tests: Globs) -> Iterator[Finding]:
    """Yield warnings about what a file's change takes from the tests."""
    before, after = file.old_path or file.path, file.path
    if not tests.matches(before) and not tests.matches(after):
        return
    left = file.change is Change.RENAME and not tests.matches(after)
    if tests.matches(before) and (file.change is Change.DELETE or left):
        message = f"the patch takes the test file {quoted(before)} away"
        yield _warning("change_tests.test_deleted", artifact, quoted(before), message)
        return
    for number, text in file.added:
        if SKIP.search(text[: LIMITS.max_log_line_chars]):
            message = f"{quoted(text.strip())} keeps a test of {quoted(after)} from running"
            yield _warning("change_tests.test_skipped", artifact, f"{quoted(after)} line {number}", message)
    for pattern, what in ((TEST_HEAD, "tests"), (ASSERTION, "assertions")):
        fewer = _matching(file.removed, pattern) - _matching(file.added, pattern)
        if fewer > 0:
            message = f"{quoted(after)} has {fewer} {what} fewer than before"
            yield _warning("change_tests.weakened", artifact, quoted(after), message)


def _matching(lines: tuple[tuple[int, str], ...], pattern: re.Pattern[str]) -> int:
    return sum(1 for _, text in lines if pattern.search(text[: LIMITS.max_log_line_chars]))


def _warning(code: str, artifact: str, place: str, message: str) -> Finding:
    remedy = "keep the test, or say in the pull request why it goes"
    return Finding(code, artifact, place, message, remedy, Severity.WARNING)
