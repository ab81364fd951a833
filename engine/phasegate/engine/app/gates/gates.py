"""`engine gates`: the bundles of a process, and a run of one for a task."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.gates.checks import Progress, examine
from phasegate.engine.app.gates.subject import Subject
from phasegate.engine.app.git.truth import GitUnavailable, TreeState, tree_state
from phasegate.engine.app.paths import decode_path
from phasegate.engine.app.recorded import recorded
from phasegate.engine.app.results import Result
from phasegate.engine.app.witnessing.checkout import check_out
from phasegate.engine.app.witnessing.recording import as_document, printable
from phasegate.engine.core.approvals import implementers, standing_approvals
from phasegate.engine.core.commands import RecordWitness
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.engine.core.events import EvidenceAdded, WitnessRecorded
from phasegate.engine.core.ids import parse_task_id
from phasegate.engine.core.ports import Clock
from phasegate.engine.core.state import TaskState, is_current, is_gate_report
from phasegate.ledger.entry import Entry
from phasegate.ledger.store import Store
from phasegate.policies.extending import shipped_bundles
from phasegate.policies.gate_model import GateBundle
from phasegate.policies.model import Process, Witness
from phasegate.validators.gate_bundle import FAILED, NOT_EVALUATED, SCHEMA_ID

PREFIX: Final = "phasegate-gates-"
OBSERVE: Final = "observe"


@dataclass(frozen=True, slots=True)
class GateRun:
    """A run of a bundle.

    Attributes:
        report: what was found, as `schemas/gate_report.json` has it.
        result: what was recorded; None for a trial of a bundle that the process does not ask for here.
    """

    report: dict[str, Any]
    result: Result | None

    @property
    def status(self) -> str:
        """`passed`, `failed` or `not_evaluated`, by the rules that are enforced."""
        found = {check["status"] for check in self.report["checks"] if check["mode"] != OBSERVE}
        return next((status for status in (FAILED, NOT_EVALUATED) if status in found), "passed")


class Gates:
    """Bundles of checks.

    Args:
        path: decides and records.
        store: the ledger.
        shelf: keeps reports.
        clock: tells the time.
        home: the home's folder.
        record: records what the engine made itself.
    """

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

    def bundles(self, task: str = "") -> tuple[GateBundle, ...]:
        """The bundles of a task's process, or those that come with the engine."""
        return self._process(self._path.state(task)).gates if task else shipped_bundles()

    def run(self, task: str, gate: int | None = None, progress: Progress = lambda _rule: None) -> GateRun:
        """Run the checks of a gate on the working tree as it stands and on the task's evidence.

        The report is recorded, with a signed statement, where the process asks for that gate at the phase the
        task is in; of any other bundle that comes with the engine it is a trial, which opens nothing.

        Args:
            task: the task.
            gate: number of the gate; the one of the current phase without it.
            progress: told each rule before it runs.

        Raises:
            BadInput: there is no such gate, or the task has no repository.
            NotEvaluated: the repository cannot be looked at.
        """
        name, state = parse_task_id(task), self._path.state(task)
        bundle, asked = self._bundle(state, gate)
        attempt = state.attempts.get(state.phase, 0)
        if asked:
            refused = self._path.run(name, RecordWitness(state.phase, attempt, None, ()))
            if not refused.accepted:
                return GateRun(_nothing(bundle, state), refused)
        began, started_at = time.monotonic_ns(), self._clock.now()
        with self._subject(state) as (subject, before):
            checks = examine(bundle, subject, progress)
            report = _report(bundle, subject, state, checks, started_at)
        content = as_document(report)
        if not asked:
            return GateRun(report, None)
        took_ms = (time.monotonic_ns() - began) // 1_000_000
        event = self._event(bundle, subject, content, started_at, took_ms, before)
        offer = self._shelf.make_offer(state.task, state.phase, bundle.report, content, Witness.GATE, 0)
        return GateRun(report, self._record(task, RecordWitness(state.phase, attempt, event, (offer,))))

    def _process(self, state: TaskState) -> Process:
        return self._path.process(state.process_digest)

    def _bundle(self, state: TaskState, gate: int | None) -> tuple[GateBundle, bool]:
        """The bundle, and whether the process asks for it where the task is."""
        own = self._process(state).gates
        here = next((one for one in own if one.leaving == state.phase), None)
        if here is not None and gate in {None, here.gate}:
            return here, True
        if gate is None:
            raise BadInput(
                f"the process asks for no gate at {state.phase}",
                "try a bundle with `--gate N`, or open tasks under a process that names `gates`",
            )
        known = {one.gate: one for one in (*shipped_bundles(), *own)}
        if gate not in known:
            raise BadInput(f"there is no gate {gate}", f"use one of {', '.join(map(str, sorted(known)))}")
        return known[gate], False

    @contextmanager
    def _subject(self, state: TaskState) -> Iterator[tuple[Subject, TreeState]]:
        """What is looked at, in a folder of its own as long as it is needed."""
        if not state.repository:
            raise BadInput("the task has no repository", "open it with `--repo DIR`")
        repository = decode_path(state.repository)
        with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
            scratch = Path(folder).resolve() / "scratch"
            scratch.mkdir()
            try:
                checkouts = check_out(repository, state.base_commit, scratch.parent, self._home)
                seen = tree_state(repository, self._home)
            except GitUnavailable as error:
                raise NotEvaluated(
                    f"the repository could not be looked at: {error}", "see what git says"
                ) from error
            process = self._process(state)
            subject = Subject(
                state.task,
                state.phase,
                state.risk,
                process,
                checkouts,
                scratch,
                self._home,
                documents=self._documents(state),
                approvals=standing_approvals(process, state),
                implementers=[who.partition(":")[2] for who in implementers(process, state)],
                tests=self._tests(state),
                previous={name: self._contents(digests) for name, digests in state.previous.items()},
            )
            yield subject, seen

    def _documents(self, state: TaskState) -> dict[str, bytes]:
        """Current evidence by name, but what earlier gates found; of the bytes that were recorded."""
        found = {
            name: self._shelf.snapshot(evidence.digest)
            for name, evidence in state.evidence.items()
            if is_current(state, evidence) and not is_gate_report(name, evidence)
        }
        return {name: content for name, content in found.items() if content is not None}

    def _contents(self, digests: tuple[str, ...]) -> list[bytes]:
        return [content for digest in digests if (content := self._shelf.snapshot(digest)) is not None]

    def _tests(self, state: TaskState) -> WitnessRecorded | None:
        """The command that the test results come from; where the phase takes none, the last to report any."""
        rules = self._process(state).phase(state.phase).evidence
        names = {rule.name for rule in rules if rule.witness is Witness.JUNIT}
        bound = next((entry.seq for entry in self._of_attempt(state, EvidenceAdded.kind, names)), 0)
        for entry in self._of_attempt(state, WitnessRecorded.kind):
            event = recorded(entry).event
            # What is bound stands behind its command; a later one may have left nothing that counts.
            counts = entry.seq < bound if names else True
            if isinstance(event, WitnessRecorded) and Witness.JUNIT in event.reports and counts:
                return event
        return None

    def _of_attempt(self, state: TaskState, kind: str, names: Collection[str] = ()) -> Iterator[Entry]:
        """Entries of the current attempt, of artifacts of these names where there are any, latest first."""
        for entry in self._store.entries(task=state.task, type=kind, reverse=True):
            of_names = not names or entry.payload.get("name") in names
            if of_names and (entry.phase, entry.attempt) == (state.phase, state.attempts.get(state.phase)):
                yield entry

    def _event(
        self,
        bundle: GateBundle,
        subject: Subject,
        content: bytes,
        started_at: str,
        took_ms: int,
        seen: TreeState,
    ) -> WitnessRecorded:
        argv = ("engine", "gates", "run", subject.task, "--gate", str(bundle.gate))
        nothing = self._shelf.keep(b"")
        return WitnessRecorded(
            argv=argv,
            argv_digest=hashlib.sha256(json.dumps(argv).encode()).hexdigest(),
            cwd=printable(str(subject.checkouts.root)),
            exit_code=0,
            started_at=started_at,
            duration_ms=took_ms,
            stdout_digest=self._shelf.keep(content),
            stderr_digest=nothing,
            stdout_bytes=len(content),
            stderr_bytes=0,
            environment_digest=hashlib.sha256(b"").hexdigest(),
            git_commit=seen.commit,
            git_dirty=seen.dirty,
            git_tree_before=subject.checkouts.tree,
            git_tree_after=seen.tree,
            git_dirty_after=seen.dirty,
            reports={},
        )


def _report(
    bundle: GateBundle, subject: Subject, state: TaskState, checks: list[dict[str, Any]], started_at: str
) -> dict[str, Any]:
    documents = {name: hashlib.sha256(content).hexdigest() for name, content in subject.documents.items()}
    return {
        **_nothing(bundle, state),
        "started_at": started_at,
        "base": state.base_commit,
        "tree": subject.checkouts.tree,
        "documents": documents,
        "checks": checks,
        "not_evaluated": [check["rule"] for check in checks if check["status"] == NOT_EVALUATED],
    }


def _nothing(bundle: GateBundle, state: TaskState) -> dict[str, Any]:
    return {
        "schema": SCHEMA_ID,
        "gate": bundle.gate,
        "title": bundle.title,
        "bundle": bundle.digest,
        "task": state.task,
        "phase": state.phase,
        "attempt": state.attempts.get(state.phase, 0),
        "checks": [],
        "not_evaluated": [],
    }
