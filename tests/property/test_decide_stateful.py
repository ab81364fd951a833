"""Random processes, random commands, true and false facts: nothing reachable is a skip."""

from __future__ import annotations

from dataclasses import replace

from decider_spec import SEEN, STEP, TASK, digest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from process_invariants import (
    assert_completed_phases_have_their_evidence,
    assert_on_a_path,
    assert_refusal_only_counts,
    assert_survives_storage,
    skip_in,
)
from random_processes import NAMES, processes

from phasegate.engine.core.commands import (
    AddEvidence,
    Advance,
    Backtrack,
    Command,
    Offer,
    OpenTask,
    RecordProgress,
    RecordWitness,
)
from phasegate.engine.core.decide import decide
from phasegate.engine.core.decision import Accepted
from phasegate.engine.core.events import (
    EvidenceAdded,
    PhaseBacktracked,
    PhaseEntered,
    Recorded,
    StepStarted,
    WitnessRecorded,
)
from phasegate.engine.core.facts import Binding, EvidenceFact, Facts, GateFacts
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import Status, TaskState, fold
from phasegate.policies.model import Process, Witness
from phasegate.validators.interface import Finding, Severity

PHASE_NAMES = st.sampled_from((*NAMES, "NOWHERE"))
CONTENTS = st.integers(0, 5).map(lambda number: digest(f"content {number}"))
FOREIGN = digest("content of another task")


def witness_event(exit_code: int) -> WitnessRecorded:
    """A command that was seen to end so."""
    return SEEN.model_copy(update={"exit_code": exit_code})


