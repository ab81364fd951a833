"""Onboarding, printed: what was found, the lines of the profile with their reasons, what is in the way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasegate.engine.app.onboarding.onboarding import Onboarding
from phasegate.engine.app.onboarding.onboarding import onboard as make
from phasegate.engine.app.onboarding.writing import PROFILE, Change, changes_for, write
from phasegate.engine.cli.options import Format, ProfileFormat
from phasegate.engine.cli.output import finding_json, print_findings, print_json, print_jsonl, print_rows, say
from phasegate.engine.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for."""

    path: Path
    name: str
    without_coverage: bool
    dry_run: bool
    write: bool
    force: bool


def onboard(asked: Asked, format_: ProfileFormat) -> None:
    """Make a profile, print it, and write it if asked to.

    Raises:
        BadInput: the folder or name is none, another profile is there already, or what is asked contradicts.
        NotEvaluated: nothing in the folder is known.
    """
    _refuse_contradictions(asked)
    made = make(asked.path, asked.name, without_coverage=asked.without_coverage)
    changes = changes_for(made.root, made.text)
    # Written first: whoever reads that it was shown as JSON may take it for done.
    written = write(made.root, made.text, force=asked.force) if asked.write else ()
    if asked.dry_run and format_ is ProfileFormat.TABLE:
        _diff(made, changes)
    else:
        _PRINTERS[format_](made, changes)
    _say_what_happened(asked, format_, written)


def _refuse_contradictions(asked: Asked) -> None:
    if asked.dry_run and asked.write:
        raise BadInput("`--dry-run` and `--write` are both given", "give one of them")
    if asked.force and not asked.write:
        raise BadInput("`--force` is given without `--write`", "give `--write` too, or neither")


def _say_what_happened(asked: Asked, format_: ProfileFormat, written: Sequence[Path]) -> None:
    if asked.write:
        say("".join(f"written: {path}\n" for path in written) or f"{PROFILE} is there already, and the same")
        say(f"commit it, then open tasks with `engine open TASK --process {PROFILE} --repo .`")
    elif asked.dry_run or format_ is ProfileFormat.TABLE:
        say(f"nothing was written; `--format yaml` shows the profile, `--write` puts it into {PROFILE}")


def profile_json(made: Onboarding, changes: Sequence[Change]) -> dict[str, Any]:
    """What was found, and what writing it changes, as plain data."""
    return {
        "profile": made.name,
        "digest": made.process.digest,
        "found": _facts(made),
        "commands": [
            {"phase": phase.name, **command.model_dump(mode="json")}
            for phase in made.process.phases
            for command in phase.commands
        ],
        "lines": [
            {
                "line": line.where,
                "value": line.value,
                "why": line.why,
                "evidence": [str(at) for at in line.places],
            }
            for line in made.lines
        ],
        "findings": [finding_json(finding) for finding in made.findings],
        "changes": [
            {"file": change.path, "replaces": change.replaces, "diff": change.diff} for change in changes
        ],
        "yaml": made.text,
    }


def _facts(made: Onboarding) -> list[dict[str, Any]]:
    return [
        {"kind": fact.kind, "name": fact.name, "folder": fact.folder, "evidence": str(fact.place)}
        for fact in made.detection.facts
    ]


def _table(made: Onboarding, _changes: Sequence[Change]) -> None:
    facts = [{**row, "folder": row["folder"] or "."} for row in _facts(made)]
    print_rows(Format.TABLE, facts, ["kind", "name", "folder", "evidence"], f"{made.name}: what was found")
    lines = [{"line": line.where, "says": _short(line.value), "why": line.reason} for line in made.lines]
    print_rows(Format.TABLE, lines, ["line", "says", "why"], "what the profile says because of it")
    print_findings(made.findings)


def _short(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "; ".join(" ".join(item.get("run", ())) for item in value)
    return (
        "left out" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    )


def _diff(made: Onboarding, changes: Sequence[Change]) -> None:
    """The diff alone on standard output, so that it can be kept and applied; what is in the way beside it."""
    sys.stdout.write("".join(change.diff for change in changes))
    sys.stdout.flush()
    for finding in made.findings:
        say(f"{finding.code}: {finding.message}; {finding.remedy}")
    if not changes:
        say(f"{PROFILE} is there already, and the same")


def _lines(made: Onboarding, changes: Sequence[Change]) -> None:
    print_jsonl(profile_json(made, changes)["lines"])


def _yaml(made: Onboarding, _changes: Sequence[Change]) -> None:
    sys.stdout.write(made.text)
    sys.stdout.flush()


_PRINTERS: Mapping[ProfileFormat, Callable[[Onboarding, Sequence[Change]], None]] = {
    ProfileFormat.TABLE: _table,
    ProfileFormat.JSON: lambda made, changes: print_json(profile_json(made, changes)),
    ProfileFormat.JSONL: _lines,
    ProfileFormat.YAML: _yaml,
}
