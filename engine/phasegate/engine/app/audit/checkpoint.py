"""A checkpoint: the audit of a home or a bundle, and what the repository under review says to it.

Without a repository nothing of it is looked at, and the checkpoint says so: it never says "pass" of more than
it checked. A bundle is about a change, so with one it counts as not evaluated that nobody compared the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from phasegate.engine.app.audit.audit import (
    EXIT_FAILED,
    EXIT_INTEGRITY,
    EXIT_NOT_EVALUATED,
    EXIT_PASS,
    Audit,
    History,
    Terms,
    audit_records,
    auditor_of,
    unvouched,
)
from phasegate.engine.app.audit.evidence_commit import UNKNOWN, About
from phasegate.engine.app.audit.policy import CheckpointPolicy, TermsSource
from phasegate.engine.app.audit.records import BundleRecords, HomeRecords, Records
from phasegate.engine.app.audit.repository_checks import Claimant, RepositoryChecks, claimant
from phasegate.engine.app.audit.rerunning import Reran, nothing_ran
from phasegate.engine.app.bundle.content import read_bundle
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.git.commit import Commit, open_commit
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.app.git.same_repository import SameRepository
from phasegate.engine.core.errors import BadInput, HomeMissing, IntegrityError, NotEvaluated
from phasegate.engine.core.events import TaskOpened
from phasegate.engine.core.state import Status
from phasegate.ledger.notes import MAX_NOTE_BYTES
from phasegate.ledger.offline.archive import BUNDLE_BYTES_MAX
from phasegate.validators.interface import Finding, Severity

NO_REPOSITORY: Final = "the repository: commit, marks of unfinished work, freshness of documents (`--repo`)"
NO_BASE = "whether tasks were opened on a commit of the base branch (`--base REF`)"
STOPPED: Final = "checkpoint.stopped"
ONLY_FRESHNESS: Final = "everything but freshness (`--freshness`)"
NO_RERUN: Final = "a new run of tests and build (`--rerun`)"
ANY_PROCESS: Final = "that the task's process is one you accept (`processes` in `--policy`)"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be checked.

    Attributes:
        tasks: named tasks; all of a home without any.
        bundle: the bundle file; None for a home.
        keys: files with the engine's public keys.
        policy: the policy file.
        previous: files with checkpoints kept from earlier, with which the ledger must begin.
        base: git ref that key and policy are read from; empty to read them as they stand.
        repo: a folder of the repository under review.
        max_age_hours: by how much a document may be older than its code; the policy's without it.
        freshness_only: whether only the freshness of documents is checked, as the daily job does.
    """

    tasks: tuple[str, ...] = ()
    bundle: Path | None = None
    home: Path | None = None
    keys: tuple[Path, ...] = ()
    policy: Path | None = None
    previous: tuple[Path, ...] = ()
    base: str = ""
    repo: Path | None = None
    rerun: bool = False
    markers: bool = True
    max_age_hours: int | None = None
    freshness_only: bool = False
    accept_break_glass: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was found.

    Attributes:
        audit: of ledger, evidence and signatures; None when only freshness was asked for and there are none.
        findings: what the repository says.
        commit: the commit under review; empty when none was looked at.
        abouts: what commit the evidence is about.
        reran: commands that were run again.
        not_looked_at: what this checkpoint says nothing about.
        stopped: exit code of the error that kept it from being made, told by its one finding; 0 for none.
    """

    audit: Audit | None
    findings: tuple[Finding, ...]
    commit: str = ""
    abouts: tuple[About, ...] = ()
    reran: tuple[Reran, ...] = ()
    not_looked_at: tuple[str, ...] = ()
    stopped: int = 0

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 something does not, 3 not evaluated, 4 the ledger does not hold."""
        if self.stopped:
            return self.stopped
        audited = self.audit.exit_code if self.audit is not None else EXIT_PASS
        severities = {finding.severity for finding in self.findings}
        if audited == EXIT_INTEGRITY:
            return EXIT_INTEGRITY
        if audited == EXIT_FAILED or Severity.ERROR in severities:
            return EXIT_FAILED
        return EXIT_NOT_EVALUATED if Severity.NOT_EVALUATED in severities else audited

    def all_findings(self) -> Iterator[tuple[str, Finding]]:
        """Every finding with the task it is about; empty where it is about none."""
        for task in self.audit.tasks if self.audit else ():
            yield from ((task.task, finding) for finding in task.findings)
        for finding in (*(self.audit.findings if self.audit else ()), *self.findings):
            yield "", finding

    def all_faults(self) -> Iterator[tuple[str, str]]:
        """Everything that is wrong with the ledger itself, with the task it is about."""
        if self.audit is None:
            return
        problem = self.audit.ledger.problem
        if problem is not None:
            place = "" if problem.seq is None else f"entry {problem.seq} "
            yield "", f"{place}({problem.code}): {problem.message}"
        yield from (("", fault) for fault in self.audit.faults)
        yield from ((task.task, fault) for task in self.audit.tasks for fault in task.faults)


