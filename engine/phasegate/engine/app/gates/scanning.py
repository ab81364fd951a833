"""Checks by scanners: run here, or read from the report that they wrote elsewhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib import resources
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.gates.outcome import Outcome, Problem, ToolRun, Unable
from phasegate.engine.app.gates.programs import Reported, command_of, report_of
from phasegate.engine.app.gates.subject import Subject
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.globs import globs
from phasegate.validators.limits import LIMITS
from phasegate.validators.parameters import flag, text_parameter
from phasegate.validators.quoting import printable, quoted
from phasegate.validators.scanner_reports import OF_DEPENDENCIES, SEVERITIES, Found, at_least, read_report

DOCUMENTS: Final = ".phasegate-documents-"
"""How the folder of the copy begins in which a scanner finds the task's documents."""


def scanner(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """What a scanner reports of the change.

    Parameters: `format`, a key of `scanner_reports.FORMATS`; `command`, run in a copy of the working tree,
    with `{report}` for a file it writes and `{rules}` for the folder of the rules that come with the
    engine; or `report`, a file below the home or by its whole path that the scanner wrote elsewhere;
    `least`, the severity from which a finding counts (default `low`); `all`, true where findings outside
    the changed lines count as well (default for the formats of `OF_DEPENDENCIES`);
    `documents`, true where it looks at the task's documents too; `excused`, patterns of files whose
    findings do not count; `limit_s` and `exits` as `programs.report_of` has them.

    Raises:
        Unable: it did not run, or its report cannot be read.
        BadParameterError: a parameter is of the wrong shape.
    """
    least = text_parameter(params, "least", "low")
    if least not in SEVERITIES:
        raise Unable(f"`least` is {quoted(least)}", f"use one of {', '.join(SEVERITIES)}")
    kind = text_parameter(params, "format", "sarif")
    reported = _handed_in(subject, params) if "report" in params else _run(subject, params)
    try:
        listed = read_report(kind, reported.content)
    except MalformedReportError as error:
        raise Unable(f"the report of {kind} cannot be used: {error}", error.remedy) from error
    excused, everything = globs(params, "excused"), flag({"all": kind in OF_DEPENDENCIES, **params}, "all")
    problems = [
        _problem(found)
        for found in (item._replace(path=_plain(subject, item.path)) for item in listed)
        if at_least(found, least)
        and not excused.matches(found.path)
        and (everything or _is_of_change(subject, found))
    ]
    return Outcome(tuple(problems), tools=(reported.tool,))


def _run(subject: Subject, params: Mapping[str, Any]) -> Reported:
    report = subject.scratch / "report"
    report.unlink(missing_ok=True)
    argv = command_of(subject, params, report=report, rules=rules_folder())
    if not argv:
        raise Unable("neither `command` nor `report` is set", "set one of them at the rule")
    with _laid_out(subject) if flag(params, "documents") else nullcontext():
        return report_of(subject, params, argv, report)


def _handed_in(subject: Subject, params: Mapping[str, Any]) -> Reported:
    content = read_outside(subject, text_parameter(params, "report", ""), LIMITS.max_report_bytes)
    return Reported(
        content, ToolRun(text_parameter(params, "format", "sarif"), "", hashlib.sha256(content).hexdigest())
    )


def read_outside(subject: Subject, name: str, most: int) -> bytes:
    """A file that policy names: below the home, or by its whole path.

    Never one that the working tree has under that name: a change would bring its own report.

    Raises:
        Unable: there is none, or it is too large.
    """
    try:
        with subject.outside(name).open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise Unable(
            f"there is no file {quoted(name)}", "let the tool write it there, or correct the rule"
        ) from error
    if len(content) > most:
        raise Unable(f"{quoted(name)} has more than {most} bytes", "hand in a smaller one")
    return content


def rules_folder() -> Path:
    """Folder of the rules that come with the engine."""
    return Path(str(resources.files("phasegate.policies") / "gates" / "rules"))


@contextmanager
def _laid_out(subject: Subject) -> Iterator[None]:
    """The documents in a folder of the copy, as long as it is scanned; its name is none that the tree has."""
    folder = Path(tempfile.mkdtemp(prefix=DOCUMENTS, dir=subject.tree))
    try:
        for name, content in subject.documents.items():
            (folder / name).write_bytes(content)
        yield
    finally:
        shutil.rmtree(folder)


def _plain(subject: Subject, path: str) -> str:
    """A path from the root of the working tree, as changes name it."""
    if not path:
        return ""
    for root in (subject.tree, subject.tree.resolve(), subject.checkouts.root):
        if Path(path).is_absolute() and Path(path).is_relative_to(root):
            return Path(path).relative_to(root).as_posix()
    return os.path.normpath(path)


def _is_of_change(subject: Subject, found: Found) -> bool:
    """Whether a finding is of what the task changed; without a file it is of all."""
    if not found.path or found.path.startswith(DOCUMENTS):
        return True
    lines = subject.changed_lines.get(found.path)
    return lines is not None and (not found.line or found.line in lines)


def _problem(found: Found) -> Problem:
    path = found.path.partition("/")[2] if found.path.startswith(DOCUMENTS) else found.path
    place = f"{path}:{found.line}" if found.line else path or "report"
    return Problem(
        printable(place),
        f"{printable(found.message)} ({printable(found.rule)}, {found.severity})",
        "correct it, or let whoever owns the policy excuse it",
    )
