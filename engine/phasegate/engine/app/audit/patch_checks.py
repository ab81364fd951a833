"""Does the patch of a task make the commit under review of the commit that the task began from?

What was witnessed and reviewed is the patch on the base that the engine saw; what is merged is the commit, on
the base that this repository has. The patch is applied here again, to objects of this repository, and the
result is compared with the commit file by file. Where a gate was passed over findings about the repository,
by a flag or broken glass, they are shown here as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phasegate.engine.app.audit.audit import History
from phasegate.engine.app.audit.records import Records
from phasegate.engine.app.git.commit import Commit
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.app.git.truth import PatchCheck, patch_of_commit
from phasegate.engine.core.gate import REPOSITORY, flagged
from phasegate.engine.core.state import is_current
from phasegate.policies.model import FlagMode
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.quoting import quoted
from phasegate.validators.truth import PATCH, PhaseRules, phase_rules

OTHER: Final = "commit.other_than_patch"
UNKNOWN: Final = "commit.patch_not_evaluated"


def patch_findings(history: History, commit: Commit, records: Records) -> tuple[Finding, ...]:
    """Compare a task's patch with the commit, if a phase that it claims complete makes it tell of the change.

    Findings: `commit.other_than_patch`, `commit.patch_not_evaluated`.
    """
    rules = _rules(history)
    return (
        () if rules is None else flagged(_mode(history, rules.phase), _found(history, commit, records, rules))
    )


def _rules(history: History) -> PhaseRules | None:
    """The rules of the last phase claimed complete whose artifacts have to tell of the change."""
    process = history.process
    for phase in reversed(history.state.completed):
        params = process.git_rules(phase) if phase in process.order else None
        if params is not None and (rules := phase_rules(phase, params)).claims:
            return rules
    return None


def _mode(history: History, phase: str) -> FlagMode:
    gate = history.gates.get(phase)
    if gate is None:
        return FlagMode.ENFORCE
    said = gate.flags.get(f"{phase}/{REPOSITORY}", FlagMode.ENFORCE)
    mode = FlagMode(said) if said in set(FlagMode) else FlagMode.ENFORCE
    return FlagMode.OBSERVE if gate.broken_glass and mode is FlagMode.ENFORCE else mode


def _found(history: History, commit: Commit, records: Records, rules: PhaseRules) -> tuple[Finding, ...]:
    state = history.state
    evidence = state.evidence.get(PATCH)
    patch = records.snapshot(evidence.digest) if evidence and is_current(state, evidence) else None
    if patch is None:
        return (_unknown("there is no patch to compare the commit with"),)
    try:
        check = patch_of_commit(commit.root, state.base_commit, commit.id, patch)
    except GitUnavailable as error:
        return (_unknown(f"the patch could not be compared with the commit: {error}"),)
    return tuple(_differences(check, state.base_commit, commit, rules))


def _differences(check: PatchCheck, base: str, commit: Commit, rules: PhaseRules) -> Iterator[Finding]:
    remedy = (
        "commit exactly what the patch says; or go back with `engine backtrack --to PHASE` to the phase that "
        "made it, and have the change verified and reviewed as it is"
    )
    if not check.applies:
        text = f"the patch does not apply to {base[:12]} as this repository has it: {quoted(check.reason)}"
        yield Finding(OTHER, PATCH, "document", text, remedy)
    for path in check.differing:
        if not rules.unclaimed.matches(path):
            text = f"{quoted(path)} is another in {commit.id[:12]} than the patch makes of {base[:12]}"
            yield Finding(OTHER, PATCH, quoted(path), text, remedy)
    for path in check.misplaced:
        text = f"the patch tells of other lines of {quoted(path)} than it changes"
        yield Finding(OTHER, PATCH, quoted(path), text, remedy)


def _unknown(text: str) -> Finding:
    remedy = "fetch the whole history, and validate the bundle or home of the very change"
    return Finding(UNKNOWN, PATCH, "repository", text, remedy, Severity.NOT_EVALUATED)
