"""Policy discovery, printed: what would be touched, within which bounds, and what is still to be left."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from phasegate.engine.app.discovery.discovering import Discovery
from phasegate.engine.app.discovery.discovering import discover as discover_repository
from phasegate.engine.app.evidence import ARTIFACT_BYTES_MAX, read_regular
from phasegate.engine.app.onboarding.onboarding import BASE
from phasegate.engine.app.onboarding.writing import PROFILE
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import finding_json, print_findings, print_json, print_jsonl, print_rows, say
from phasegate.engine.cli.session import session
from phasegate.engine.core.errors import BadInput
from phasegate.policies.loader import load_process
from phasegate.validators.interface import Severity

EXIT_REFUSED, EXIT_NOT_EVALUATED = 1, 3
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked about: a task, or a repository with a process; and a plan."""

    task: str | None
    repository: Path | None
    process: str | None
    file_map: str | None


def discover(home: Path | None, format_: Format, asked: Asked) -> None:
    """Find out and print; exit 1 when what is planned would be refused, 3 when it cannot be estimated.

    Raises:
        BadInput: neither or both of task and repository are given, or the plan cannot be read.
    """
    if (asked.task is None) == (asked.repository is None):
        raise BadInput("what is asked about is not said", "give either a TASK or `--repository DIR`")
    if asked.task is not None and asked.process is not None:
        raise BadInput("a task has its process already", "leave `--process` out, or name a `--repository`")
    file_map = None if asked.file_map is None else _read(asked.file_map)
    if asked.task is not None:
        with session(home, readonly=True) as engine:
            found = engine.policies.discover(asked.task, file_map)
    else:
        root = asked.repository or Path()
        name = asked.process or _process_of(root)
        found = discover_repository(load_process(name), repository=root, file_map=file_map)
    _PRINTERS[format_](found)
    severities = {finding.severity for finding in found.findings}
    if Severity.ERROR in severities:
        raise typer.Exit(EXIT_REFUSED)
    if Severity.NOT_EVALUATED in severities:
        raise typer.Exit(EXIT_NOT_EVALUATED)


def discovery_json(found: Discovery) -> dict[str, Any]:
    """What was found out, as plain data."""
    return {
        "process": found.process,
        "phases": found.phases,
        "repository": str(found.repository) if found.repository else None,
        "touches": [_touch(found, index) for index in range(len(found.touches))],
        "estimate": found.size,
        "bounds": [asdict(bound) for bound in found.bounds],
        "evidence": [asdict(one) for one in found.needed],
        "findings": [finding_json(finding) for finding in found.findings],
    }


def _touch(found: Discovery, index: int) -> dict[str, Any]:
    touch = found.touches[index]
    lines, high, basis = touch.estimate
    return {
        "path": touch.path,
        "change": touch.change,
        "items": touch.items,
        "phase": touch.phase or None,
        "lines": lines,
        "high": high,
        "basis": basis,
    }


def _process_of(root: Path) -> str:
    own = root / PROFILE
    name = str(own) if own.is_file() else BASE
    say(f"process: {name}")
    return name


def _read(file: str) -> bytes:
    if file == STDIN:
        content = sys.stdin.buffer.read(ARTIFACT_BYTES_MAX + 1)
        if len(content) > ARTIFACT_BYTES_MAX:
            raise BadInput(f"the file map has more than {ARTIFACT_BYTES_MAX} bytes", "plan smaller tasks")
        return content
    try:
        return read_regular(Path(file), follow=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"cannot read `{file}`: {reason}", "name a file with a file map as JSON") from error


def _table(found: Discovery) -> None:
    shown = discovery_json(found)
    if found.touches:
        rows = [
            {
                **row,
                "items": ", ".join(row["items"]),
                "phase": row["phase"] or "none",
                "lines": _range(row["lines"], row["high"]),
            }
            for row in shown["touches"]
        ]
        columns = ["path", "change", "phase", "lines", "basis", "items"]
        print_rows(Format.TABLE, rows, columns, f"{found.process}: what would be touched")
        size = found.size
        unknown = f"; of {size['unknown']} nothing is known" if size["unknown"] else ""
        say(f"{size['files']} files, {_range(size['lines'], size['high'])} lines{unknown}")
    if found.bounds:
        columns = ["phase", "rules", "may", "may_not", "kept"]
        bounds = [{**row, "rules": row["rules"] or "not looked at"} for row in shown["bounds"]]
        print_rows(Format.TABLE, bounds, columns, "how many files each phase may leave changed")
    evidence = [row for row in shown["evidence"] if row["standing"] != "there"]
    columns = ["phase", "name", "origin", "standing", "how"]
    print_rows(Format.TABLE, evidence, columns, "what the gates still ask for")
    print_findings(found.findings)


def _range(lines: int | None, high: int | None) -> str:
    if lines is None or high is None:
        return "unknown"
    return str(lines) if lines == high else f"{lines} to {high}"


def _lines(found: Discovery) -> None:
    shown = discovery_json(found)
    rows = [
        {"about": about, **row}
        for about in ("touches", "bounds", "evidence", "findings")
        for row in shown[about]
    ]
    print_jsonl(rows)


_PRINTERS = {
    Format.TABLE: _table,
    Format.JSON: lambda found: print_json(discovery_json(found)),
    Format.JSONL: _lines,
}
