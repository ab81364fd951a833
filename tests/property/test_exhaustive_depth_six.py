"""Every sequence of six commands on a process of three phases.

Sequences that lead to the same state are continued once. That is sound because a decision is a function of
process, state, command and facts, the facts here are a function of the state, and replay is a function of what
it remembers: state and memory together are the key under which sequences are merged. Down to a depth of three
every sequence is walked on its own as well, and the same states are found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import pytest
from decider_spec import TASK, digest, given
from process_invariants import (
    assert_completed_phases_have_their_evidence,
    assert_on_a_path,
    assert_refusal_only_counts,
    assert_survives_storage,
    skip_in,
)
from small_processes import three_phases

from phasegate.engine.core.commands import AddEvidence, Advance, Backtrack, Command, Offer
from phasegate.engine.core.decide import decide
from phasegate.engine.core.decision import Accepted
from phasegate.engine.core.events import Recorded
from phasegate.engine.core.facts import Binding, EvidenceFact, Facts, GateFacts
from phasegate.engine.core.replay import Replay
from phasegate.engine.core.state import Status, TaskState, fold
from phasegate.engine.core.state_json import to_json

DEPTH = 6
DEPTH_ONE_BY_ONE = 3
PROCESS = three_phases()
FOREIGN, STALE = digest("another task's"), digest("of long ago")

Key = tuple[str, tuple[object, ...]]
Ask = tuple[str, str]
ASKS: tuple[Ask, ...] = (
    *(("advance", to) for to in ("", "A", "B", "C")),
    *(("backtrack", to) for to in ("A", "B", "C")),
    *(("add", content) for content in ("good", "foreign", "stale")),
)


@dataclass(frozen=True)
class Node:
    """A state, one history that leads to it, and what replay remembers of that history."""

    state: TaskState
    history: tuple[Recorded, ...]
    memory: tuple[object, ...]

    @property
    def key(self) -> Key:
        """Equal for nodes with the same future."""
        return repr(sorted(to_json(self.state).items())), self.memory


def content(phase: str, attempt: int) -> str:
    """Digest of the document that is right for one attempt."""
    return digest(f"{phase}/{attempt}")


def bindings(state: TaskState) -> dict[str, Binding]:
    """What was bound before: to another task, to this one long ago, and by each earlier attempt."""
    found = {FOREIGN: Binding("OTHER", "A", 1, "a.md"), STALE: Binding(TASK, "A", 0, "a.md")}
    for phase, attempt in state.attempts.items():
        for earlier in range(1, attempt):
            found[content(phase, earlier)] = Binding(TASK, phase, earlier, f"{phase.lower()}.md")
    return found


def command_of(ask: Ask, state: TaskState) -> Command:
    """The command an ask means in a state."""
    verb, what = ask
    if verb == "advance":
        return Advance(what or None)
    if verb == "backtrack":
        return Backtrack(what, "a reason")
    old = content(state.phase, state.attempt - 1) if state.attempt > 1 else STALE
    bytes_of = {"good": content(state.phase, state.attempt), "foreign": FOREIGN, "stale": old}
    name = f"{state.phase.lower()}.md"
    return AddEvidence((Offer(name, bytes_of[what], 1, f"evidence/{TASK}/{name}", f"/given/{name}"),))


def facts_of(state: TaskState) -> Facts:
    """Everything stands as it was recorded."""
    seen = {name: EvidenceFact(item.digest, item.digest) for name, item in state.evidence.items()}
    return Facts(GateFacts(seen), bindings(state))


def replayed(history: tuple[Recorded, ...]) -> tuple[object, ...]:
    """What replay remembers of a history it finds no fault in."""
    replay = Replay(PROCESS, TASK)
    replay.run(enumerate(history, start=1))
    assert replay.faults == []
    last = replay._previous
    made_by = replay._source[1] if replay._source else None
    return (last.event.kind if last else "", tuple(sorted(replay._bound.items())), made_by)


def follow(node: Node, ask: Ask) -> Node:
    """The node after one ask, its invariants asserted."""
    state = node.state
    command = command_of(ask, state)
    decision = decide(PROCESS, state, command, facts_of(state))
    if not isinstance(decision, Accepted):
        return _noded(node, assert_refusal_only_counts(state, decision), (decision.violation,))
    assert state.status is Status.OPEN, "nothing is accepted after the end"
    if ask in {("add", "foreign"), ("add", "stale")}:
        pytest.fail(f"{ask} was accepted in {state}")
    if ask[0] == "advance":
        bound = state.evidence[f"{state.phase.lower()}.md"]
        assert bound.digest == content(state.phase, state.attempt), "left on its own attempt's evidence"
        assert ask[1] in {"", *PROCESS.next_phases(state.phase)}
    after = fold(TASK, decision.events, state)
    assert after is not None
    return _noded(node, after, decision.events)


def _noded(node: Node, after: TaskState, events: tuple[Recorded, ...]) -> Node:
    history = (*node.history, *events)
    assert fold(TASK, history) == after, "folding from zero gives the live state"
    assert skip_in(PROCESS, history) == ""
    assert_on_a_path(PROCESS, after)
    assert_completed_phases_have_their_evidence(PROCESS, after)
    assert_survives_storage(after)
    return Node(after, history, replayed(history))


def opened() -> Node:
    """The task just after its opening."""
    history = given(PROCESS).history
    state = fold(TASK, history)
    assert state is not None
    return Node(state, history, replayed(history))


def levels(depth: int) -> Iterator[tuple[dict[Key, Node], Counter[Key]]]:
    """The different nodes at each depth, and how many sequences lead to each."""
    root = opened()
    nodes, ways = {root.key: root}, Counter({root.key: 1})
    for _ in range(depth):
        next_nodes: dict[Key, Node] = {}
        next_ways: Counter[Key] = Counter()
        for key, node in nodes.items():
            for ask in ASKS:
                after = follow(node, ask)
                next_nodes.setdefault(after.key, after)
                next_ways[after.key] += ways[key]
        nodes, ways = next_nodes, next_ways
        yield nodes, ways


@pytest.mark.slow
def test_no_sequence_of_six_commands_skips_a_phase(capsys: pytest.CaptureFixture[str]) -> None:
    sequences = states = completed = 0
    for depth, (nodes, ways) in enumerate(levels(DEPTH), start=1):
        assert ways.total() == len(ASKS) ** depth, "no sequence is left out"
        sequences += ways.total()
        states += len(nodes)
        completed += sum(ways[key] for key, node in nodes.items() if node.state.status is Status.COMPLETED)

    with capsys.disabled():
        print(f"\n{sequences} sequences of up to {DEPTH} commands, {states} states, {completed} complete")
    assert sequences == sum(10**depth for depth in range(1, DEPTH + 1)) == 1_111_110
    # Evidence and advance, three times; A and B are left by name or without, the end has no name.
    assert completed == 2 * 2 * 1


def test_merging_sequences_that_reach_one_state_loses_none() -> None:
    *_, (merged, _) = levels(DEPTH_ONE_BY_ONE)
    found: set[Key] = set()
    for asks in product(ASKS, repeat=DEPTH_ONE_BY_ONE):
        node = opened()
        for ask in asks:
            node = _cheap(node, ask)
        found.add(Node(node.state, node.history, replayed(node.history)).key)

    assert found == set(merged)


def _cheap(node: Node, ask: Ask) -> Node:
    decision = decide(PROCESS, node.state, command_of(ask, node.state), facts_of(node.state))
    events = decision.events if isinstance(decision, Accepted) else (decision.violation,)
    after = fold(TASK, events, node.state)
    assert after is not None
    return Node(after, (*node.history, *events), ())
