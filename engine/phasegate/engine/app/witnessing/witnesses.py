"""`engine witness`: run a command for a task, and bind what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.paths import decode_path
from phasegate.engine.app.results import Result, Witnessed
from phasegate.engine.app.witnessing.credentials import refuse_credentials
from phasegate.engine.app.witnessing.naming import named_command
from phasegate.engine.app.witnessing.observing import Job, Observation, observe
from phasegate.engine.app.witnessing.programs import found_elsewhere, ordered_path
from phasegate.engine.app.witnessing.protecting import Subject, protect
from phasegate.engine.app.witnessing.recording import as_document, as_witnessed
from phasegate.engine.app.witnessing.trials import RAN, worst
from phasegate.engine.core.commands import RecordWitness
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.events import EvidenceAdded, WitnessRecorded
from phasegate.engine.core.ids import parse_phase, parse_task_id
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import TaskState
from phasegate.ledger.store import Store
from phasegate.policies.model import EvidenceRule, Process, Witness
from phasegate.validators.errors import MalformedJsonError, ValidatorError
from phasegate.validators.globs import globs
from phasegate.validators.strict_json import parse

CHECK = "protected_checks"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked to be witnessed.

    Attributes:
        argv: the command, run without a shell.
        phase: phase it is evidence for; the current one where it is empty.
        reports: report files that it writes, by kind.
        cwd: its working directory; the caller's by default.
        echo: show its output on standard error while it runs.
        hermetic: run it without network and with everything read-only but a scratch folder.
    """

    argv: Sequence[str]
    phase: str = ""
    reports: Mapping[Witness, Path] = field(default_factory=dict)
    cwd: Path | None = None
    echo: bool = False
    hermetic: bool = False


class Witnesses:
    """Commands the engine runs itself."""

    def __init__(
        self,
        path: CommandPath,
        store: Store,
        shelf: Shelf,
        clock: Clock,
        home: Path,
        record: Callable[[str, RecordWitness], Result],
    ) -> None:
        self._path = path
        self._store = store
        self._shelf = shelf
        self._clock = clock
        self._home = home
        self._record = record

    def witness(self, task: str, asked: Asked) -> Witnessed:
        """Run a command, record what was seen with a signed statement, and bind its reports as evidence.

        Where the phase asks for it, a test run is followed by the protected checks.

        Raises:
            BadInput: the command cannot be started, or could read credentials in its repository's settings.
            NotEvaluated: it cannot be confined as asked; nothing is recorded then.
        """
        name, before = parse_task_id(task), self._path.state(task)
        phase = parse_phase(asked.phase or before.phase)
        attempt = before.attempts.get(phase, 0)
        refused = self._path.run(name, RecordWitness(phase, attempt, None, ()))
        if not refused.accepted:
            return Witnessed(refused, None, ())
        process = self._path.process(before.process_digest)
        job = Job(
            tuple(asked.argv),
            asked.cwd or Path.cwd(),
            dict(asked.reports),
            asked.echo,
            asked.hermetic,
            home=self._home,
            path=_path(process, phase),
        )
        refuse_credentials(job.cwd, *([decode_path(before.repository)] if before.repository else []))
        started_at = self._clock.now()
        seen = observe(job)
        protected = self._protected(process, before, job, seen)
        event, offers, problems = as_witnessed(self._shelf, process, before, seen, started_at, protected)
        result = self._record(task, RecordWitness(phase, attempt, event, tuple(offers)))
        notes = () if job.path is None else found_elsewhere(_callers_path(), job.path)
        return Witnessed(result, _as_recorded(result, event), problems, notes)

    def chosen(self, task: str, asked: Asked, name: str | None) -> Asked:
        """What is to be witnessed: what is asked for, or the command of a name, as it is asked to be run.

        Raises:
            BadInput: a command is both given and named, or what `named` raises.
        """
        if name is None:
            return asked
        if asked.argv or asked.reports or asked.cwd:
            raise BadInput(
                f"`{name}` has a folder and reports of its own, and others are given as well",
                "give either the name, or a command with its reports",
            )
        return replace(self.named(task, name, asked.phase), echo=asked.echo, hermetic=asked.hermetic)

    def named(self, task: str, name: str, phase: str = "") -> Asked:
        """A command that the task's process names for a phase, with its reports, to be witnessed.

        Args:
            task: the task.
            name: the command's name.
            phase: the phase; the current one where it is empty.

        Raises:
            BadInput: there is no such phase, it has no command of that name, or the task has no repository.
        """
        state = self._path.state(task)
        where = parse_phase(phase or state.phase)
        found = named_command(self._path.process(state.process_digest), state, where, name)
        return Asked(found.argv, where, found.reports, found.folder)

    def _protected(self, process: Process, state: TaskState, job: Job, seen: Observation) -> bytes | None:
        """The document of the protected checks; None where the phase does not ask for it or no tests ran."""
        rules = {rule.witness: rule for rule in process.phase(state.phase).evidence}
        if Witness.PROTECTED not in rules or Witness.JUNIT not in job.reports:
            return None
        subject = Subject(
            repository=decode_path(state.repository) if state.repository else None,
            base=state.base_commit,
            job=job,
            seen=seen,
            params=_params(rules[Witness.PROTECTED]),
            previous=self._previous(state, rules.get(Witness.JUNIT)),
            keep=self._shelf.keep,
        )
        try:
            return as_document(protect(subject))
        except ValidatorError as error:
            raise _unusable(error) from error

    def _previous(self, state: TaskState, rule: EvidenceRule | None) -> tuple[int, Mapping[str, str]] | None:
        """The tests that ran in the latest earlier attempt, in every run of this one; and which attempt."""
        if rule is None:
            return None
        attempts: list[int] = []
        outcomes: dict[str, str] = {}
        for entry in self._store.entries(task=state.task, type=EvidenceAdded.kind, reverse=True):
            if entry.payload.get("name") != rule.name or entry.phase != state.phase:
                continue
            before = self._outcomes(str(entry.payload["digest"]))
            if before is not None:
                outcomes.update({test: outcome for test, outcome in before.items() if outcome in RAN})
                attempts.append(entry.attempt)
            if entry.attempt < state.attempt:
                break
        return (attempts[0], outcomes) if attempts else None

    def _outcomes(self, digest: str) -> Mapping[str, str] | None:
        content = self._shelf.snapshot(digest)
        try:
            return None if content is None else worst(parse(content)["cases"])
        except (MalformedJsonError, KeyError, TypeError):
            return None


def _path(process: Process, phase: str) -> str | None:
    """Where a command of a phase with protected checks finds programs; None for where its caller does."""
    rule = next((rule for rule in process.phase(phase).evidence if rule.witness is Witness.PROTECTED), None)
    if rule is None:
        return None
    try:
        return ordered_path(_callers_path(), globs(_params(rule), "programs"))
    except ValidatorError as error:
        raise _unusable(error) from error


def _callers_path() -> str:
    return os.environ.get("PATH", os.defpath)


def _unusable(error: ValidatorError) -> BadInput:
    return BadInput(f"the check `{CHECK}` cannot be used: {error}", "correct its parameters in the process")


def _params(rule: EvidenceRule) -> Mapping[str, Any]:
    return next((check.params for check in rule.checks if check.use == CHECK), {})


def _as_recorded(result: Result, event: WitnessRecorded) -> WitnessRecorded:
    """The event as it was recorded, with the digest of its statement."""
    for entry in result.entries:
        if entry.type == WitnessRecorded.kind:
            return event.model_copy(update={"statement": entry.payload["statement"]})
    return event
