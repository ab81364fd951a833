"""The audit behind `validate_checkpoint`: is every phase that is claimed complete verifiably so?

It trusts no projection. The ledger is re-read and verified, each task is replayed from its entries, what the
engine and people signed is verified, and the evidence of every completed phase is read and validated again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from phasegate.engine.app.audit.people import People
from phasegate.engine.app.audit.records import BundleRecords, HomeRecords, Records
from phasegate.engine.app.audit.redacted import redacted_finding, redacted_names, validate_beside
from phasegate.engine.app.audit.statement_checks import StatementChecks
from phasegate.engine.app.bundle.content import Bundle
from phasegate.engine.app.companions import companions
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.evidence import validate
from phasegate.engine.app.recorded import recorded
from phasegate.engine.app.redactions import Redacted, Redactions
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.events import EvidenceAdded, GatePassed, Recorded, TaskOpened
from phasegate.engine.core.gate import by_rule, flagged
from phasegate.engine.core.opening import LEDGER_STREAM
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import Evidence, TaskState, is_current
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.ledger.offline.bundle_format import ENGINE_KEY, VKEY
from phasegate.ledger.verify import Verification
from phasegate.policies.loader import imitates, shipped_digests
from phasegate.policies.model import CheckRule, EvidenceRule, FlagMode, Process
from phasegate.validators.interface import Finding, Severity

_NO_GATE = GatePassed(evidence=(), checks=(), warnings=())
BROKEN_GLASS: Final = "gate.broken_glass"
UNVOUCHED: Final = "signatures.not_evaluated"
EXIT_PASS, EXIT_FAILED, EXIT_NOT_EVALUATED, EXIT_INTEGRITY = 0, 1, 3, 4


@dataclass(frozen=True, slots=True)
class Terms:
    """What an audit is held against besides the records themselves.

    Attributes:
        keys: the engine's public keys, from elsewhere.
        operators: verifier keys that may begin as operators; None for any.
        processes: digests of the definitions a task may run under; None for any.
        accept_break_glass: whether a gate passed over broken glass is shown only.
    """

    keys: tuple[VerifyKey, ...] = ()
    operators: frozenset[str] | None = None
    processes: frozenset[str] | None = None
    accept_break_glass: bool = False


NO_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class TaskAudit:
    """What the audit says of one task.

    Attributes:
        claimed: phases claimed complete, in order.
        findings: what is wrong with the evidence of those phases.
        faults: what is wrong with the history itself.
        not_enforced: flags that were not at `enforce` when a claimed gate was passed, such as
            `VERIFY/coverage: observe`.
        signed_to: the last entry that one of its statements signs.
    """

    task: str
    status: str
    claimed: tuple[str, ...]
    findings: tuple[Finding, ...]
    faults: tuple[str, ...]
    not_enforced: tuple[str, ...] = ()
    signed_to: int = 0

    @property
    def holds(self) -> bool:
        """Whether everything claimed is verifiably so."""
        return not self.faults and not any(finding.blocks for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Audit:
    """Outcome of an audit.

    Attributes:
        faults: what is wrong with the entries that belong to no task.
        findings: what is to be said of the whole, such as that signatures were not evaluated.
        signed_to: the last entry that the engine signed, by a statement of a task or of the ledger's head.
    """

    ledger: Verification
    tasks: tuple[TaskAudit, ...]
    faults: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    signed_to: int = 0

    @property
    def not_covered(self) -> str:
        """The entries that no signature covers, as text; empty when there are none."""
        last = self.ledger.entries
        if not self.ledger.ok or self.signed_to >= last:
            return ""
        return f"entries {self.signed_to + 1} to {last}: no statement of the engine signs them"

    @property
    def exit_code(self) -> int:
        """0 all claims hold, 1 some do not, 3 not evaluated or none made, 4 the ledger does not hold."""
        if not self.ledger.ok or self.faults or any(task.faults for task in self.tasks):
            return EXIT_INTEGRITY
        found = {finding.severity for finding in self.all_findings()}
        if Severity.ERROR in found:
            return EXIT_FAILED
        if Severity.NOT_EVALUATED in found:
            return EXIT_NOT_EVALUATED
        return EXIT_PASS if any(task.claimed for task in self.tasks) else EXIT_NOT_EVALUATED

    def all_findings(self) -> Iterator[Finding]:
        """Findings about the whole, then those of each task."""
        yield from self.findings
        for task in self.tasks:
            yield from task.findings

    def with_findings(self, findings: Sequence[Finding]) -> Audit:
        """The audit with more to be said of the whole."""
        return replace(self, findings=(*self.findings, *findings))


class History(NamedTuple):
    """A task's own entries, replayed.

    Attributes:
        events: sequence numbers and events, in order.
        gates: the latest passed gate of each phase.
        gated: entry and signed time of each passed gate.
        signed_to: the last entry that one of its statements signs.
    """

    process: Process
    state: TaskState
    events: tuple[tuple[int, Recorded], ...]
    gates: Mapping[str, GatePassed]
    faults: tuple[str, ...]
    gated: tuple[tuple[int, str], ...] = ()
    signed_to: int = 0


def audit(engine: Engine, tasks: Sequence[str] = (), terms: Terms = NO_TERMS) -> Audit:
    """Audit the named tasks of a home, or all.

    Raises:
        BadInput: a named task does not exist.
    """
    found = audit_records(HomeRecords(engine, terms.keys), tasks, terms)
    if not found.ledger.ok:
        return found
    return replace(found, faults=(*found.faults, *engine.baselines.faults()))


def audit_bundle(bundle: Bundle, terms: Terms = NO_TERMS) -> Audit:
    """Audit the task of a bundle, or all of a ledger's; without a key its signatures are not evaluated."""
    records = BundleRecords(bundle, terms.keys)
    found = audit_records(records, records.tasks, terms)
    return found if records.vouched else found.with_findings((unvouched(),))


