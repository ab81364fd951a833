"""What really changed in a repository, against what a phase allows and what the artifacts claim.

Pure: whoever calls has looked at the repository and hands in what was seen. Paths are text in which bytes
that are not UTF-8 stand as lone surrogates (PEP 383); messages escape them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from phasegate.validators.globs import Globs, globs
from phasegate.validators.interface import Artifact, Finding, Severity
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import flag
from phasegate.validators.patch import read_patch
from phasegate.validators.quoting import quoted

PATCH = "git_diff.patch"
MODIFIED_FILES = "modified_files.json"

OTHER_THAN_CLAIMED = frozenset(
    {"git.patch_differs", "git.files_differ", "git.patch_does_not_apply", "git.patch_content_differs"}
)
"""Codes of findings that say the working tree is another than patch and list of files tell."""

# File systems that ignore case, and NTFS short names, reach git's own folder by these.
_GIT_FOLDERS = frozenset({".git", "git~1"})
_LINK_MODES = frozenset({"120000", "160000"})


class PathStatus(StrEnum):
    """What happened to a path between the base commit and the working tree."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    TYPE_CHANGED = "type_changed"


@dataclass(frozen=True, slots=True)
class PathChange:
    """One changed path.

    Attributes:
        path: where it is now, or was if it is deleted.
        status: what happened.
        old_path: where a renamed file was before; empty otherwise.
        mode: its mode now as git writes it (`100644`, `120000`, `160000`); empty if it is deleted.
    """

    path: str
    status: PathStatus
    old_path: str = ""
    mode: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths it concerns: where it is, and where it was."""
        return (self.path, self.old_path) if self.old_path else (self.path,)


@dataclass(frozen=True, slots=True)
class PatchCheck:
    """Whether a patch applies to the base commit, and where the result differs from the working tree.

    Attributes:
        applies: whether it does.
        reason: why it does not.
        differing: paths that the patch leaves with other content than the working tree has.
        hiding: paths of text that the patch shows as binary, so that their lines are not told.
        misplaced: paths of which the patch tells other lines than it changes (`patch_lines`).
    """

    applies: bool
    reason: str = ""
    differing: tuple[str, ...] = ()
    hiding: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """What was seen of a repository.

    Attributes:
        base: the commit compared with; empty for the empty tree.
        head: the commit checked out; empty in a repository without one.
        changes: every path that differs between `base` and the working tree, untracked files included.
        base_is_ancestor: whether `head` descends from `base`.
        hidden: untracked files that ignore rules hide which the base commit does not have.
        patch_check: what became of the patch handed in; None if there was none.
        problem: why the repository could not be looked at; empty if it could.
        tree: id of the tree that the working tree makes; empty when nobody looked.
        committed: what differs between `base` and `head` where the working tree has yet other content: what
            was committed and does not show in `changes`.
        uncommitted: paths that differ between `head` and the working tree.
        tracked_home: paths below the engine's home that the head or the repository's index has.
    """

    base: str = ""
    head: str = ""
    changes: tuple[PathChange, ...] = ()
    base_is_ancestor: bool = True
    hidden: tuple[str, ...] = ()
    patch_check: PatchCheck | None = None
    problem: str = ""
    tree: str = ""
    committed: tuple[PathChange, ...] = ()
    uncommitted: tuple[str, ...] = ()
    tracked_home: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PhaseRules:
    """What a phase may leave changed, compared with the base commit.

    Attributes:
        phase: name of the phase, for messages.
        allow: paths that may differ; what matches none of them may not.
        deny: paths that may not, whatever `allow` says.
        keep: paths that may not be deleted or moved away: tests and their configuration.
        unclaimed: paths that patch and list of files need not name, such as evidence documents in the tree.
        visible: files that no ignore rule made since the base may hide: sources, tests, configuration.
        claims: whether patch and list of files must tell of the very change.
        allow_links: whether symbolic links and submodules may change.
        committed: whether the commit checked out must have all that stands, but for what is unclaimed.
    """

    phase: str
    allow: Globs
    deny: Globs = field(default_factory=Globs)
    keep: Globs = field(default_factory=Globs)
    unclaimed: Globs = field(default_factory=Globs)
    visible: Globs = field(default_factory=Globs)
    claims: bool = False
    allow_links: bool = False
    committed: bool = False


def phase_rules(phase: str, params: Mapping[str, Any]) -> PhaseRules:
    """Return the rules a process definition gives for a phase; without `allow`, nothing may differ.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    return PhaseRules(
        phase=phase,
        allow=globs(params, "allow"),
        deny=globs(params, "deny"),
        keep=globs(params, "keep"),
        unclaimed=globs(params, "unclaimed"),
        visible=globs(params, "visible"),
        claims=flag(params, "claims"),
        allow_links=flag(params, "allow_links"),
        committed=flag(params, "committed"),
    )


