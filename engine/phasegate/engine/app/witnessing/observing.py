"""Observing a command: what it was run on, how it ended, what it printed, and the reports it wrote.

Reports count only if the command wrote them while it ran: see `fresh_reports`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.git.truth import GitUnavailable, TreeState, tree_state
from phasegate.engine.app.witnessing.environment import digest_of, passed_on
from phasegate.engine.app.witnessing.fresh_reports import read_reports, standing
from phasegate.engine.app.witnessing.runner_environment import of_scratch
from phasegate.engine.app.witnessing.running import Order, Ran, run
from phasegate.engine.app.witnessing.sources import Sources, working_tree_of
from phasegate.engine.core.errors import BadInput
from phasegate.policies.model import Witness

STDOUT = Path("-")
SCRATCH_MARK = "{scratch}"
_NO_TREE = TreeState("", "", "", dirty=False, untracked=())


@dataclass(frozen=True, slots=True)
class Job:
    """A command to witness.

    Attributes:
        argv: the command, run without a shell.
        cwd: its working directory.
        reports: report files it is to write, by kind; relative ones lie below `cwd`, `-` is its output. A
            test report with `*` in its path is a pattern of several (`fresh_reports`).
        echo: whether to show its output on standard error while it runs.
        hermetic: run it without network and with everything read-only but a scratch folder. Its arguments and
            report files name that folder `{scratch}`; a report elsewhere is moved there with the arguments
            that name it.
        limit_s: seconds after which it is killed; None for no limit.
        environ: the environment it is given what is harmless of; the engine's own by default.
        home: the engine's own folder, which is no part of the working tree.
        root: the folder whose source files are to stay as they are while it runs; by default the working tree
            that `cwd` lies in.
        path: where it finds programs; None for the `PATH` of `environ`.
    """

    argv: tuple[str, ...]
    cwd: Path
    reports: Mapping[Witness, Path]
    echo: bool
    hermetic: bool = False
    limit_s: float | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path | None = None
    root: Path | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of one command.

    Attributes:
        argv: the command as it was asked for.
        ran: how it ran.
        dropped: names of variables it was not given.
        before: the working tree before it ran; its ids are empty outside git.
        after: the same afterwards.
        asked: the kinds of report that were asked for.
        reports: bytes of each report by its kind, those the command wrote.
        problems: why a report does not count.
        rewritten: source files that were written, exchanged or taken away while the command ran.
    """

    argv: tuple[str, ...]
    cwd: str
    ran: Ran
    environment_digest: str
    dropped: tuple[str, ...]
    before: TreeState
    after: TreeState
    hermetic: bool
    asked: frozenset[Witness]
    reports: Mapping[Witness, bytes]
    problems: tuple[str, ...]
    rewritten: tuple[str, ...]

    @property
    def asked_reports(self) -> bool:
        """Whether any report was asked for."""
        return bool(self.asked)

    @property
    def exit_code(self) -> int:
        """Exit code of the command; negative when a signal ended it."""
        return self.ran.exit_code


def observe(job: Job, *, look_at_git: bool = True) -> Observation:
    """Run a command and observe it.

    Args:
        job: the command.
        look_at_git: whether to take the ids of the working tree before and after.

    Raises:
        BadInput: the command cannot be started.
        NotEvaluated: it cannot be confined as asked.
    """
    if not job.argv:
        raise BadInput("no command was given", "give one to run, or the name of one that the process names")
    environ, dropped = passed_on(job.environ)
    environ.update({} if job.path is None else {"PATH": job.path})
    before = _tree(job) if look_at_git else _NO_TREE
    with _placed(job, environ) as placed:
        files = {kind: path for kind, path in placed.reports.items() if path != STDOUT}
        earlier = {kind: standing(path) for kind, path in files.items()}
        sources = Sources.seen(job.root or working_tree_of(job.cwd), job.home, files.values())
        ran = run(placed.order)
        rewritten = sources.rewritten()
        reports, problems = read_reports(files, earlier)
    for kind, path in placed.reports.items():
        if path == STDOUT:
            reports[kind] = ran.stdout or ran.log
    return Observation(
        argv=job.argv,
        cwd=str(job.cwd),
        ran=ran,
        environment_digest=digest_of(environ),
        dropped=dropped,
        before=before,
        after=_tree(job) if look_at_git else _NO_TREE,
        hermetic=job.hermetic,
        asked=frozenset(job.reports),
        reports=reports,
        problems=problems,
        rewritten=rewritten,
    )


class _Placed(NamedTuple):
    """What is really run, and where its reports really arrive."""

    order: Order
    reports: Mapping[Witness, Path]


@contextmanager
def _placed(job: Job, environ: Mapping[str, str]) -> Iterator[_Placed]:
    if not job.hermetic:
        with tempfile.TemporaryDirectory(prefix="phasegate-home-", ignore_cleanup_errors=True) as home:
            own = of_scratch(Path(home).resolve())
            order = Order(job.argv, job.cwd, {**environ, **own}, limit_s=job.limit_s, echo=job.echo)
            yield _Placed(order, {kind: _below(job.cwd, path) for kind, path in job.reports.items()})
        return
    scratch = Path(tempfile.mkdtemp(prefix="phasegate-scratch-")).resolve()
    try:
        argv, reports = _into_scratch(job, scratch)
        own = {**of_scratch(scratch), "TMPDIR": str(scratch), "XDG_CACHE_HOME": str(scratch / "cache")}
        order = Order(argv, job.cwd, {**environ, **own}, scratch, limit_s=job.limit_s, echo=job.echo)
        yield _Placed(order, reports)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _below(cwd: Path, path: Path) -> Path:
    return path if path == STDOUT else cwd / path


def _into_scratch(job: Job, scratch: Path) -> tuple[tuple[str, ...], dict[Witness, Path]]:
    """The arguments and reports of a job with everything that is written moved into the scratch folder.

    Raises:
        BadInput: a report lies elsewhere and no argument names it.
    """
    argv = tuple(argument.replace(SCRATCH_MARK, str(scratch)) for argument in job.argv)
    reports: dict[Witness, Path] = {}
    for kind, path in job.reports.items():
        if path == STDOUT:
            reports[kind] = path
            continue
        text = str(path)
        if SCRATCH_MARK in text:
            reports[kind] = Path(text.replace(SCRATCH_MARK, str(scratch)))
            continue
        folder = scratch / f"report-{kind}"
        folder.mkdir()
        reports[kind] = folder / path.name
        moved = tuple(argument.replace(text, str(reports[kind])) for argument in argv)
        if moved == argv:
            raise BadInput(
                f"no argument names `{text}`, and a hermetic command can write only to its scratch folder",
                f"let it write the report to `{SCRATCH_MARK}/{path.name}`, in the command and as the report",
            )
        argv = moved
    return argv, reports


def _tree(job: Job) -> TreeState:
    """The working tree a command is run in; without ids when there is no git or no repository."""
    try:
        return tree_state(job.cwd, job.home)
    except GitUnavailable:
        return _NO_TREE
