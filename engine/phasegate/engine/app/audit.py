"""The audit behind `validate_checkpoint`: is every phase that is claimed complete verifiably so?

It trusts no projection. The ledger is re-read and verified, each task is replayed from its entries, and the
evidence of every completed phase is read and validated again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from phasegate.engine.app.command_path import recorded
from phasegate.engine.app.companions import companions
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.evidence import validate
from phasegate.engine.app.notary import statement_fault
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import EvidenceAdded, GatePassed, Recorded, TaskOpened
from phasegate.engine.core.gate import flagged
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import Evidence, Status, TaskState, is_current
from phasegate.engine.core.state_json import to_json
from phasegate.ledger.entry import Entry
from phasegate.ledger.sqlite_verify import verify_sqlite
from phasegate.ledger.verify import Verification
from phasegate.policies.model import CheckRule, EvidenceRule, FlagMode, Process
from phasegate.validators.interface import Finding

_NO_GATE = GatePassed(evidence=(), checks=(), warnings=())
BROKEN_GLASS = "gate.broken_glass"
EXIT_PASS, EXIT_FAILED, EXIT_NOT_EVALUATED, EXIT_INTEGRITY = 0, 1, 3, 4


@dataclass(frozen=True, slots=True)
class TaskAudit:
    """What the audit says of one task.

    Attributes:
        claimed: phases claimed complete, in order.
        findings: what is wrong with the evidence of those phases.
        faults: what is wrong with the history itself.
    """

    task: str
    status: str
    claimed: tuple[str, ...]
    findings: tuple[Finding, ...]
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything claimed is verifiably so."""
        return not self.faults and not any(finding.blocks for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Audit:
    """Outcome of an audit."""

    ledger: Verification
    tasks: tuple[TaskAudit, ...]

    @property
    def exit_code(self) -> int:
        """0 all claims hold, 1 some do not, 3 nothing was claimed, 4 the ledger does not hold."""
        if not self.ledger.ok or any(task.faults for task in self.tasks):
            return EXIT_INTEGRITY
        if not all(task.holds for task in self.tasks):
            return EXIT_FAILED
        return EXIT_PASS if any(task.claimed for task in self.tasks) else EXIT_NOT_EVALUATED


def audit(engine: Engine, tasks: Sequence[str] = ()) -> Audit:
    """Audit the named tasks, or all.

    Raises:
        BadInput: a named task does not exist.
    """
    verification = verify_sqlite(engine.home.ledger)
    known = {entry.task for entry in engine.store.entries(type=TaskOpened.kind)} if verification.ok else set()
    for task in tasks if verification.ok else ():
        if task not in known:
            raise BadInput(f"there is no task `{task}`", "see `engine status`")
    chosen = (tasks or sorted(known)) if verification.ok else ()
    binders = _binders(engine) if chosen else {}
    return Audit(verification, tuple(audit_task(engine, task, binders) for task in chosen))


def _binders(engine: Engine) -> dict[str, str]:
    """Task that bound bytes first, by digest."""
    binders: dict[str, str] = {}
    for entry in engine.store.entries(type=EvidenceAdded.kind):
        binders.setdefault(str(entry.payload.get("digest")), entry.task)
    return binders


def audit_task(engine: Engine, task: str, binders: Mapping[str, str]) -> TaskAudit:
    """Replay one task from its entries and examine what it claims.

    Args:
        engine: the engine over the ledger.
        task: a task that was opened.
        binders: task that bound bytes first, by digest, over the whole ledger.
    """
    try:
        process, state, gates, faults = _replay(engine, task, binders)
    except IntegrityError as error:
        return TaskAudit(task, "unknown", (), (), (str(error),))
    claimed = state.completed
    findings = tuple(
        finding
        for phase in claimed
        if phase in process.order
        for finding in _phase_findings(engine, process, state, phase, gates.get(phase, _NO_GATE))
    )
    status = "completed" if state.status is Status.COMPLETED else f"in {state.phase}"
    return TaskAudit(task, status, claimed, findings, faults)


def _replay(
    engine: Engine, task: str, binders: Mapping[str, str]
) -> tuple[Process, TaskState, Mapping[str, GatePassed], tuple[str, ...]]:
    entries = list(engine.store.entries(task=task))
    opening = recorded(entries[0]).event
    if not isinstance(opening, TaskOpened):
        raise IntegrityError(f"the stream of task `{task}` does not begin with its opening")
    process = engine.process(opening.process_digest)
    replay = Replay(process, task, binders=binders)
    state = replay.run(_numbered(entries))
    if state is None:
        raise IntegrityError(f"task `{task}` has no history")
    faults = [f"entry {fault.seq}: {fault.message}" for fault in replay.faults]
    keys = {key.key_id: key for key in (engine.keys.engine_vkey(),)}
    statements = (statement_fault(engine.store, keys, task, event, seq) for seq, event in _numbered(entries))
    faults.extend(fault for fault in statements if fault)
    try:
        if to_json(engine.state(task)) != to_json(state):
            faults.append("the projection of the task differs from its entries")
    except IntegrityError as error:
        faults.append(error.message)
    gates = {
        event.phase: event.event for _, event in _numbered(entries) if isinstance(event.event, GatePassed)
    }
    return process, state, gates, tuple(faults)


def _numbered(entries: Sequence[Entry]) -> Iterator[tuple[int, Recorded]]:
    return ((entry.seq, recorded(entry)) for entry in entries)


def _phase_findings(
    engine: Engine, process: Process, state: TaskState, phase: str, gate: GatePassed
) -> Iterator[Finding]:
    if gate.broken_glass:
        text = f"the gate of {phase} was passed over broken glass: its policy checks were overridden"
        remedy = "go back and meet the gate, or accept it knowingly with `--accept-break-glass`"
        yield Finding(BROKEN_GLASS, "", phase, text, remedy)
    beside = companions(process, state, phase, commit=gate.commit, snapshot=engine.snapshot)
    for rule in process.phase(phase).evidence:
        evidence = state.evidence.get(rule.name)
        if evidence is None or not is_current(state, evidence):
            remedy = f"go back to {phase} and leave it"
            yield Finding("evidence.missing", rule.name, phase, f"no current `{rule.name}`", remedy)
        else:
            yield from _evidence_findings(engine, rule, state, evidence, beside, gate)


def _evidence_findings(
    engine: Engine,
    rule: EvidenceRule,
    state: TaskState,
    evidence: Evidence,
    beside: Mapping[str, bytes],
    gate: GatePassed,
) -> Iterator[Finding]:
    contents = {
        name: engine.snapshot(item.digest) for name, item in state.evidence.items() if is_current(state, item)
    }
    content = contents[evidence.name]
    standing = engine.standing(evidence)
    if content is None:
        text = f"the snapshot of `{evidence.name}` is gone or damaged"
        yield Finding(
            "evidence.snapshot_damaged", evidence.name, evidence.path, text, "restore the object store"
        )
        return
    if standing != evidence.digest:
        text = f"`{evidence.name}` was deleted or changed in the evidence folder"
        yield Finding("evidence.altered", evidence.name, evidence.path, text, "restore it from the snapshot")
    for check in rule.checks:
        found = validate(evidence.name, content, {**contents, **beside}, (check,))
        mode = FlagMode.OBSERVE if gate.broken_glass else _mode(gate, evidence.phase, check)
        yield from flagged(mode, found)


def _mode(gate: GatePassed, phase: str, check: CheckRule) -> FlagMode:
    """The mode the check's flag had when the gate was passed: an audit judges by the rules of then."""
    return FlagMode(gate.flags.get(f"{phase}/{check.use}", FlagMode.ENFORCE))
