"""Checks by scanners: run here, or read from the report that they wrote elsewhere."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from phasegate.engine.app.gates.outcome import Outcome, Problem, ToolRun, Unable
from phasegate.engine.app.gates.programs import Reported, command_of, report_of
from phasegate.engine.app.gates.subject import Subject, decoded
from phasegate.validators.errors import MalformedReportError
from phasegate.validators.globs import globs
from phasegate.validators.limits import LIMITS
from phasegate.validators.parameters import flag, text_parameter
from phasegate.validators.quoting import printable, quoted
from phasegate.validators.scanner_reports import OF_DEPENDENCIES, SEVERITIES, Found, at_least, read_report

# No change can bring a folder of a name that nobody knew before.
_TOKEN: Final = secrets.token_hex(8)
DOCUMENTS: Final = f".phasegate-documents-{_TOKEN}"
"""Folder of the copy in which a scanner finds the task's documents."""
TEXTS: Final = f".phasegate-texts-{_TOKEN}"
"""Folder of the copy with changed files as plain text, by names that say so."""
SCRIPTS: Final = "{scripts}"
"""Argument that stands for the changed Python programs that no ending tells of."""
_SHEBANG: Final = re.compile(rb"#!.*\bpython")


def scanner(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """What a scanner reports of the change.

    Parameters: `format`, a key of `scanner_reports.FORMATS`; `command`, run in a copy of the working tree,
    with `{report}` for a file it writes, `{rules}` for the folder of the rules that come with the engine, and
    `{scripts}` as an argument for the changed Python programs that no ending tells of; or `report`, a file
    below the home or by its whole path that the scanner wrote elsewhere; `least`, the severity from which a
    finding counts (default `low`); `all`, true where findings outside the changed lines count as well
    (default for the formats of `OF_DEPENDENCIES`); `documents`, true where it looks at the task's documents
    too; `texts`, true where it looks at every changed text, whatever its name and encoding; `excused`,
    patterns of files whose findings do not count; `limit_s` and `exits` as `programs.report_of` has them.

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
    return Outcome(tuple(dict.fromkeys(problems)), tools=(reported.tool,))


def _run(subject: Subject, params: Mapping[str, Any]) -> Reported:
    report = subject.scratch / "report"
    report.unlink(missing_ok=True)
    argv = command_of(subject, params, report=report, rules=rules_folder())
    if not argv:
        raise Unable("neither `command` nor `report` is set", "set one of them at the rule")
    argv = tuple(word for one in argv for word in (_scripts(subject) if one == SCRIPTS else (one,)))
    with ExitStack() as laid_out:
        if flag(params, "documents"):
            laid_out.enter_context(_laid_out(subject.tree / DOCUMENTS, subject.documents))
        if flag(params, "texts"):
            laid_out.enter_context(_laid_out(subject.tree / TEXTS, _texts(subject)))
        return report_of(subject, params, argv, report)


def _scripts(subject: Subject) -> tuple[str, ...]:
    """Python programs among the changed files that a scanner does not know by their ending."""
    found = []
    for path in subject.changed_lines:
        content = subject.checkouts.as_it_stands(path) or b""
        named = path.lower().endswith((".py", ".pyw"))
        if not path.endswith(".py") and (named or _SHEBANG.match(content)):
            found.append(f"./{path}")
    return tuple(found)


def _texts(subject: Subject) -> dict[str, bytes]:
    """Changed files that are text, as UTF-8."""
    found = {}
    for path in subject.changed_lines:
        text = decoded(subject.checkouts.as_it_stands(path) or b"")
        if text:
            found[f"{path}.txt"] = text.encode()
    return found


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
def _laid_out(folder: Path, files: Mapping[str, bytes]) -> Iterator[None]:
    """Files in a folder of the copy, as long as it is scanned."""
    try:
        folder.mkdir()
    except FileExistsError:
        raise Unable(f"the working tree has {quoted(folder.name)}", "give it another name") from None
    try:
        for name, content in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        yield
    finally:
        shutil.rmtree(folder)


def _plain(subject: Subject, path: str) -> str:
    """A path from the root of the working tree, as changes name it; SARIF has an address in its place."""
    written = _from_root(subject, path)
    if written in subject.changed_lines:
        return written
    return _from_root(subject, unquote(urlsplit(path).path if path.startswith("file:") else path))


def _from_root(subject: Subject, path: str) -> str:
    if not path:
        return ""
    for root in (subject.tree, subject.tree.resolve(), subject.checkouts.root):
        if Path(path).is_absolute() and Path(path).is_relative_to(root):
            path = Path(path).relative_to(root).as_posix()
            break
    path = os.path.normpath(path)
    return path.removeprefix(f"{TEXTS}/").removesuffix(".txt") if path.startswith(f"{TEXTS}/") else path


def _is_of_change(subject: Subject, found: Found) -> bool:
    """Whether a finding is about a line that the task changed, or nobody can tell where it is."""
    if not found.path or found.path.startswith((f"{DOCUMENTS}/", "/")):
        return True
    lines, last = subject.changed_lines.get(found.path), max(found.line, found.last)
    return lines is not None and (not found.line or any(found.line <= line <= last for line in lines))


def _problem(found: Found) -> Problem:
    path = found.path.partition("/")[2] if found.path.startswith(f"{DOCUMENTS}/") else found.path
    place = f"{path}:{found.line}" if found.line else path or "report"
    return Problem(
        printable(place),
        f"{printable(found.message)} ({printable(found.rule)}, {found.severity})",
        "correct it, or let whoever owns the policy excuse it",
    )
