"""Is what is pushed what this repository's tasks claim? The question of the pre-push hook.

Every pushed commit is compared with the evidence of the tasks of the repository alone: the open ones, or when
none is open the one that moved last. Where nothing is claimed there is nothing to hold it against, and the
push goes through with a warning; the gate in CI asks for more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from phasegate.engine.app.audit.audit import EXIT_INTEGRITY, EXIT_PASS, NO_TERMS, audit_records
from phasegate.engine.app.audit.checkpoint import Checkpoint, claimants_of, uncompared
from phasegate.engine.app.audit.evidence_commit import UNKNOWN
from phasegate.engine.app.audit.policy import CheckpointPolicy
from phasegate.engine.app.audit.records import HomeRecords
from phasegate.engine.app.audit.repository_checks import RepositoryChecks
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.git.commit import Commit, open_commit
from phasegate.engine.app.git.commit_gate import TASK_VARIABLE, named_task
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.app.git.same_repository import SameRepository
from phasegate.engine.app.git.truth import top_of
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.engine.core.state import Status
from phasegate.validators.interface import Finding, Severity

NOTHING_CLAIMED: Final = "no task of this repository claims a phase complete, so nothing was compared"
COMMITS_MAX: Final = 64
_is_line = re.compile(r"(\S+) ([0-9a-f]{40,64}) (\S+) ([0-9a-f]{40,64})").fullmatch


@dataclass(frozen=True, slots=True)
class PushedCommit:
    """What the gate says of one commit.

    Attributes:
        ref: a ref it is pushed from.
        checkpoint: what was found; None when nothing is claimed.
    """

    ref: str
    commit: str
    checkpoint: Checkpoint | None

    @property
    def exit_code(self) -> int:
        """0 to let it through."""
        return self.checkpoint.exit_code if self.checkpoint else EXIT_PASS


def pushed_commits(lines: Iterable[str]) -> dict[str, str]:
    """The commits that are pushed, each with a ref, as git tells them to the hook (githooks, "pre-push").

    A line is `<local ref> <local object> <remote ref> <remote object>`; one that deletes a ref pushes none.

    Raises:
        BadInput: a line is another, or there are too many commits.
    """
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, lines)):
        parts = _is_line(line)
        if parts is None:
            raise BadInput(f"`{line[:200]}` is not a line of git's about a push", "let git call the hook")
        if parts[2].strip("0"):
            found.setdefault(parts[2], parts[1])
    if len(found) > COMMITS_MAX:
        raise BadInput(f"more than {COMMITS_MAX} commits are pushed at once", "push fewer refs at a time")
    return found


def push_gate(engine: Engine, repo: Path, lines: Iterable[str]) -> Iterator[PushedCommit]:
    """Compare every pushed commit with what the repository's tasks claim.

    Args:
        engine: open for reading.
        repo: a folder of the repository.
        lines: what git tells the hook on standard input.

    Raises:
        NotEvaluated: the repository or a commit cannot be looked at.
        BadInput: the lines are not git's, or `PHASEGATE_TASK` names no task of this repository.
    """
    try:
        root = top_of(repo)
        commits = [(ref, open_commit(root, name)) for name, ref in pushed_commits(lines).items()]
    except GitUnavailable as error:
        raise NotEvaluated(
            f"what is pushed cannot be looked at: {error}", "push what git can read"
        ) from error
    tasks = _tasks(engine, root)
    records = HomeRecords(engine)
    audited = audit_records(records, tasks, NO_TERMS) if tasks else None
    for ref, commit in commits:
        if audited is None:
            yield PushedCommit(ref, commit.id, None)
            continue
        found = Checkpoint(audited, (), commit.id)
        if found.exit_code != EXIT_INTEGRITY and not any(task.claimed for task in audited.tasks):
            yield PushedCommit(ref, commit.id, None)
            continue
        yield PushedCommit(ref, commit.id, _compared(found, records, commit))


def _tasks(engine: Engine, root: Path) -> tuple[str, ...]:
    named = os.environ.get(TASK_VARIABLE, "")
    if named:
        return (named_task(engine, root, named).task,)
    here = SameRepository(root)
    states = (state for state in engine.tasks() if state.status is not Status.ABORTED)
    return tuple(state.task for state in states if here.has(state.repository))


def _compared(found: Checkpoint, records: HomeRecords, commit: Commit) -> Checkpoint:
    if found.exit_code == EXIT_INTEGRITY:
        return found
    named = os.environ.get(TASK_VARIABLE, "")
    claimants = claimants_of((named,) if named else (), records, NO_TERMS, commit)
    seen, about = RepositoryChecks(commit, CheckpointPolicy(), records, claimants).commits()
    about = about or (uncompared(found.audit, seen) if found.audit else ())
    return replace(found, findings=tuple(map(_told, about)), abouts=seen)


def _told(finding: Finding) -> Finding:
    """Evidence that tells of no commit differs from none; it is shown, and CI does not accept it."""
    return replace(finding, severity=Severity.WARNING) if finding.code == UNKNOWN else finding
