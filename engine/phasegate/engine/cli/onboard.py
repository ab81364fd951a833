"""Onboarding, printed: what was found, the lines of the profile with their reasons, what is in the way."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasegate.engine.app.onboarding.onboarding import PROFILE, Onboarding, write
from phasegate.engine.app.onboarding.onboarding import onboard as make
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.output import finding_json, print_findings, print_json, print_jsonl, print_rows, say
from phasegate.engine.cli.surface.onboard import ProfileFormat


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for."""

    path: Path
    name: str
    without_coverage: bool
    write: bool
    force: bool


def onboard(asked: Asked, format_: ProfileFormat) -> None:
    """Make a profile, print it, and write it if asked to.

    Raises:
        BadInput: the folder or name is none, or another profile is there already.
        NotEvaluated: nothing in the folder is known.
    """
    made = make(asked.path, asked.name, without_coverage=asked.without_coverage)
    # Written first: whoever reads that it was shown as JSON may take it for done.
    written = write(made, force=asked.force) if asked.write else ()
    _PRINTERS[format_](made)
    if asked.write:
        say("".join(f"written: {path}\n" for path in written) or f"{PROFILE} is there already, and the same")
        say(f"commit it, then open tasks with `engine open TASK --process {PROFILE} --repo .`")
    elif format_ is ProfileFormat.TABLE:
        say(f"nothing was written; `--format yaml` shows the profile, `--write` puts it into {PROFILE}")


def profile_json(made: Onboarding) -> dict[str, Any]:
    """What was found, as plain data."""
    return {
        "profile": made.name,
        "digest": made.process.digest,
        "found": _facts(made),
        "toolchains": [{"language": name, "program": program} for name, program in made.toolchains.items()],
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
        "findings": [finding_json(finding) for finding in made.detection.findings],
        "yaml": made.text,
    }


def _facts(made: Onboarding) -> list[dict[str, Any]]:
    return [
        {"kind": fact.kind, "name": fact.name, "folder": fact.folder, "evidence": str(fact.place)}
        for fact in made.detection.facts
    ]


def _table(made: Onboarding) -> None:
    facts = [{**row, "folder": row["folder"] or "."} for row in _facts(made)]
    print_rows(Format.TABLE, facts, ["kind", "name", "folder", "evidence"], f"{made.name}: what was found")
    lines = [{"line": line.where, "says": _short(line.value), "why": line.reason} for line in made.lines]
    print_rows(Format.TABLE, lines, ["line", "says", "why"], "what the profile says because of it")
    for language, program in made.toolchains.items():
        if not program:
            say(f"{language}: its toolchain is not on this machine, so its commands cannot run here")
    print_findings(made.detection.findings)


def _short(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "; ".join(" ".join(item.get("run", ())) for item in value)
    return (
        "left out" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    )


def _lines(made: Onboarding) -> None:
    print_jsonl(profile_json(made)["lines"])


def _yaml(made: Onboarding) -> None:
    sys.stdout.write(made.text)
    sys.stdout.flush()


_PRINTERS = {
    ProfileFormat.TABLE: _table,
    ProfileFormat.JSON: lambda made: print_json(profile_json(made)),
    ProfileFormat.JSONL: _lines,
    ProfileFormat.YAML: _yaml,
}