class Shell:
    """Stands for everything around `decide`: keeps the history, gathers the facts, commits."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.history: list[Recorded] = []
        self.state: TaskState | None = None
        self.tampered: set[str] = set()
        self.ask(OpenTask("a title"))

    @property
    def live(self) -> TaskState:
        """The task, which the constructor opened."""
        assert self.state is not None
        return self.state

    def ask(self, command: Command) -> bool:
        """Decide and commit; returns whether it was accepted."""
        before = self.state
        decision = decide(self.process, before, command, self.facts())
        if isinstance(decision, Accepted):
            self._assert_earned(before, decision.events)
            events = decision.events
            self.state = fold(TASK, events, before)
        else:
            assert before is not None
            events = (decision.violation,)
            self.state = assert_refusal_only_counts(before, decision)
        self.history.extend(events)
        return isinstance(decision, Accepted)

    def facts(self) -> Facts:
        """What there is to see; what was tampered with is seen as such."""
        bindings: dict[str, Binding] = {FOREIGN: Binding("OTHER", "A", 1, "a0.txt")}
        for phase, attempt, event in self.history:
            if isinstance(event, EvidenceAdded):
                bindings.setdefault(event.digest, Binding(TASK, phase, attempt, event.name))
        return Facts(GateFacts(self._seen()), bindings, {"/evidence/OTHER/x": "OTHER"})

    def _seen(self) -> dict[str, EvidenceFact]:
        seen = {}
        for name, item in (self.state.evidence if self.state else {}).items():
            honest = EvidenceFact(item.digest, item.digest, item.digest)
            finding = Finding("content.bad", name, "line 1", "bad", "mend it")
            unread = replace(finding, severity=Severity.NOT_EVALUATED)
            seen[name] = {
                "altered": replace(honest, standing=FOREIGN),
                "deleted": replace(honest, standing=None),
                "snapshot": replace(honest, snapshot=None),
                "source": replace(honest, source=FOREIGN),
                "finding": replace(honest, findings=(finding,)),
                "unread": replace(honest, findings=(unread,)),
            }.get(self._how(name), honest)
        return {name: fact for name, fact in seen.items() if self._how(name) != "unseen"}

    def _how(self, name: str) -> str:
        return next(
            (how for which, _, how in (item.partition(":") for item in self.tampered) if which == name), ""
        )

    def _assert_earned(self, before: TaskState | None, events: tuple[Recorded, ...]) -> None:
        if before is None:
            return
        assert before.status is Status.OPEN
        left = any(isinstance(item.event, PhaseEntered) for item in events)
        if left:
            for needed in self.process.phase(before.phase).evidence:
                assert not self._how(needed.name), "tampered evidence opened a gate"


class AnyCommands(RuleBasedStateMachine):
    """Commands in any order, on a process of any shape."""

    shell: Shell

    @initialize(process=processes())
    def given_a_task_under_some_process(self, process: Process) -> None:
        self.shell = Shell(process)

    def _names(self) -> list[str]:
        return [rule.name for phase in self.shell.process.phases for rule in phase.evidence] or ["none.txt"]

    @rule(to=st.none() | PHASE_NAMES)
    def when_it_is_advanced(self, to: str | None) -> None:
        self.shell.ask(Advance(to))

    @rule(to=PHASE_NAMES)
    def when_it_is_taken_back(self, to: str) -> None:
        before = self.shell.live
        if self.shell.ask(Backtrack(to, "a reason")):
            assert to in before.completed
            assert to in self.shell.process.backtrack_targets(before.phase)

    @rule(
        data=st.data(),
        content=CONTENTS | st.just(FOREIGN),
        source=st.sampled_from(["/given/x", "/evidence/OTHER/x"]),
    )
    def when_a_file_is_offered(self, data: st.DataObject, content: str, source: str) -> None:
        name = data.draw(st.sampled_from(self._names()))
        offered = Offer(name, content, 1, f"evidence/{name}", source)
        accepted = self.shell.ask(AddEvidence((offered,)))
        wanted = self.shell.process.evidence_rules[self.shell.live.phase].get(name)
        if accepted:
            assert wanted is not None
            assert source != "/evidence/OTHER/x"
            assert wanted.reusable or content != FOREIGN
            assert wanted.witness is None

    @rule(
        data=st.data(), content=CONTENTS, exit_code=st.sampled_from([0, 0, 1]),
        witness=st.sampled_from([Witness.OUTPUT, Witness.RUNNER]), lag=st.sampled_from([0, 0, 0, 1]),
        seen=st.sampled_from(["nothing", "command", "step"]),
    )  # fmt: skip
    def when_something_is_witnessed(
        self, data: st.DataObject, content: str, exit_code: int, witness: Witness, lag: int, seen: str
    ) -> None:
        name, live = data.draw(st.sampled_from(self._names())), self.shell.live
        offered = Offer(name, content, 1, f"evidence/{name}", "", witness, exit_code or None)
        event = {"nothing": None, "command": witness_event(exit_code), "step": STEP}[seen]
        command = RecordWitness(live.phase, live.attempt - lag, event, (offered,))
        if self.shell.ask(command):
            assert not lag
            assert seen == ("step" if witness is Witness.RUNNER else "command")

    @rule()
    def when_the_phase_is_done_as_it_should(self) -> None:
        live = self.shell.live
        self.shell.tampered.clear()
        for needed in self.shell.process.evidence_rules[live.phase].values():
            content = digest(f"{needed.name} {live.phase} {live.attempt}")
            offered = Offer(needed.name, content, 1, "evidence/x", "/given/x")
            if needed.witness is None:
                self.shell.ask(AddEvidence((offered,)))
            else:
                seen = STEP if needed.witness is Witness.RUNNER else witness_event(0)
                offered = replace(offered, source="", witness=needed.witness, exit_code=0)
                self.shell.ask(RecordWitness(live.phase, live.attempt, seen, (offered,)))
        options = self.shell.process.next_phases(live.phase)
        accepted = self.shell.ask(Advance(options[0] if options else None))
        assert accepted == (live.status is Status.OPEN), "honest work always passes"

    @rule(lag=st.sampled_from([0, 1]))
    def when_a_runner_reports(self, lag: int) -> None:
        live = self.shell.live
        self.shell.ask(RecordProgress(live.phase, live.attempt - lag, (StepStarted(step="s", total=1),)))

    @rule()
    def when_it_is_opened_again(self) -> None:
        assert not self.shell.ask(OpenTask("another"))

    @rule(
        data=st.data(),
        how=st.sampled_from(["altered", "deleted", "snapshot", "source", "finding", "unread", "unseen"]),
    )
    def when_an_artifact_is_tampered_with(self, data: st.DataObject, how: str) -> None:
        self.shell.tampered.add(f"{data.draw(st.sampled_from(self._names()))}:{how}")

    @rule()
    def when_everything_is_restored(self) -> None:
        self.shell.tampered.clear()

    @invariant()
    def then_the_fold_from_zero_is_the_live_state(self) -> None:
        if hasattr(self, "shell"):
            assert fold(TASK, self.shell.history) == self.shell.state
            assert_survives_storage(self.shell.live)

    @invariant()
    def then_no_history_tells_of_a_skip(self) -> None:
        if hasattr(self, "shell"):
            assert skip_in(self.shell.process, self.shell.history) == ""
            assert_on_a_path(self.shell.process, self.shell.live)
            assert_completed_phases_have_their_evidence(self.shell.process, self.shell.live)

    @invariant()
    def then_replay_finds_no_fault(self) -> None:
        if hasattr(self, "shell"):
            replay = Replay(self.shell.process, TASK)
            assert replay.run(enumerate(self.shell.history, start=1)) == self.shell.state
            assert replay.faults == []


TestAnyCommands = AnyCommands.TestCase
TestAnyCommands.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def honest_histories(draw: st.DrawFn) -> tuple[Process, list[Recorded]]:
    """A process and a history that is right: phases done in order, now and then taken back."""
    process = draw(processes())
    shell = Shell(process)
    machine = AnyCommands()
    machine.shell = shell
    for step in draw(st.lists(st.sampled_from(["done", "done", "done", "back", "refused"]), max_size=10)):
        live = shell.live
        if step == "done":
            machine.when_the_phase_is_done_as_it_should()
        elif step == "refused":
            shell.ask(Advance("NOWHERE"))
        elif targets := [to for to in process.backtrack_targets(live.phase) if to in live.completed]:
            shell.ask(Backtrack(draw(st.sampled_from(targets)), "a reason"))
    return process, shell.history


def _removed(draw: st.DataObject, history: list[Recorded]) -> list[Recorded]:
    place = draw.draw(st.integers(0, len(history) - 1))
    count = draw.draw(st.integers(1, 6))
    return history[:place] + history[place + count :]


def _reordered(draw: st.DataObject, history: list[Recorded]) -> list[Recorded]:
    one, other = (draw.draw(st.integers(0, len(history) - 1)) for _ in range(2))
    mutated = list(history)
    mutated.insert(other, mutated.pop(one))
    return mutated


def _another_attempt(draw: st.DataObject, history: list[Recorded]) -> list[Recorded]:
    place = draw.draw(st.integers(0, len(history) - 1))
    phase, attempt, event = history[place]
    changed = Recorded(phase, attempt + draw.draw(st.sampled_from([-1, 1])), event)
    return [*history[:place], changed, *history[place + 1 :]]


def _another_phase(draw: st.DataObject, history: list[Recorded]) -> list[Recorded]:
    place = draw.draw(st.integers(0, len(history) - 1))
    phase = draw.draw(st.sampled_from(NAMES))
    _, attempt, event = history[place]
    if isinstance(event, PhaseBacktracked):
        event = event.model_copy(update={"target": phase})
    return [*history[:place], Recorded(phase, attempt, event), *history[place + 1 :]]


def _repeated(draw: st.DataObject, history: list[Recorded]) -> list[Recorded]:
    place, onto = (draw.draw(st.integers(0, len(history) - 1)) for _ in range(2))
    return [*history[:onto], history[place], *history[onto:]]


@settings(max_examples=300, deadline=None)
@given(
    made=honest_histories(), data=st.data(),
    mutate=st.lists(
        st.sampled_from([_removed, _reordered, _another_attempt, _another_phase, _repeated]), min_size=1, max_size=3
    ),
)  # fmt: skip
def test_a_history_changed_into_one_that_tells_of_a_skip_is_faulted(made, data, mutate) -> None:
    process, history = made
    for change in mutate:
        if history:
            history = change(data, history)

    replay = Replay(process, TASK)
    replay.run(enumerate(history, start=1))

    why = skip_in(process, history)
    assert not why or replay.faults, f"{why}, unseen by replay"


@settings(max_examples=200, deadline=None)
@given(made=honest_histories(), data=st.data())
def test_a_history_that_lost_a_gate_or_an_artifact_it_passed_over_is_faulted(made, data) -> None:
    process, history = made
    kinds = {"gate.passed", "phase.completed"}
    needed = [
        index
        for index, (_, _, event) in enumerate(history)
        if event.kind in kinds and history[-1] is not history[index]
    ]
    if not needed:
        return
    place = data.draw(st.sampled_from(needed))

    replay = Replay(process, TASK)
    replay.run(enumerate([*history[:place], *history[place + 1 :]], start=1))

    assert replay.faults