def stopped(exit_code: int, message: str, remedy: str) -> Checkpoint:
    """The checkpoint that could not be made: whoever reads only a report reads there why.

    Finding: `checkpoint.stopped`.
    """
    severity = Severity.NOT_EVALUATED if exit_code == EXIT_NOT_EVALUATED else Severity.ERROR
    finding = Finding(STOPPED, "", "checkpoint", message, remedy, severity)
    return Checkpoint(None, (finding,), stopped=exit_code)


def check(request: Request) -> Checkpoint:
    """Check what a home or a bundle claims, and the repository if there is one.

    Raises:
        NotEvaluated: there is no home and no such bundle, or a file of terms is not there.
        BadInput: the request names what does not exist or does not go together.
        IntegrityError: the bundle is damaged.
    """
    commit = _commit(request)
    source = TermsSource(commit, request.base)
    policy = source.policy(request.policy)
    terms = Terms(
        keys=tuple(source.key(file) for file in request.keys),
        operators=None if policy.operators is None else frozenset(policy.operators),
        processes=source.processes(policy.processes),
        accept_break_glass=request.accept_break_glass or policy.accept_break_glass,
    )
    if request.freshness_only:
        return _freshness_only(request, commit, policy, terms)
    with _records(request, terms) as records:
        return _checked(request, commit, policy, terms, records)


def _commit(request: Request) -> Commit | None:
    if request.repo is None and not request.base:
        if request.rerun or request.freshness_only:
            raise BadInput("there is no repository to look at", "name a folder of it with `--repo DIR`")
        return None
    repo = request.repo or Path()
    try:
        return open_commit(repo)
    except GitUnavailable as error:
        raise NotEvaluated(
            f"`{repo}` cannot be looked at: {error}", "name a repository with `--repo`"
        ) from error


@contextmanager
def _records(request: Request, terms: Terms) -> Iterator[HomeRecords | BundleRecords]:
    previous = [_kept(file) for file in request.previous]
    if request.bundle is not None:
        bundle = read_bundle(_bundle_bytes(request.bundle))
        records = BundleRecords(bundle, terms.keys, previous)
        if records.tasks and any(task not in records.tasks for task in request.tasks):
            raise BadInput(f"the bundle is about task `{records.tasks[0]}` alone", "name no other")
        yield records
        return
    try:
        engine = Engine.open(request.home, readonly=True)
    except HomeMissing as error:
        remedy = "name a bundle or a home: `validate_checkpoint BUNDLE`, `validate_checkpoint --home DIR`"
        raise NotEvaluated(f"there is nothing to check: {error.message}", remedy) from error
    with engine:
        yield HomeRecords(engine, terms.keys, previous)


def _kept(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_NOTE_BYTES + 1)
    except OSError as error:
        remedy = "name the checkpoint of the last run; leave `--previous` out where there was none"
        raise NotEvaluated(f"there is no checkpoint `{file}`: {error.strerror}", remedy) from error


def _named(tasks: Sequence[str], records: Records) -> tuple[str, ...]:
    """The tasks that are asked for: that of a task's bundle, else those named; none for all."""
    return (records.tasks if isinstance(records, BundleRecords) else ()) or tuple(tasks)


