"""The task's repository: the commit work starts from, and what really changed at a gate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phasegate.engine.app.git_truth import GitUnavailable, resolve_commit, snapshot
from phasegate.engine.app.paths import decode_path, encode_path
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import Process
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.truth import PATCH, phase_rules, truth_findings


def base_of(repository: Path, commit: str) -> tuple[str, str]:
    """Where a repository lies, as an entry holds it, and the full id of a commit in it.

    Raises:
        BadInput: there is no repository, or no such commit in it.
    """
    try:
        real = repository.resolve(strict=True)
        return encode_path(real), resolve_commit(real, commit)
    except (OSError, GitUnavailable) as error:
        raise BadInput(
            f"`{commit}` cannot be looked up in `{repository}`: {error}",
            "name a folder of a git repository with `--repo` and a commit in it with `--base`",
        ) from error


def repository_findings(
    process: Process, state: TaskState, contents: Mapping[str, bytes | None]
) -> tuple[Finding, ...] | None:
    """Compare the real tree with what the current phase allows; None when the phase does not ask for it.

    Args:
        process: says what the phase allows.
        state: names the repository and the base commit.
        contents: bytes of the task's current artifacts by name.
    """
    rules = process.phase(state.phase).git
    if rules is None:
        return None
    if not state.repository:
        text = f"task `{state.task}` was opened without its repository, so nothing can be compared"
        remedy = "open the task with `--repo DIR`"
        return (Finding("git.not_evaluated", "", "repository", text, remedy, Severity.NOT_EVALUATED),)
    patch = contents.get(PATCH)
    truth = snapshot(decode_path(state.repository), state.base_commit, patch)
    claimed = {name: data for name, data in contents.items() if data is not None}
    return truth_findings(truth, phase_rules(state.phase, rules), claimed)
