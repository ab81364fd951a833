"""The signed statement about a witnessed command: the entry's own words as an in-toto predicate."""

from __future__ import annotations

from collections.abc import Iterable

from phasegate.engine.core.events import EvidenceAdded, Recorded, WitnessRecorded
from phasegate.engine.statements.predicate import ChainRef, Subject
from phasegate.engine.statements.witness import GitState, Outputs, Resources, Witness


def predicate_of(ledger: str, task: str, recorded: Recorded, chain: ChainRef) -> Witness:
    """What a `witness.recorded` entry says, as a predicate, with the ledger as it was before.

    Raises:
        TypeError: the event is another.
    """
    event = recorded.event
    if not isinstance(event, WitnessRecorded):
        raise TypeError("only a witnessed command has such a statement")
    return Witness(
        ledger=ledger,
        task=task,
        phase=recorded.phase,
        attempt=recorded.attempt,
        argv=event.argv,
        argv_digest=event.argv_digest,
        environment_digest=event.environment_digest,
        git=_git(event),
        exit_code=event.exit_code,
        started_at=event.started_at,
        duration_ms=event.duration_ms,
        outputs=Outputs(stdout=event.stdout_digest, stderr=event.stderr_digest),
        reports=event.reports,
        resources=Resources(
            cpu_user_ms=event.cpu_user_ms,
            cpu_system_ms=event.cpu_system_ms,
            max_rss_kib=event.max_rss_kib,
        ),
        hermetic=event.hermetic,
        chain=chain,
    )


def _git(event: WitnessRecorded) -> GitState | None:
    if not event.git_commit or not event.git_tree_before or not event.git_tree_after:
        return None
    return GitState(
        commit=event.git_commit,
        tree_before=event.git_tree_before,
        tree_after=event.git_tree_after,
        dirty_before=event.git_dirty,
        dirty_after=event.git_dirty_after,
    )


def subjects_of(events: Iterable[Recorded], process: Subject) -> tuple[Subject, ...]:
    """The artifacts bound along with a witnessed command; the process where it produced none."""
    bound = tuple(
        Subject(event.name, event.digest) for _, _, event in events if isinstance(event, EvidenceAdded)
    )
    return bound or (process,)
