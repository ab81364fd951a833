"""Running the programs of checks: found beside the engine's own, then on the path; bounded in time."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from phasegate.engine.app.gates.outcome import ToolRun, Unable
from phasegate.engine.app.gates.subject import Subject
from phasegate.engine.app.witnessing.environment import passed_on
from phasegate.engine.app.witnessing.running import Order, Ran, run
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.validators.parameters import count, strings
from phasegate.validators.quoting import quoted

LIMIT_S: Final = 300
SAID_CHARS: Final = 300
DISTRIBUTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bandit": "bandit",
        "cyclonedx-py": "cyclonedx-bom",
        "detect-secrets": "detect-secrets",
        "diff-cover": "diff-cover",
        "pip-licenses": "pip-licenses",
    }
)
"""Programs of the extra `gates`, and the distribution that has each."""
SEMGREP: Final = "semgrep"


class Reported(NamedTuple):
    """A program's report, and the program."""

    content: bytes
    tool: ToolRun


def command_of(subject: Subject, params: Mapping[str, Any], **places: Path) -> tuple[str, ...]:
    """The `command` of a rule with its places filled in; empty without one.

    Args:
        subject: gives `{root}`, the working tree, `{tree}`, its copy, and `{scratch}`.
        params: the rule's parameters.
        places: what else the rule may name, such as `{report}`.
    """
    known = {"root": subject.checkouts.root, "tree": subject.tree, "scratch": subject.scratch, **places}
    filled = []
    for argument in strings(params, "command") if params.get("command") else ():
        text = argument
        for place, path in known.items():
            text = text.replace(f"{{{place}}}", str(path))
        filled.append(text)
    return tuple(filled)


def found(program: str) -> str:
    """Where a program lies.

    Raises:
        Unable: nowhere.
    """
    beside = Path(sys.executable).parent / program
    place = str(beside) if beside.is_file() and "/" not in program else shutil.which(program)
    if place is None:
        remedy = f"install {quoted(program)}, or hand its report in"
        if program == SEMGREP:
            remedy = "install it apart from the engine, whose pins it contradicts: `pipx install semgrep`"
        elif program in DISTRIBUTIONS:
            remedy = "install it: `pip install 'phasegate[gates]'`"
        raise Unable(f"{quoted(program)} is not installed", remedy)
    return place


def report_of(
    subject: Subject, params: Mapping[str, Any], argv: Sequence[str], report: Path, cwd: Path | None = None
) -> Reported:
    """Run a program and return its report.

    Args:
        subject: what it looks at.
        params: `limit_s`, seconds after which it is killed (default 300); `exits`, exit codes that mean
            that it finished (default 0 and 1).
        argv: the command.
        report: the file it writes; where there is none afterwards, what it printed is the report.
        cwd: its working directory; the copy of the working tree by default.

    Raises:
        Unable: it is not there, did not end in time, or ended otherwise.
    """
    ran = _run(subject, params, argv, cwd or subject.tree)
    said = quoted((ran.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1][:SAID_CHARS])
    if ran.exit_code not in _exits(params):
        raise Unable(
            f"{quoted(argv[0])} ended with exit code {ran.exit_code}: {said}", "correct what it complains of"
        )
    content = report.read_bytes() if report.is_file() else ran.stdout
    digest = hashlib.sha256(content).hexdigest()
    return Reported(content, ToolRun(Path(argv[0]).name, _version(argv[0]), digest))


def _run(subject: Subject, params: Mapping[str, Any], argv: Sequence[str], cwd: Path) -> Ran:
    limit = count(params, "limit_s", LIMIT_S)
    environ = {**passed_on(os.environ)[0], "HOME": str(subject.scratch), "SEMGREP_SEND_METRICS": "off"}
    # A program writes its settings and caches into the scratch folder, and none of the caller's are read.
    environ |= {f"XDG_{kind}_HOME": str(subject.scratch) for kind in ("CONFIG", "CACHE", "DATA", "STATE")}
    try:
        ran = run(Order((found(argv[0]), *argv[1:]), cwd, environ, limit_s=limit))
    except (BadInput, NotEvaluated) as error:
        raise Unable(str(error), error.remedy) from error
    if ran.timed_out:
        raise Unable(
            f"{quoted(argv[0])} did not end within {limit} s", "look at less, or raise `limit_s` of the rule"
        )
    return ran


def _exits(params: Mapping[str, Any]) -> frozenset[int]:
    listed = params.get("exits", [0, 1])
    return (
        frozenset(code for code in listed if isinstance(code, int))
        if isinstance(listed, list)
        else frozenset()
    )


def _version(program: str) -> str:
    try:
        return version(DISTRIBUTIONS.get(program, ""))
    except (PackageNotFoundError, ValueError):
        return ""