def audit_records(records: Records, tasks: Sequence[str], terms: Terms) -> Audit:
    """Audit the named tasks, or all, wherever their records are.

    Raises:
        BadInput: a named task does not exist.
    """
    verification = records.verification()
    if not verification.ok:
        return Audit(verification, ())
    # Every stream, not every opening: a task whose opening is gone must be named, not passed over.
    known = {entry.task for entry in records.store.entries()} - {LEDGER_STREAM}
    for task in tasks:
        if task not in known:
            raise BadInput(f"there is no task `{task}`", "see `engine status`")
    auditor = auditor_of(records, terms)
    found = tuple(auditor.task(task) for task in tasks or sorted(known))
    signed_to, fault = records.signed_head()
    faults = (*auditor.people.faults, *([fault] if fault else ()))
    return Audit(verification, found, faults, signed_to=max((signed_to, *(item.signed_to for item in found))))


def auditor_of(records: Records, terms: Terms) -> Auditor:
    """The auditor of records whose chain holds."""
    people = People(records.store, terms.operators)
    people.read()
    return Auditor(records, people, terms, _binders(records), Redactions(records.store).all())


def _binders(records: Records) -> dict[str, str]:
    """Task that bound bytes first, by digest, over the whole ledger."""
    binders: dict[str, str] = {}
    for entry in records.store.entries(type=EvidenceAdded.kind):
        binders.setdefault(str(entry.payload.get("digest")), entry.task)
    return binders


@dataclass(frozen=True, slots=True)
class Auditor:
    """Audits tasks of one ledger whose chain holds.

    Attributes:
        people: what people signed, read already.
        binders: task that bound bytes first, by digest.
        redactions: what was redacted, by digest.
    """

    records: Records
    people: People
    terms: Terms
    binders: Mapping[str, str]
    redactions: Mapping[str, Redacted]

    def task(self, task: str) -> TaskAudit:
        """Replay one task from its entries and examine what it claims."""
        try:
            history = self.history(task)
        except IntegrityError as error:
            return TaskAudit(task, "unknown", (), (), (str(error),))
        process, state = history.process, history.state
        findings = [*_process_findings(process, self.terms)]
        not_enforced: list[str] = []
        for phase in state.completed:
            if phase in process.order:
                gate = history.gates.get(phase, _NO_GATE)
                findings.extend(self._phase_findings(process, state, phase, gate))
                not_enforced.extend(f"{flag}: {mode}" for flag, mode in sorted(gate.flags.items()))
        status = str(state.status) if state.status.final else f"in {state.phase}"
        return TaskAudit(
            task,
            status,
            state.completed,
            tuple(findings),
            history.faults,
            tuple(not_enforced),
            history.signed_to,
        )

    def faults(self, history: History) -> TaskAudit:
        """What is wrong with a task's history, without a look at its evidence."""
        state = history.state
        return TaskAudit(state.task, str(state.status), state.completed, (), history.faults)

    def history(self, task: str) -> History:
        """The task's entries replayed, with all that is wrong with them.

        Raises:
            IntegrityError: there is no history to replay.
        """
        entries = list(self.records.store.entries(task=task))
        opening = recorded(entries[0]).event
        if not isinstance(opening, TaskOpened):
            raise IntegrityError(f"the stream of task `{task}` does not begin with its opening")
        process = self.records.process(opening.process_digest)
        events = tuple((entry.seq, recorded(entry)) for entry in entries)
        checks = StatementChecks(self.records.store, self.records.engine_keys, task)
        signed = [*checks.read(events)]
        replay = Replay(process, task, binders=self.binders, subjects=checks.subjects)
        state = replay.run(events)
        if state is None:
            raise IntegrityError(f"task `{task}` has no history")
        faults = [f"entry {fault.seq}: {fault.message}" for fault in replay.faults]
        faults.extend((*signed, *checks.compare(process, replay.gated)))
        faults.extend(self.people.faults_of(task, process.process, events))
        differs = self.records.state_fault(state, entries[-1])
        faults.extend([differs] if differs else [])
        gates = {event.phase: event.event for _, event in events if isinstance(event.event, GatePassed)}
        gated = tuple((seq, said.at) for seq, said in checks.gates.items())
        return History(process, state, events, gates, tuple(faults), gated, checks.signed_to)

    def _phase_findings(
        self, process: Process, state: TaskState, phase: str, gate: GatePassed
    ) -> Iterator[Finding]:
        if gate.broken_glass:
            yield _broken_glass(phase, accepted=self.terms.accept_break_glass)
        beside = companions(process, state, phase, commit=gate.commit, snapshot=self.records.snapshot)
        for rule in process.phase(phase).evidence:
            evidence = state.evidence.get(rule.name)
            if evidence is None or not is_current(state, evidence):
                remedy = f"go back to {phase} and leave it"
                yield Finding("evidence.missing", rule.name, phase, f"no current `{rule.name}`", remedy)
            else:
                yield from self._evidence_findings(rule, state, evidence, beside, gate)

    def _evidence_findings(
        self,
        rule: EvidenceRule,
        state: TaskState,
        evidence: Evidence,
        beside: Mapping[str, bytes],
        gate: GatePassed,
    ) -> Iterator[Finding]:
        contents = {
            name: self.records.snapshot(item.digest)
            for name, item in state.evidence.items()
            if is_current(state, item)
        }
        content = contents[evidence.name]
        if evidence.digest in self.redactions:
            yield redacted_finding(evidence, rule, self.redactions[evidence.digest])
            return
        if content is None:
            text = f"the snapshot of `{evidence.name}` is gone or damaged"
            remedy = "restore the object store"
            yield Finding("evidence.snapshot_damaged", evidence.name, evidence.path, text, remedy)
            return
        if self.records.standing(evidence) != evidence.digest:
            text = f"`{evidence.name}` was deleted or changed in the evidence folder"
            remedy = "restore it from the snapshot"
            yield Finding("evidence.altered", evidence.name, evidence.path, text, remedy)
        gone = redacted_names(state, self.redactions) if self.redactions else {}
        there = {name: data for name, data in {**contents, **beside}.items() if data is not None}
        for check in rule.checks:
            found = (
                validate_beside(evidence.name, content, there, check, gone)
                if gone
                else validate(evidence.name, content, there, (check,))
            )
            mode = FlagMode.OBSERVE if gate.broken_glass else _mode(gate, evidence.phase, check)
            yield from by_rule(_rule_modes(gate), evidence.phase, flagged(mode, found))


