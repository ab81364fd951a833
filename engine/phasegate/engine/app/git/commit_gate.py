"""Is what is staged what the active task's phase allows? The question of the pre-commit hook."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.git.home_files import inside
from phasegate.engine.app.git.names import resolve_commit
from phasegate.engine.app.git.running import GitUnavailable, run_git
from phasegate.engine.app.git.same_repository import SameRepository
from phasegate.engine.app.git.truth import top_of
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.engine.core.state import Status, TaskState
from phasegate.validators.interface import Finding
from phasegate.validators.truth import PathChange, PathStatus, Truth, phase_rules, truth_findings

TASK_VARIABLE: Final = "PHASEGATE_TASK"
"""Environment variable that says which of several open tasks of a repository a commit belongs to."""
NO_TASK: Final = "commit.no_active_task"
_INDEX: Final = "GIT_INDEX_FILE"
_STATUS_OF: Final = {
    "A": PathStatus.ADDED,
    "M": PathStatus.MODIFIED,
    "D": PathStatus.DELETED,
    "R": PathStatus.RENAMED,
    "T": PathStatus.TYPE_CHANGED,
}


class CommitGate(NamedTuple):
    """What the gate says.

    Attributes:
        task: the task that was asked for its phase; empty when there is none.
        phase: its phase.
        paths: how many paths are staged.
        findings: what keeps them from being committed.
    """

    task: str
    phase: str
    paths: int
    findings: tuple[Finding, ...]


def commit_gate(engine: Engine, repo: Path, task: str | None) -> CommitGate:
    """Compare what is staged with what the task's phase allows.

    Args:
        engine: open for reading.
        repo: a folder of the repository.
        task: the task; without it the one that `PHASEGATE_TASK` names, else the repository's only open one.

    Raises:
        NotEvaluated: the repository cannot be looked at.
        BadInput: the named task does not exist, or several are open and none was named.
    """
    try:
        root = top_of(repo)
        staged = tuple(_staged(root))
        head = resolve_commit(root, "HEAD")
    except GitUnavailable as error:
        raise NotEvaluated(
            f"`{repo}` cannot be looked at: {error}", "name a repository with `--repo`"
        ) from error
    state = _active(engine, root, task or os.environ.get(TASK_VARIABLE, ""))
    if state is None:
        text = "no task of this repository is open, and nothing is changed without one"
        remedy = "open one: `engine open TASK --process autopilot --repo DIR`"
        return CommitGate("", "", len(staged), (Finding(NO_TASK, "", "repository", text, remedy),))
    rules = engine.process(state.process_digest).git_rules(state.phase)
    if rules is None:
        return CommitGate(state.task, state.phase, len(staged), ())
    # Patch and list of files are compared at the phase's own gate; here they may not exist yet.
    allowed = replace(phase_rules(state.phase, rules), claims=False)
    home = inside(root, engine.home.root)
    tracked = tuple(change.path for change in staged if home and change.mode and change.path.startswith(home))
    found = truth_findings(Truth(head=head, changes=staged, tracked_home=tracked), allowed, {})
    return CommitGate(state.task, state.phase, len(staged), found)


def _active(engine: Engine, root: Path, named: str) -> TaskState | None:
    if named:
        state = named_task(engine, root, named)
        return state if state.status is Status.OPEN else None
    here = SameRepository(root)
    states = [state for state in engine.tasks() if state.status is Status.OPEN and here.has(state.repository)]
    if len(states) > 1:
        names = ", ".join(state.task for state in states)
        raise BadInput(
            f"several tasks of this repository are open: {names}",
            f"say which: `{TASK_VARIABLE}=TASK git commit`",
        )
    return states[0] if states else None


def named_task(engine: Engine, root: Path, named: str) -> TaskState:
    """The task of that name.

    Raises:
        BadInput: there is none, or it is of another repository, whose rules say nothing about this one.
    """
    state = engine.state(named)
    if not SameRepository(root).has(state.repository):
        raise BadInput(
            f"task `{named}` is not of the repository `{root}`",
            f"name one that was opened with `--repo` here, in `{TASK_VARIABLE}` or on the command line",
        )
    return state


def _staged(root: Path) -> Iterator[PathChange]:
    """What the index changes, as `git diff --raw` tells it (git-diff, "Raw output format")."""
    # With `git commit -a` or named paths git makes an index of its own and names it here.
    index = os.environ.get(_INDEX)
    environ = {_INDEX: str(Path(index).absolute())} if index else {}
    asked = ("diff-index", "--cached", "--raw", "-z", "-M", "--no-ext-diff", _base(root))
    fields = iter(run_git(("-C", str(root), *asked), environ).split(b"\0"))
    for head in fields:
        if not head:
            return
        parts = head.decode("ascii", "replace").split(" ")
        status = _STATUS_OF.get(parts[-1][:1])
        if status is None:
            raise GitUnavailable(f"git tells of a change `{parts[-1]}`, such as a merge that is not finished")
        path, old_path = os.fsdecode(next(fields, b"")), ""
        if status is PathStatus.RENAMED:
            old_path, path = path, os.fsdecode(next(fields, b""))
        yield PathChange(path, status, old_path, "" if status is PathStatus.DELETED else parts[1])


def _base(root: Path) -> str:
    """The commit, or the empty tree where there is none yet."""
    if resolve_commit(root, "HEAD"):
        return "HEAD"
    return run_git(("-C", str(root), "hash-object", "-t", "tree", os.devnull), {}).decode().strip()
