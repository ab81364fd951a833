"""What the repository under review says to a checkpoint: commit, marks, freshness of documents, a new run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from phasegate.engine.app.audit.audit import History
from phasegate.engine.app.audit.evidence_commit import About, about_findings, abouts
from phasegate.engine.app.audit.freshness import (
    FILE_MAP,
    MAX_AGE_HOURS,
    Description,
    freshness_findings,
    mapped_by_policy,
    mapped_by_task,
)
from phasegate.engine.app.audit.markers import FILE_BYTES_MAX, marker_findings
from phasegate.engine.app.audit.patch_checks import patch_findings
from phasegate.engine.app.audit.policy import CheckpointPolicy
from phasegate.engine.app.audit.records import Records
from phasegate.engine.app.audit.rerunning import Reran, commands, nothing_ran, place_of, rerun
from phasegate.engine.app.git.commit import Commit
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.core.state import is_current
from phasegate.ledger.store import Store
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.quoting import quoted

NOT_LOOKED_AT: Final = "repository.not_evaluated"
NOTHING_MAPPED: Final = "freshness.not_evaluated"
DIRTY: Final = "rerun.dirty"
OTHER_BASE: Final = "commit.base_not_protected"


class Claimant(NamedTuple):
    """A task that the repository is compared with.

    Attributes:
        history: its entries, replayed.
        confirmed_at: when the latest gate was passed over its documents, in seconds since 1970.
    """

    history: History
    confirmed_at: int


@dataclass(frozen=True, slots=True)
class RepositoryChecks:
    """Checks of one commit.

    Attributes:
        claimants: the tasks it is compared with.
        base: the ref that the change started from; empty when none was named.
    """

    commit: Commit
    policy: CheckpointPolicy
    records: Records | None
    claimants: Sequence[Claimant]
    base: str = ""

    def commits(self) -> tuple[tuple[About, ...], tuple[Finding, ...]]:
        """What the evidence of the tasks is about, and what is wrong with that."""
        seen: list[About] = []
        found: list[Finding] = []
        for history, _ in self.claimants:
            process, state, events = history.process, history.state, history.events
            if self.records is None:
                continue
            own = tuple(abouts(process, state, events, self.commit, self.records.snapshot))
            seen.extend(own)
            found.extend(about_findings(state.task, own, self.commit, claims=bool(state.completed)))
        return tuple(seen), tuple(found)

    def patches(self) -> tuple[Finding, ...]:
        """Tasks whose patch does not make the commit of the one they began from."""
        records = self.records
        if records is None:
            return ()
        return tuple(
            finding
            for item in self.claimants
            for finding in patch_findings(item.history, self.commit, records)
        )

    def bases(self) -> tuple[Finding, ...]:
        """Tasks whose base commit the base branch does not have: their agent chose what to be measured by."""
        if not self.base:
            return ()
        return tuple(finding for item in self.claimants for finding in self._base_findings(item.history))

    def _base_findings(self, history: History) -> Iterator[Finding]:
        task, commit = history.state.task, history.state.base_commit
        if not commit:
            if history.state.completed:
                text = f"task `{task}` was opened without its repository, so nothing says what it began from"
                remedy = "open the task with `--repo DIR`"
                yield Finding(OTHER_BASE, "", "repository", text, remedy, Severity.NOT_EVALUATED)
            return
        try:
            if self.commit.forked_from(self.base, commit):
                return
        except GitUnavailable as error:
            yield _not_looked_at(f"the base commit of `{task}`", error, "fetch the whole history")
            return
        base = quoted(self.base)
        text = f"task `{task}` was opened on {quoted(commit)}, and the change does not leave {base} there"
        remedy = (
            "open the task on the commit where the change leaves the base branch; tests and files are "
            "compared with that one"
        )
        yield Finding(OTHER_BASE, "", "repository", text, remedy)

    def markers(self) -> tuple[Finding, ...]:
        """Marks of unfinished work in the production code of the commit."""
        rules = self.policy.markers.rules
        try:
            changed = self._changed()
            blobs = [
                blob
                for blob in self.commit.blobs()
                if rules.may_cover(blob.path) and (changed is None or blob.path in changed)
            ]
            files = self.commit.read(blobs, file_bytes_max=FILE_BYTES_MAX)
        except GitUnavailable as error:
            return (_not_looked_at("marks of unfinished work", error),)
        return marker_findings(files, rules)

    def _changed(self) -> frozenset[str] | None:
        if self.policy.markers.scope == "all":
            return None
        bases = [self.base] if self.base else [item.history.state.base_commit for item in self.claimants]
        if not all(bases) or not bases:
            raise GitUnavailable(
                "`scope: changed` needs `--base REF` or a task that was opened with `--repo`"
            )
        return frozenset[str]().union(*(self.commit.changed_since(base) for base in bases))

    def freshness(self, max_age_hours: int | None, *, must_map: bool = False) -> tuple[Finding, ...]:
        """Documents that are older than the code they describe.

        Args:
            max_age_hours: by how much they may be; the policy's, else 24, without it.
            must_map: whether it is a finding that no document describes any code.
        """
        descriptions = [item for claimant in self.claimants for item in self._of_task(claimant)]
        if not descriptions and not self.policy.docs:
            return (_nothing_mapped(),) if must_map else ()
        try:
            times = self.commit.times()
            files = [blob.path for blob in self.commit.blobs()]
        except GitUnavailable as error:
            return (_not_looked_at("the freshness of documents", error, "fetch the whole history"),)
        present = frozenset(files)
        descriptions = [item for item in descriptions if item.file in present]
        descriptions.extend(mapped_by_policy(self.policy.docs, times, files))
        if not descriptions:
            return (_nothing_mapped(),) if must_map else ()
        chosen = (max_age_hours, self.policy.max_age_hours, MAX_AGE_HOURS)
        return freshness_findings(descriptions, times, next(hours for hours in chosen if hours is not None))

    def _of_task(self, claimant: Claimant) -> Iterator[Description]:
        state = claimant.history.state
        evidence = state.evidence.get(FILE_MAP)
        if self.records is None or evidence is None or not is_current(state, evidence):
            return
        content = self.records.snapshot(evidence.digest)
        if content is not None and evidence.phase in state.completed:
            yield from mapped_by_task(state.task, content, claimant.confirmed_at)

    def rerun(self) -> tuple[tuple[Reran, ...], tuple[Finding, ...]]:
        """Run tests and build again, and tell what came of it."""
        if not self.claimants:
            return (), (nothing_ran("", "no task of this repository claims anything"),)
        try:
            with place_of(self.commit) as folder:
                ran, found = self._rerun_in(folder)
                found.extend([] if folder == self.commit.root else [_dirty()])
        except GitUnavailable as error:
            return (), (nothing_ran("", f"the files of the commit could not be laid out: {error}"),)
        return tuple(ran), tuple(found)

    def _rerun_in(self, folder: Path) -> tuple[list[Reran], list[Finding]]:
        ran: list[Reran] = []
        found: list[Finding] = []
        for history, _ in self.claimants:
            asked = commands(history.state, history.events, folder)
            if not asked:
                found.append(
                    nothing_ran(history.state.task, "no witnessed command stands behind what it claims")
                )
            for item in rerun(asked, os.environ):
                if isinstance(item, Reran):
                    ran.append(item)
                else:
                    found.append(item)
        return ran, found


def claimant(history: History, store: Store) -> Claimant:
    """A task with the signed time of the latest gate it passed; without any, with the time of its opening."""
    if history.gated:
        at = history.gated[-1][1]
    else:
        entry = store.get(history.events[0][0])
        at = entry.at if entry else ""
    return Claimant(history, int(datetime.fromisoformat(at).timestamp()) if at else 0)


def _dirty() -> Finding:
    text = (
        "the working tree differs from the commit, so the commands were run in a fresh checkout of the commit"
    )
    remedy = "check the commit out, with nothing untracked that is not ignored, to have them run in place"
    return Finding(DIRTY, "", "repository", text, remedy, Severity.WARNING)


def _not_looked_at(what: str, error: Exception, remedy: str = "make the repository readable") -> Finding:
    text = f"{what} could not be looked at: {error}"
    return Finding(NOT_LOOKED_AT, "", "repository", text, remedy, Severity.NOT_EVALUATED)


def _nothing_mapped() -> Finding:
    text = (
        f"no {quoted(FILE_MAP)} of a task and no `docs` of a policy says which documents describe which code"
    )
    remedy = "map code to documents in the policy file, or name a home or bundle whose task has a file map"
    return Finding(NOTHING_MAPPED, "", "repository", text, remedy, Severity.NOT_EVALUATED)
