"""Running again what a task had the engine witness: tests and build, on the commit under review.

They run in the working tree where that is the commit, else in a fresh checkout of it; and without network and
with all else read-only where they did the first time. Commands come from signed records, so they are run only
if those records hold; they get no variable whose name speaks of a secret, nor any that changes outcomes
unseen.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from phasegate.engine.app.audit.evidence_commit import witnesses_of
from phasegate.engine.app.git.commit import Commit
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.app.git.truth import export, tree_state
from phasegate.engine.app.paths import decode_path
from phasegate.engine.app.witnessing.checkout import DEPENDENCIES
from phasegate.engine.app.witnessing.credentials import refuse_credentials
from phasegate.engine.app.witnessing.environment import passed_on
from phasegate.engine.app.witnessing.observing import SCRATCH_MARK, Job, observe
from phasegate.engine.core.errors import EngineError
from phasegate.engine.core.events import Recorded, WitnessRecorded
from phasegate.engine.core.state import TaskState, is_current, is_gate_report
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.quoting import printable, quoted

FAILED: Final = "rerun.failed"
_OF_ENV: Final = frozenset({"-i", "-", "--ignore-environment", "--"})
NOT_RUN: Final = "rerun.not_evaluated"
LIMIT_S: Final = 3_600
_TAIL_CHARS: Final = 1_000
_is_secret = re.compile(
    r".*(?:TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY).*|PHASEGATE_.*|ACTIONS_.*"
    r"|SSH_AUTH_SOCK|GPG_AGENT_INFO",
    re.IGNORECASE,
).fullmatch


class Again(NamedTuple):
    """A command that is run again.

    Attributes:
        argv: as it was recorded, but for a program that is elsewhere on this machine.
        cwd: where.
        complete: whether the whole command was recorded.
        hermetic: whether it is run without network and with everything read-only but a scratch folder.
        moved: whether a report was moved into that folder the first time, which is not recorded.
    """

    task: str
    phase: str
    argv: tuple[str, ...]
    cwd: Path
    complete: bool
    hermetic: bool
    moved: bool


class Reran(NamedTuple):
    """What came of it."""

    again: Again
    exit_code: int
    duration_ms: int


@contextmanager
def place_of(commit: Commit) -> Iterator[Path]:
    """A folder with the files of a commit: the working tree if it has no others, else a fresh checkout.

    What git ignores lies in the working tree alone, but folders of dependencies are lent to a checkout.

    Raises:
        GitUnavailable: the working tree cannot be looked at, or the commit not be checked out.
    """
    if tree_state(commit.root).tree == commit.tree:
        yield commit.root
        return
    with tempfile.TemporaryDirectory(prefix="phasegate-rerun-", ignore_cleanup_errors=True) as name:
        folder, aside = Path(name).resolve() / "commit", Path(name).resolve() / "aside"
        try:
            folder.mkdir()
            aside.mkdir()
            export(commit.root, commit.id, folder, aside)
            _lend(commit.root, folder)
        except OSError as error:
            raise GitUnavailable(f"the commit cannot be checked out: {error}") from error
        yield folder


def _lend(root: Path, folder: Path) -> None:
    for name in DEPENDENCIES:
        if (root / name).is_dir() and not os.path.lexists(folder / name):
            (folder / name).symlink_to((root / name).resolve(), target_is_directory=True)


def commands(state: TaskState, events: tuple[tuple[int, Recorded], ...], root: Path) -> tuple[Again, ...]:
    """The commands behind the witnessed evidence of the phases a task claims complete, each once."""
    witnesses = witnesses_of(events)
    found: dict[tuple[tuple[str, ...], str], Again] = {}
    for name, event in witnesses.items():
        evidence = state.evidence.get(name)
        if evidence is None or evidence.phase not in state.completed or not is_current(state, evidence):
            continue
        if is_gate_report(name, evidence):
            continue  # of the scanners and the tree of then, which are not those of now
        again = _again(state, evidence.phase, event, root)
        found.setdefault((event.argv, event.cwd), again)
    return tuple(found.values())


def rerun(
    asked: Iterable[Again], environ: Mapping[str, str], limit_s: float = LIMIT_S
) -> Iterator[Reran | Finding]:
    """Run commands one after another; a command that could not be run is a finding.

    Findings: `rerun.not_evaluated`.
    """
    kept = {name: value for name, value in passed_on(environ)[0].items() if not _is_secret(name)}
    for again in asked:
        yield from _run(again, kept, limit_s)


def rerun_finding(again: Again, exit_code: int, log: bytes) -> Finding:
    """The finding `rerun.failed` about a command that ended badly."""
    tail = printable(log.decode("utf-8", "replace").strip()[-_TAIL_CHARS:], _TAIL_CHARS)
    text = f"{quoted(' '.join(again.argv))} ended with {exit_code}: {tail or 'it printed nothing'}"
    return Finding(FAILED, "", again.phase, text, "run it yourself and mend what fails")


def nothing_ran(task: str, reason: str) -> Finding:
    """The finding `rerun.not_evaluated` about a task."""
    remedy = "have the engine witness tests and build, then validate what it recorded"
    return Finding(NOT_RUN, "", task, reason, remedy, Severity.NOT_EVALUATED)


def _run(again: Again, environ: Mapping[str, str], limit_s: float) -> Iterator[Reran | Finding]:
    if not again.complete:
        yield nothing_ran(again.task, f"{quoted(again.argv[0])} was recorded without all its arguments")
        return
    job = Job(
        again.argv, again.cwd, {}, echo=False, hermetic=again.hermetic, limit_s=limit_s, environ=environ
    )
    try:
        refuse_credentials(again.cwd)
        ran = observe(job, look_at_git=False).ran
    except EngineError as error:
        reason = f"{error.message}; {error.remedy}" if error.remedy else error.message
        yield nothing_ran(again.task, f"{quoted(' '.join(again.argv))} cannot be run: {reason}")
        return
    yield Reran(again, ran.exit_code, ran.duration_ms)
    if ran.timed_out:
        yield nothing_ran(again.task, f"{quoted(' '.join(again.argv))} took longer than {limit_s:.0f} s")
    elif ran.exit_code and again.moved:
        text = f"ended with {ran.exit_code}; it is not recorded where its reports went"
        yield nothing_ran(again.task, f"{quoted(' '.join(again.argv))} {text}")
    elif ran.exit_code:
        yield rerun_finding(again, ran.exit_code, ran.log)


def _again(state: TaskState, phase: str, event: WitnessRecorded, root: Path) -> Again:
    digest = hashlib.sha256(json.dumps(list(event.argv)).encode()).hexdigest()
    complete = bool(event.argv) and digest == event.argv_digest
    named = tuple(_moved_here(argument, state, root) for argument in event.argv or ("",))
    argv = _runnable(named)
    marked = any(SCRATCH_MARK in argument for argument in argv)
    moved = event.hermetic and bool(event.reports) and not marked
    return Again(state.task, phase, argv, _folder(state, event, root), complete, event.hermetic, moved)


def _moved_here(argument: str, state: TaskState, root: Path) -> str:
    """An argument with the path of the task's repository replaced by that of this one."""
    if not state.repository:
        return argument
    own = str(decode_path(state.repository))
    return re.sub(rf"{re.escape(own)}(?=/|$)", lambda _: str(root), argument)


def _runnable(named: tuple[str, ...]) -> tuple[str, ...]:
    """A command with its programs on this machine: the first word, and what `env` with variables starts."""
    at = 0
    if Path(named[0]).name == "env":
        at = next((i for i, word in enumerate(named) if i and "=" not in word and word not in _OF_ENV), 0)
    return tuple(_program(word) if i in {0, at} else word for i, word in enumerate(named))


def _program(recorded: str) -> str:
    """The recorded program, or the one of its name on this machine when that path is of another."""
    if Path(recorded).is_absolute() and not Path(recorded).exists():
        return shutil.which(Path(recorded).name) or recorded
    return recorded


def _folder(state: TaskState, event: WitnessRecorded, root: Path) -> Path:
    """The same folder below this root as it was below the task's repository; the root when there is none."""
    if state.repository:
        try:
            inside = Path(event.cwd).relative_to(decode_path(state.repository))
        except ValueError:
            return root
        folder = (root / inside).resolve()
        if folder.is_dir() and folder.is_relative_to(root.resolve()):
            return folder
    return root
