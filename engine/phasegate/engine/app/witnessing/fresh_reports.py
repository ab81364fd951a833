"""Reports that a command is to write: what lay in their places before, and what it has written.

Reports count only if the command wrote them while it ran. A report is refused that begins with what lay there
beforehand (`touch` and its like freshen every time a file has), that was last written before the command
began (a prepared file moved into place), or that is a link to another file. What a command copies it has
written; only its recorded arguments show that.

Some runners leave one JUnit report for each class of tests (Surefire, Gradle). Then the path is a pattern,
such as `**/target/surefire-reports/TEST-*.xml`; each file of it must be fresh, and all make one report.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from phasegate.engine.app.evidence import ARTIFACT_BYTES_MAX, read_regular
from phasegate.engine.core.errors import BadInput
from phasegate.policies.model import Witness

CLOCK_STEP_NS: Final = 20_000_000  # a kernel may stamp files by a clock that is so much behind
REPORTS_MAX: Final = 10_000
"""How many files a pattern of reports may match."""
ANY: Final = "*"
_DECLARATION: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,500}\?>")


class _Earlier(NamedTuple):
    """What lay in a report's place before the command ran, and when that was by the file system's clock."""

    content: bytes
    at_ns: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What lay where a report is to be written, before the command ran.

    Attributes:
        whole: in the very place; of a pattern, in the folder that it begins from.
        matched: in each place that a pattern matched.
    """

    whole: _Earlier
    matched: Mapping[Path, _Earlier] = field(default_factory=dict)


def standing(path: Path) -> Standing:
    """Look at a report's place before the command runs."""
    if not is_pattern(path):
        return Standing(_earlier(path))
    return Standing(_earlier(beginning(path) / ANY), {found: _earlier(found) for found in _matched(path)})


def read_reports(
    files: Mapping[Witness, Path], earlier: Mapping[Witness, Standing]
) -> tuple[dict[Witness, bytes], tuple[str, ...]]:
    """The reports that a command has written, and why those do not count that it has not."""
    reports: dict[Witness, bytes] = {}
    problems: list[str] = []
    for kind, path in files.items():
        try:
            reports[kind] = _read(kind, path, earlier[kind])
        except BadInput as error:
            problems.append(str(error))
    return reports, tuple(problems)


def is_pattern(path: Path) -> bool:
    """Whether a report's path stands for several."""
    return ANY in str(path)


def beginning(pattern: Path) -> Path:
    """The folder that a pattern of reports begins from: what stands before its first `*`."""
    before = str(pattern).partition(ANY)[0]
    return Path(before.rpartition("/")[0] or ("/" if pattern.is_absolute() else "."))


def folder_of(path: Path) -> Path:
    """The folder that a report is written to, or that a pattern of reports begins from."""
    return beginning(path) if is_pattern(path) else path.parent


def _read(kind: Witness, path: Path, before: Standing) -> bytes:
    if not is_pattern(path):
        return _fresh_report(path, before.whole)
    if kind is not Witness.JUNIT:
        raise BadInput(
            f"`{path}` stands for several files, and only test reports are put together",
            "let the command make one report of them, and name that",
        )
    found = sorted(_matched(path))
    if not found:
        raise BadInput(f"the command wrote no `{path}`", "give a pattern that its reports match")
    if len(found) > REPORTS_MAX:
        raise BadInput(f"more than {REPORTS_MAX} files match `{path}`", "give a narrower pattern")
    unseen = _Earlier(b"", before.whole.at_ns)
    return _as_one(path, (_fresh_report(one, before.matched.get(one, unseen)) for one in found))


def _matched(pattern: Path) -> Iterator[Path]:
    """Files that a pattern matches, one more than are read at the most."""
    start = beginning(pattern)
    try:
        yield from islice(start.glob(str(pattern.relative_to(start))), REPORTS_MAX + 1)
    except ValueError as error:
        raise BadInput(
            f"`{pattern}` is no pattern of reports: {error}",
            "let `**` stand for folders alone: `**/TEST-*.xml`",
        ) from error


def _as_one(pattern: Path, reports: Iterator[bytes]) -> bytes:
    """Several JUnit reports as one: their roots below another `testsuites`."""
    parts, size = [b"<testsuites>"], 0
    for report in reports:
        part = _DECLARATION.sub(b"", report)
        size += len(part)
        if size > ARTIFACT_BYTES_MAX:
            raise BadInput(
                f"the files of `{pattern}` have more than {ARTIFACT_BYTES_MAX} bytes",
                "give a narrower pattern",
            )
        try:
            part.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(f"a file of `{pattern}` is no UTF-8", "let the runner write UTF-8") from error
        parts.append(part)
    return b"\n".join([*parts, b"</testsuites>\n"])


def _earlier(path: Path) -> _Earlier:
    try:
        content = read_regular(path, follow=True)
    except (OSError, ValueError, BadInput):
        content = b""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as mark:
            return _Earlier(content, os.fstat(mark.fileno()).st_mtime_ns)
    except OSError:
        return _Earlier(content, time.time_ns() - CLOCK_STEP_NS)


def _fresh_report(path: Path, before: _Earlier) -> bytes:
    try:
        content = read_regular(path, follow=False)
        status = path.lstat()
    except FileNotFoundError as error:
        raise BadInput(
            f"the command wrote no `{path}`", "give the file that the command writes its report to"
        ) from error
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read `{path}`: {error}", "make the report readable") from error
    old = status.st_mtime_ns < before.at_ns or status.st_nlink > 1
    if old or (before.content and content.startswith(before.content)):
        raise BadInput(
            f"`{path}` was there before and the command did not write it",
            "remove it and let the command write its report anew; one made beforehand is not witnessed",
        )
    return content
