"""The task's repository: the commit work starts from, and what really changed at a gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from phasegate.engine.app.git.home_files import inside, is_engines
from phasegate.engine.app.git.names import resolve_commit
from phasegate.engine.app.git.truth import GitUnavailable, snapshot, top_of
from phasegate.engine.app.paths import decode_path, encode_path
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.truth import PATCH, Truth, phase_rules, truth_findings


def base_of(repository: Path, commit: str) -> tuple[str, str]:
    """Where a repository lies, as an entry holds it, and the full id of a commit in it.

    Raises:
        BadInput: there is no repository, or no such commit in it, or none at all to compare with.
    """
    try:
        real = top_of(repository.resolve(strict=True))
        found = resolve_commit(real, commit)
    except (OSError, GitUnavailable) as error:
        raise BadInput(
            f"`{commit}` cannot be looked up in `{repository}`: {error}",
            "name a folder of a git repository with `--repo` and a commit in it with `--base`",
        ) from error
    if not found:
        raise BadInput(
            f"`{repository}` has no commit yet, so there is nothing to compare the work with",
            "make a first one, an empty one will do: `git commit --allow-empty -m Begin`",
        )
    return encode_path(real), found


class RepositorySeen(NamedTuple):
    """What was seen of a task's repository at a gate.

    Attributes:
        findings: what the phase's rules say of it; None when the phase has none.
        commit: the commit checked out; empty when nobody looked.
        tree: id of the tree the working tree makes, the home left out; empty when nobody looked.
    """

    findings: tuple[Finding, ...] | None
    commit: str
    tree: str = ""


def look(
    process: Process, state: TaskState, contents: Mapping[str, bytes | None], home: Path
) -> RepositorySeen:
    """Compare the real tree with what the current phase allows, if it has rules for that.

    Args:
        process: says what the phase allows.
        state: names the repository and the base commit.
        contents: bytes of the task's current artifacts by name.
        home: the engine's own folder, which is no part of the work.
    """
    rules = process.git_rules(state.phase)
    if rules is None:
        return RepositorySeen(None, "")
    if not state.repository:
        text = f"task `{state.task}` was opened without its repository, so nothing can be compared"
        remedy = "open the task with `--repo DIR`"
        missing = Finding("git.not_evaluated", "", "repository", text, remedy, Severity.NOT_EVALUATED)
        return RepositorySeen((missing,), "")
    patch = contents.get(PATCH)
    repository = decode_path(state.repository)
    truth = _without_home(snapshot(repository, state.base_commit, patch, home), repository, home)
    claimed = {name: data for name, data in contents.items() if data is not None}
    return RepositorySeen(
        truth_findings(truth, phase_rules(state.phase, rules), claimed), truth.head, truth.tree
    )


def _without_home(truth: Truth, repository: Path, home: Path) -> Truth:
    """What was seen, but for a home that lies in the working tree: its files are the engine's."""
    folder = inside(repository, home)
    return replace(
        truth,
        changes=tuple(change for change in truth.changes if not is_engines(change.path, folder)),
        hidden=tuple(path for path in truth.hidden if not is_engines(path, folder)),
        committed=tuple(change for change in truth.committed if not is_engines(change.path, folder)),
        uncommitted=tuple(path for path in truth.uncommitted if not is_engines(path, folder)),
    )