def _mode(gate: GatePassed, phase: str, check: CheckRule) -> FlagMode:
    """The mode the check's flag had when the gate was passed: an audit judges by the rules of then.

    A word that is no mode, which the engine never wrote, counts as none; that nobody signed it is a fault.
    """
    said = gate.flags.get(f"{phase}/{check.name}", FlagMode.ENFORCE)
    return FlagMode(said) if said in set(FlagMode) else FlagMode.ENFORCE


def _rule_modes(gate: GatePassed) -> Mapping[str, FlagMode]:
    return {flag: FlagMode(mode) for flag, mode in gate.flags.items() if mode in set(FlagMode)}


def _broken_glass(phase: str, *, accepted: bool) -> Finding:
    text = f"the gate of {phase} was passed over broken glass: its policy checks were overridden"
    remedy = "go back and meet the gate, or accept it knowingly with `--accept-break-glass`"
    severity = Severity.WARNING if accepted else Severity.ERROR
    return Finding(BROKEN_GLASS, "", phase, text, remedy, severity)


def _process_findings(process: Process, terms: Terms) -> Iterator[Finding]:
    """What is to be said of the definition a task runs under: one of your own is yours to accept.

    Without a policy a definition of somebody's own is shown; one that goes by a shipped one's name is not
    evaluated, because whoever reads the name would take it for that.
    """
    code, named = "process.not_accepted", f"`{process.process}` v{process.version}"
    if terms.processes is not None:
        if process.digest not in terms.processes:
            text = f"the task runs under {named}, which the policy does not accept"
            remedy = "open the task under a process that the policy names"
            yield Finding(code, "", process.digest, text, remedy)
    elif process.digest not in shipped_digests().values():
        imitation = imitates(process)
        text = f"the task runs under {named}, which was not shipped with this release"
        text += ", though it goes by that name" if imitation else ""
        remedy = "say which definitions you accept: `processes: [...]` in the file of `--policy`"
        severity = Severity.NOT_EVALUATED if imitation else Severity.WARNING
        yield Finding(code, "", process.digest, text, remedy, severity)


def unvouched() -> Finding:
    """The finding that signatures were not evaluated."""
    text = "signatures were compared only with the key that the bundle itself names"
    remedy = "give the engine's public key, from elsewhere than the bundle: `--key ENGINE.vkey`"
    return Finding(UNVOUCHED, "", f"{ENGINE_KEY}{VKEY}", text, remedy, Severity.NOT_EVALUATED)