def _bundle_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(BUNDLE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise NotEvaluated(
            f"there is no bundle `{file}`: {reason}",
            "have the job that did the work export one: `engine task export TASK --format bundle FILE`",
        ) from error
    if len(data) > BUNDLE_BYTES_MAX:
        raise BadInput(f"`{file}` has more than {BUNDLE_BYTES_MAX} bytes", "validate the home itself")
    return data


def _checked(
    request: Request, commit: Commit | None, policy: CheckpointPolicy, terms: Terms, records: Records
) -> Checkpoint:
    tasks = _named(request.tasks, records)
    audited = audit_records(records, tasks, terms)
    if isinstance(records, BundleRecords) and not records.vouched:
        audited = audited.with_findings((unvouched(),))
    silent = [] if policy.processes is not None else [ANY_PROCESS]
    silent.extend([] if request.rerun else [NO_RERUN])
    if request.repo is None or commit is None:
        found = _bundle_alone(audited) if isinstance(records, BundleRecords) else ()
        return Checkpoint(audited, found, not_looked_at=(NO_REPOSITORY, *silent))
    claimants = claimants_of(request.tasks, records, terms, commit) if audited.ledger.ok else ()
    checks = RepositoryChecks(commit, policy, records, claimants, request.base)
    seen, about = checks.commits()
    marks = checks.markers() if request.markers else ()
    about = about or uncompared(audited, seen)
    found = (*about, *checks.patches(), *checks.bases(), *marks, *checks.freshness(request.max_age_hours))
    silent.extend([] if request.base else [NO_BASE])
    silent.extend([] if request.markers else ["marks of unfinished work (`--markers`)"])
    result = Checkpoint(audited, found, commit.id, seen, (), tuple(silent))
    return _with_rerun(result, checks, records) if request.rerun else result


def _with_rerun(found: Checkpoint, checks: RepositoryChecks, records: Records) -> Checkpoint:
    """Run commands again, if the records they come from hold and somebody vouches for their key."""
    if found.exit_code == EXIT_INTEGRITY:
        refused = nothing_ran("", "commands are not run from records that do not hold")
    elif isinstance(records, BundleRecords) and not records.vouched:
        refused = nothing_ran(
            "", "commands of a bundle are not run while nobody vouches for its key (`--key`)"
        )
    else:
        reran, more = checks.rerun()
        return replace(found, findings=(*found.findings, *more), reran=reran)
    return replace(found, findings=(*found.findings, refused))


def uncompared(audited: Audit, seen: Sequence[About]) -> tuple[Finding, ...]:
    """What is to be said where something is claimed, and no evidence at all was compared with the commit.

    An open task that has shown nothing yet must not stand before the one whose work the commit is.
    """
    if seen or not any(task.claimed for task in audited.tasks):
        return ()
    text = "no evidence of a task of this repository tells of the commit under review"
    remedy = "name the task whose work it is; its repository has to be this one, or a working tree of it"
    return (Finding(UNKNOWN, "", "repository", text, remedy, Severity.NOT_EVALUATED),)


def _bundle_alone(audited: Audit) -> tuple[Finding, ...]:
    if not any(task.claimed for task in audited.tasks):
        return ()
    text = "nobody compared the bundle with the commit under review"
    remedy = "name the repository with the commit checked out: `--repo DIR`"
    return (Finding(UNKNOWN, "", "repository", text, remedy, Severity.NOT_EVALUATED),)


def claimants_of(
    tasks: Sequence[str], records: Records, terms: Terms, commit: Commit, *, every: bool = False
) -> tuple[Claimant, ...]:
    """The tasks the commit is compared with.

    Of a bundle its task, of a home those that are named; else the open ones of this repository, or, when none
    is open, the one that moved last; or with `every` all of this repository that were not given up.
    """
    named = _named(tasks, records)
    histories = list(_histories(records, terms, named))
    if not named:
        here = SameRepository(commit.root)
        own = [history for history in histories if here.has(history.state.repository)]
        if every:
            kept = (history for history in own if history.state.status is not Status.ABORTED)
            return tuple(claimant(history, records.store) for history in kept)
        open_ = [history for history in own if not history.state.status.final]
        histories = open_ or sorted(own, key=lambda history: history.events[-1][0])[-1:]
    return tuple(claimant(history, records.store) for history in histories)


def _histories(records: Records, terms: Terms, named: Sequence[str]) -> Iterator[History]:
    """The named tasks, or all, replayed; one that cannot be replayed is for the audit to name."""
    auditor = auditor_of(records, terms)
    every = (entry.task for entry in records.store.entries(type=TaskOpened.kind))
    for task in named or sorted(set(every)):
        with suppress(IntegrityError):
            yield auditor.history(task)


def _freshness_only(
    request: Request, commit: Commit | None, policy: CheckpointPolicy, terms: Terms
) -> Checkpoint:
    """Only whether documents are as new as their code: what the daily job asks. Records are optional."""
    if commit is None:
        raise BadInput("there is no repository to look at", "name a folder of it with `--repo DIR`")
    try:
        with _records(request, terms) as records:
            return _freshness_by(request, commit, policy, terms, records)
    except NotEvaluated:
        if request.bundle is not None or request.home is not None:
            raise
    checks = RepositoryChecks(commit, policy, None, (), request.base)
    found = checks.freshness(request.max_age_hours, must_map=True)
    return Checkpoint(None, found, commit.id, not_looked_at=(ONLY_FRESHNESS,))


def _freshness_by(
    request: Request,
    commit: Commit,
    policy: CheckpointPolicy,
    terms: Terms,
    records: HomeRecords | BundleRecords,
) -> Checkpoint:
    """Freshness by records: a document counts as confirmed only by a gate whose signed history holds."""
    verification = records.verification()
    if not verification.ok:
        return Checkpoint(Audit(verification, ()), (), commit.id)
    claimants = claimants_of(request.tasks, records, terms, commit, every=True)
    auditor = auditor_of(records, terms)
    head = records.signed_head()[1]
    tasks = tuple(auditor.faults(history) for history, _ in claimants if history.faults)
    if tasks or head or auditor.people.faults:
        faults = (*auditor.people.faults, *([head] if head else ()))
        return Checkpoint(Audit(verification, tasks, faults), (), commit.id, not_looked_at=(ONLY_FRESHNESS,))
    checks = RepositoryChecks(commit, policy, records, claimants, request.base)
    found = checks.freshness(request.max_age_hours, must_map=True)
    if isinstance(records, BundleRecords) and not records.vouched:
        found = (*found, unvouched())
    return Checkpoint(None, found, commit.id, not_looked_at=(ONLY_FRESHNESS,))
