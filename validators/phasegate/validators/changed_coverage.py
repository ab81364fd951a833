"""Are the lines a change adds run by tests?"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from phasegate.validators.decimals import shown
from phasegate.validators.errors import BadParameterError
from phasegate.validators.excluded_lines import excluding_lines
from phasegate.validators.globs import Globs, globs
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.line_ranges import compact, holds
from phasegate.validators.parameters import number, text_parameter
from phasegate.validators.patch import patch_companion
from phasegate.validators.patch_reader import Change, FileChange, Patch
from phasegate.validators.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

DEFAULT_PATCH = "git_diff.patch"

_SCHEMA = "coverage_report"
_SHOWN_RANGES = 5


def changed_coverage(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check that enough of the lines a patch adds to sources were run, over all files together.

    A line counts when the report lists it as executed or missing; comments and blank lines do not. A source
    file that is in the patch and not in the report is not measured, and none of its lines count as run. A
    mark that takes lines out of the measurement is no way round it.
    Parameters: `min_changed`, the least percentage; `sources`, patterns of the files that must be covered;
    `excused`, patterns of those that need not; `patch` (default `git_diff.patch`), the companion with the
    change.

    Findings: `changed_coverage.unmeasured`, `changed_coverage.no_lines` (the report has counts and no line
    numbers), `changed_coverage.excluded` (an added line takes itself or others out of the measurement),
    `changed_coverage.below_minimum`, and those of `json_schema.read` and `companions.companion`.

    Raises:
        BadParameterError: `min_changed` or `sources` is missing, or a parameter is of the wrong shape.
    """
    minimum = number(context.params, "min_changed")
    sources, excused = globs(context.params, "sources"), globs(context.params, "excused")
    patch_name = text_parameter(context.params, "patch", DEFAULT_PATCH)
    if minimum is None or not sources:
        raise BadParameterError("`min_changed` or `sources` is not given", "add both to the check")
    value, findings = read(artifact, _SCHEMA)
    if findings:
        return findings
    parsed, findings = patch_companion(artifact, context, patch_name)
    if findings:
        return findings
    changed = tuple(_changed_sources(parsed, sources, excused))
    faults = (*_unmeasured(artifact.name, changed, value["files"]), *_excluded(artifact.name, changed))
    return faults or tuple(_below(artifact.name, changed, value["files"], minimum))


def entry_of(files: Mapping[str, Any], path: str, others: Collection[str] = ()) -> dict[str, Any] | None:
    """Return a file's entry in a report, which may name it by a path that only ends in the one wanted.

    Args:
        files: entries by the report's names.
        path: the file, from the repository's root.
        others: further files of the repository; what one of them is meant by stands for no namesake.
    """
    names = {_plain(name): entry for name, entry in files.items()}
    if path in names:
        return dict(names[path])
    found = [name for name in names if name.endswith("/" + path) and _is_rooted(name)]
    # Two candidates may be two different files; which one is meant cannot be known.
    if len(found) != 1 or any(len(other) > len(path) and _means(found[0], other) for other in others):
        return None
    return dict(names[found[0]])


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _is_rooted(name: str) -> bool:
    """Whether a report's name begins above the repository: an absolute path, or a module's as Go has it.

    Another relative name is one from the repository's root, so `src/a.py` is not `a.py`.
    """
    return name.startswith("/") or name[1:3] == ":/" or "." in name.partition("/")[0] or name.endswith(".go")


def _means(name: str, path: str) -> bool:
    return name == path or name.endswith("/" + path)


def _changed_sources(parsed: Patch, sources: Globs, excused: Globs) -> Iterator[FileChange]:
    for file in parsed.files:
        wanted = sources.matches(file.path) and not excused.matches(file.path)
        says = file.binary or any(text.strip() for _, text in file.added)
        if wanted and file.change is not Change.DELETE and says:
            yield file


def _unmeasured(
    artifact: str, changed: tuple[FileChange, ...], files: Mapping[str, Any]
) -> Iterator[Finding]:
    paths = [file.path for file in changed]
    for file in changed:
        entry = entry_of(files, file.path, paths)
        if file.binary:
            message = (
                f"the patch shows no lines of {quoted(file.path)}, so nobody knows whether they are covered"
            )
            remedy = "write the patch with `git diff --text`"
            yield Finding("changed_coverage.unmeasured", artifact, "/files", message, remedy)
        elif entry is None:
            message = (
                f"the coverage report does not measure {quoted(file.path)}, which the change adds lines to"
            )
            remedy = "measure all sources, also those that no test imports"
            yield Finding("changed_coverage.unmeasured", artifact, "/files", message, remedy)
        elif entry.get("covered", 0) and not entry.get("executed"):
            message = f"the coverage report has no line numbers for {quoted(file.path)}"
            remedy = "hand in a report that lists executed lines"
            yield Finding("changed_coverage.no_lines", artifact, "/files", message, remedy)


def _excluded(artifact: str, changed: tuple[FileChange, ...]) -> Iterator[Finding]:
    for file in changed:
        for line in excluding_lines(file.added):
            message = f"line {line} of {quoted(file.path)} takes lines out of the measurement"
            remedy = "test these lines, or have the process excuse the file"
            yield Finding("changed_coverage.excluded", artifact, quoted(file.path), message, remedy)


def _below(
    artifact: str, changed: tuple[FileChange, ...], files: Mapping[str, Any], minimum: Fraction
) -> Iterator[Finding]:
    run = 0
    paths = [file.path for file in changed]
    missed: list[tuple[str, set[int]]] = []
    for file in changed:
        entry = entry_of(files, file.path, paths) or {}
        lines = [line for line, _ in file.added]
        # What a report lists as both counts as missed.
        gaps = holds(entry.get("missing", ()), lines)
        run += len(holds(entry.get("executed", ()), lines) - gaps)
        if gaps:
            missed.append((file.path, gaps))
    whole = run + sum(len(gaps) for _, gaps in missed)
    share = Fraction(run * 100, whole) if whole else Fraction(100)
    if share >= minimum:
        return
    for path, gaps in missed:
        ranges = compact(gaps)
        listed = ", ".join(
            f"{item[0]}-{item[1]}" if isinstance(item, list) else str(item) for item in ranges[:_SHOWN_RANGES]
        )
        more = " and more" if len(ranges) > _SHOWN_RANGES else ""
        message = (
            f"tests run {shown(share, 2)}% of the changed lines, fewer than {shown(minimum)}%; "
            f"in {quoted(path)} not lines {listed}{more}"
        )
        yield Finding(
            "changed_coverage.below_minimum",
            artifact,
            quoted(path),
            message,
            "add tests that run these lines",
        )