def truth_findings(truth: Truth, allowed: PhaseRules, artifacts: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """Compare what changed with what the phase allows and, where it claims a change, with the claims.

    Findings: `git.not_evaluated`, `git.history_rewritten`, `git.path_not_allowed`, `git.path_unsafe`,
    `git.kept_file_deleted`, `git.hidden_file`, `git.link`, `git.patch_missing`, `git.files_missing` (both
    *not evaluated*), `git.patch_differs`, `git.files_differ`, `git.patch_does_not_apply`,
    `git.patch_content_differs`, `git.patch_hides_lines`, `git.patch_misplaces_lines`, `git.not_committed`,
    `git.home_tracked`, those of `patch.read_patch` and `json_schema.read`, and as a warning
    `git.ignore_rules_changed`.
    """
    if truth.problem:
        message = f"the repository could not be looked at: {truth.problem}"
        remedy = "make the repository readable to the engine, then try again"
        return (Finding("git.not_evaluated", "", "repository", message, remedy, Severity.NOT_EVALUATED),)
    found = [*_history(truth), *_home_faults(truth), *_hidden_faults(truth, allowed)]
    for change in truth.changes:
        found.extend(_place_faults(change, allowed))
    for change in truth.committed:
        found.extend(_place_faults(change, allowed, " in the commit checked out"))
    if allowed.committed:
        found.extend(_uncommitted(truth, allowed))
    if allowed.claims:
        found.extend(_claim_faults(truth, allowed, artifacts))
    return tuple(found)


def claimed_form(path: str) -> str:
    """Return a path as patches and lists of files can say it: bytes that are not UTF-8 replaced."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _history(truth: Truth) -> Iterator[Finding]:
    if not truth.base_is_ancestor:
        message = f"the commit checked out does not descend from the recorded base {quoted(truth.base)}"
        remedy = "check out a branch that was made from the base; history is not rewritten during a task"
        yield Finding("git.history_rewritten", "", "repository", message, remedy)


def _home_faults(truth: Truth) -> Iterator[Finding]:
    for path in truth.tracked_home:
        message = f"{quoted(path)} lies in the engine's home and is in the commit or the index"
        remedy = "take it out with `git rm --cached PATH` and commit; what the change needs lies elsewhere"
        yield Finding("git.home_tracked", "", quoted(path), message, remedy)


def _hidden_faults(truth: Truth, allowed: PhaseRules) -> Iterator[Finding]:
    remedy = "take the new ignore rule or the file away, or let the change name the file"
    for path in truth.hidden:
        if allowed.visible.matches(path):
            message = f"{quoted(path)} is untracked, and an ignore rule that the base does not have hides it"
            yield Finding("git.hidden_file", "", quoted(path), message, remedy)
    others = [path for path in truth.hidden if not allowed.visible.matches(path)]
    if others:
        message = f"new ignore rules hide {len(others)} untracked files, {quoted(others[0])} first"
        place = quoted(others[0])
        yield Finding("git.ignore_rules_changed", "", place, message, remedy, Severity.WARNING)


def _uncommitted(truth: Truth, allowed: PhaseRules) -> Iterator[Finding]:
    remedy = (
        "commit what was verified, or take an ignored file out with `git rm --cached PATH` and commit; "
        "what is merged is the commit, and not what stands beside it"
    )
    for path in truth.uncommitted:
        if not allowed.unclaimed.matches(path):
            message = f"{quoted(path)} stands otherwise in the working tree than in the commit checked out"
            yield Finding("git.not_committed", "", quoted(path), message, remedy)


def _place_faults(change: PathChange, allowed: PhaseRules, where: str = "") -> Iterator[Finding]:
    for path in change.paths:
        place, what = quoted(path), f"{quoted(path)} is {change.status.value.replace('_', ' ')}{where}"
        if any(part.lower() in _GIT_FOLDERS for part in path.split("/")):
            remedy = "take it out of the working tree"
            yield Finding(
                "git.path_unsafe", "", place, f"{what}, which no file of a repository may be called", remedy
            )
        elif allowed.deny.matches(path) or not allowed.allow.matches(path):
            message = f"{what}, which phase {allowed.phase} does not allow"
            remedy = "undo the change, or do it in the phase that allows it"
            yield Finding("git.path_not_allowed", "", place, message, remedy)
    gone = change.old_path or (change.path if change.status is PathStatus.DELETED else "")
    moved_away = (
        gone and allowed.keep.matches(gone) and not (change.old_path and allowed.keep.matches(change.path))
    )
    if moved_away:
        message = f"{quoted(gone)} is gone{where}, and phase {allowed.phase} must keep it"
        remedy = "bring it back with `git restore --source=BASE PATH`"
        yield Finding("git.kept_file_deleted", "", quoted(gone), message, remedy)
    if change.mode in _LINK_MODES and not allowed.allow_links:
        message = f"{quoted(change.path)} is a symbolic link, a submodule or a repository of its own"
        remedy = "put a plain file in its place, or have the process accept links"
        yield Finding("git.link", "", quoted(change.path), message, remedy)


def _claim_faults(truth: Truth, allowed: PhaseRules, artifacts: Mapping[str, bytes]) -> Iterator[Finding]:
    changes = [change for change in truth.changes if not allowed.unclaimed.matches(change.path)]
    real = {claimed_form(path) for change in changes for path in change.paths}
    must = {claimed_form(change.path) for change in changes}
    if PATCH not in artifacts:
        yield _missing("git.patch_missing", PATCH)
    else:
        parsed, findings = read_patch(Artifact(PATCH, artifacts[PATCH]))
        yield from findings
        if not findings:
            claimed = {path for path in parsed.paths if not allowed.unclaimed.matches(path)}
            yield from _differences("git.patch_differs", PATCH, real, claimed, claimed)
            yield from _patch_faults(truth.patch_check, allowed.unclaimed)
    if MODIFIED_FILES not in artifacts:
        yield _missing("git.files_missing", MODIFIED_FILES)
    else:
        value, findings = read(Artifact(MODIFIED_FILES, artifacts[MODIFIED_FILES]), "modified_files")
        yield from findings
        if not findings:
            named = {item if isinstance(item, str) else item["path"] for item in value["files"]}
            named = {path for path in named if not allowed.unclaimed.matches(path)}
            # Where a renamed file was before may be named, but need not.
            yield from _differences("git.files_differ", MODIFIED_FILES, must, named, named - real)


def _differences(
    code: str, artifact: str, real: set[str], claimed: set[str], too_much: Iterable[str]
) -> Iterator[Finding]:
    remedy = f"write {quoted(artifact)} from the working tree, with `git add -N . && git diff --binary BASE`"
    for path in sorted(real - claimed):
        message = f"{quoted(path)} really changed, and {quoted(artifact)} does not name it"
        yield Finding(code, artifact, quoted(path), message, remedy)
    for path in sorted(set(too_much) - real):
        message = f"{quoted(artifact)} names {quoted(path)}, which did not change"
        yield Finding(code, artifact, quoted(path), message, remedy)


def _patch_faults(check: PatchCheck | None, unclaimed: Globs) -> Iterator[Finding]:
    if check is None:
        message = "it was not tried whether the patch applies to the base commit"
        remedy = "hand the patch in while the repository is there"
        yield Finding("git.not_evaluated", PATCH, "document", message, remedy, Severity.NOT_EVALUATED)
    elif not check.applies:
        message = f"the patch does not apply to the recorded base commit: {quoted(check.reason)}"
        remedy = "write it against the base commit, with `git diff --binary BASE`"
        yield Finding("git.patch_does_not_apply", PATCH, "document", message, remedy)
    else:
        for path in check.differing:
            if not unclaimed.matches(path):
                message = f"the patch leaves {quoted(path)} with other content than the working tree has"
                remedy = (
                    "put the file back as the patch has it; or go back with `engine backtrack --to PHASE` to "
                    "the phase that made the patch, write it anew from the working tree, and verify again"
                )
                yield Finding("git.patch_content_differs", PATCH, quoted(path), message, remedy)
        for path in check.hiding:
            message = f"the patch shows {quoted(path)} as binary, and it is text"
            remedy = "write the patch with `git diff --text BASE`, whatever attributes say of the file"
            yield Finding("git.patch_hides_lines", PATCH, quoted(path), message, remedy)
        for path in check.misplaced:
            message = f"the patch tells of other lines of {quoted(path)} than it changes"
            remedy = "write the patch with `git diff --binary BASE`, and do not edit it"
            yield Finding("git.patch_misplaces_lines", PATCH, quoted(path), message, remedy)


def _missing(code: str, artifact: str) -> Finding:
    message = f"there is no {quoted(artifact)} to compare with what really changed"
    return Finding(code, artifact, "document", message, f"hand in {quoted(artifact)}", Severity.NOT_EVALUATED)
