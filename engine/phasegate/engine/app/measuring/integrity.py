"""The integrity batch: every attack on enforcement is run, and the results go into the journal of a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.journal import LINES_MAX, SUMMARY_CHARS_MAX, Journal
from phasegate.engine.app.measuring.attacks import Attack, Batch, run_attacks
from phasegate.engine.app.results import Result

_CUT: Final = "\n... the rest is in the object\n"
_DECISION_CHARS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Attached:
    """A batch, where it is kept, and the journal's answer.

    Attributes:
        batch: what came of the attacks.
        digest: SHA-256 of the object that holds it.
        noted: what became of the journal's note; None when no task was named.
    """

    batch: Batch
    digest: str
    noted: Result | None


class Integrity:
    """Runs the attacks and attaches their results.

    Args:
        path: knows the tasks.
        shelf: keeps the results as objects.
        journal: takes the note.
    """

    def __init__(self, path: CommandPath, shelf: Shelf, journal: Journal) -> None:
        self._path = path
        self._shelf = shelf
        self._journal = journal

    def run(self, checkout: Path, task: str | None = None, triage: Path | None = None) -> Attached:
        """Run all attacks of a checkout, keep the results, and note them in the journal of a task.

        Args:
            checkout: root of a checkout of the source.
            task: whose journal it goes into; into none without it.
            triage: the triage file; that of the checkout by default.

        Raises:
            BadInput: the task or the triage file is unknown.
            NotEvaluated: the batch did not run to its end; then nothing is recorded.
        """
        if task is not None:
            self._path.state(task)
        return self.attach(run_attacks(checkout, triage), task)

    def attach(self, batch: Batch, task: str | None) -> Attached:
        """Keep the results of a batch, and note them in the journal of a task."""
        digest = self._shelf.keep(orjson.dumps(batch.to_json(), option=orjson.OPT_SORT_KEYS))
        if task is None:
            return Attached(batch, digest, None)
        links = (f"sha256:{digest}", f"sha256:{self._shelf.keep(batch.output.encode())}")
        noted = self._journal.add(task, _bounded(summary_of(batch)), links=links, decisions=_decisions(batch))
        return Attached(batch, digest, noted)


def summary_of(batch: Batch) -> str:
    """Tell a batch in words, for people: how many attacks held, and every one that did not."""
    held = sum(attack.held for attack in batch.attacks)
    verdict = "passed" if batch.passed else "failed"
    where = (
        f"commit {batch.commit}{' with changes' if batch.dirty else ''}"
        if batch.commit
        else "no commit known"
    )
    lines = [f"Integrity batch {verdict}: {held} of {len(batch.attacks)} attacks held ({where})."]
    lines += [f"- triaged: {_told(attack)}" for attack in batch.triaged]
    lines += [f"- NOT TRIAGED: {_told(attack)}" for attack in batch.untriaged]
    lines += [f"- triage to be taken out, its attack holds or is gone: {name}" for name in batch.stale]
    return "\n".join(lines) + "\n"


def _bounded(summary: str) -> str:
    whole = len(summary) <= SUMMARY_CHARS_MAX
    return summary if whole else summary[: SUMMARY_CHARS_MAX - len(_CUT)] + _CUT


def _told(attack: Attack) -> str:
    known = f": {attack.triage.reason} ({attack.triage.owner})" if attack.triage else ""
    return f"{attack.id} {attack.outcome}{known}"


def _decisions(batch: Batch) -> tuple[str, ...]:
    """The triage as decisions, as many as an entry holds; the object has all."""
    told = [_told(attack)[:_DECISION_CHARS_MAX] for attack in batch.triaged]
    if len(told) <= LINES_MAX:
        return tuple(told)
    rest = len(told) - LINES_MAX + 1
    return (*told[: LINES_MAX - 1], f"and {rest} more, in the object")
