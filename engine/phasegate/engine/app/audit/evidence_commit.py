"""Is a task's evidence about the commit under review?

What the engine witnessed is about the tree it ran in, uncommitted changes included; results of continuous
integration are about the commit they name. Evidence about the same files is good evidence, whatever the
commit is called, so trees are compared: a rebase or squash that changes no file needs no new run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from phasegate.engine.app.git.commit import Commit
from phasegate.engine.core.events import EvidenceAdded, Recorded, StepFinished, WitnessRecorded
from phasegate.engine.core.state import Evidence, TaskState, is_current
from phasegate.policies.model import EvidenceRule, Origin, Process, Witness
from phasegate.validators.interface import Artifact, Finding, Severity
from phasegate.validators.json_schema import read
from phasegate.validators.quoting import quoted

OTHER: Final = "commit.other"
UNKNOWN: Final = "commit.not_evaluated"
_CI_CHECKS: Final = frozenset({"ci_results", "ci_commit"})


class About(NamedTuple):
    """What one artifact is about.

    Attributes:
        commit: the commit that was checked out, or that was named; empty when that is not known.
        tree: the tree it ran in; empty when it is that of the commit, or not known.
        same: whether that is the commit under review, or one with the same files.
    """

    task: str
    artifact: str
    phase: str
    commit: str
    tree: str
    same: bool


def witnesses_of(events: tuple[tuple[int, Recorded], ...]) -> Mapping[str, WitnessRecorded]:
    """The command that each artifact's latest witnessed bytes came from, by artifact name."""
    found: dict[str, WitnessRecorded] = {}
    latest: WitnessRecorded | None = None
    for _, (_, _, event) in events:
        if isinstance(event, WitnessRecorded | StepFinished):
            # What a phase runner made came from no command.
            latest = event if isinstance(event, WitnessRecorded) else None
        elif isinstance(event, EvidenceAdded):
            found.pop(event.name, None)
            if event.origin is Origin.WITNESSED and latest is not None:
                found[event.name] = latest
    return found


def abouts(
    process: Process,
    state: TaskState,
    events: tuple[tuple[int, Recorded], ...],
    commit: Commit,
    snapshot: Callable[[str], bytes | None],
) -> Iterator[About]:
    """What the evidence of the phases claimed complete is about, as far as it is about a commit at all."""
    witnesses = witnesses_of(events)
    for phase in state.completed:
        for rule in process.phase(phase).evidence if phase in process.order else ():
            evidence = state.evidence.get(rule.name)
            if evidence is None or not is_current(state, evidence) or _is_of_documents(process, phase, rule):
                continue
            if rule.name in witnesses:
                yield _witnessed(state.task, evidence, witnesses[rule.name], commit)
            elif _tells_of_ci(rule):
                yield _named(state.task, evidence, snapshot(evidence.digest) or b"", commit)


def about_findings(task: str, found: tuple[About, ...], commit: Commit, *, claims: bool) -> Iterator[Finding]:
    """Findings: `commit.other`, and `commit.not_evaluated` where nothing tells of a commit.

    Args:
        task: the task.
        found: what its evidence is about.
        commit: the commit under review.
        claims: whether the task claims any phase complete.
    """
    for item in found:
        if not item.commit and not item.tree:
            text = f"{quoted(item.artifact)} does not say which commit it is about"
            remedy = "run the command again, inside the repository: `engine witness`"
            yield Finding(UNKNOWN, item.artifact, item.phase, text, remedy, Severity.NOT_EVALUATED)
        elif not item.same:
            what = f"tree {item.tree[:12]} on commit " if item.tree else "commit "
            text = f"it is about {what}{item.commit[:12] or 'none'}, and {commit.id[:12]} is under review"
            remedy = (
                "witness the commit under review again and hand in its results; untracked files that are not "
                "ignored count as changes"
            )
            yield Finding(OTHER, item.artifact, item.phase, text, remedy)
    if claims and not found:
        text = f"no evidence of `{task}` tells which commit it is about"
        remedy = "let the engine witness the tests inside the repository, or leave out `--repo`"
        yield Finding(UNKNOWN, "", task, text, remedy, Severity.NOT_EVALUATED)


def _is_of_documents(process: Process, phase: str, rule: EvidenceRule) -> bool:
    """Whether a rule is for the report of a gate where nothing else is witnessed: the change came later."""
    others = (other.witness for other in process.phase(phase).evidence if other is not rule)
    return rule.witness is Witness.GATE and not any(others)


def _tells_of_ci(rule: EvidenceRule) -> bool:
    return any(check.use in _CI_CHECKS for check in rule.checks)


def _witnessed(task: str, evidence: Evidence, event: WitnessRecorded, commit: Commit) -> About:
    # Only the tree is signed, and it says more: the commit of a tree that was changed says nothing.
    same = event.git_tree_before == commit.tree
    known = event.git_commit if event.git_tree_before else ""
    return About(task, evidence.name, evidence.phase, known, event.git_tree_before, same)


def _named(task: str, evidence: Evidence, content: bytes, commit: Commit) -> About:
    value, findings = read(Artifact(evidence.name, content), "ci_results")
    named = "" if findings else str(value["commit"])
    same = bool(named) and (named == commit.id or commit.tree_of(named) == commit.tree)
    return About(task, evidence.name, evidence.phase, named, "", same)
