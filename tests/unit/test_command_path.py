"""The command path: entries, projections and bindings of one commit, and what vouches for what."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
import pytest
from decider_spec import digest
from small_processes import claimed, process_of, three_phases

from phasegate.engine.app.command_path import DECISIONS_MAX, CommandPath, no_facts
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.home import create_home
from phasegate.engine.app.notary import Notary
from phasegate.engine.app.people.keys import SigningKey
from phasegate.engine.app.recorded import recorded
from phasegate.engine.core.commands import AddEvidence, Advance, NoteJournal, Offer, OpenTask
from phasegate.engine.core.errors import BadInput, Conflict, IntegrityError
from phasegate.engine.core.events import TaskOpened, ViolationRecorded
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.ids import TaskId
from phasegate.engine.core.state_json import to_json
from phasegate.ledger.entry import Draft
from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.objects import ObjectStore
from phasegate.ledger.store import Projection

AT = "2026-01-31T09:30:00.000000Z"
TASK = TaskId("T-1")
THREE = three_phases()
NOTE = NoteJournal("0" * 64, 1, (), ())


class Fixed:
    """A clock that stands and ids that count."""

    def __init__(self) -> None:
        self.spans = 0

    def now(self) -> str:
        return AT

    def span_id(self) -> str:
        self.spans += 1
        return f"{self.spans:016x}"


@pytest.fixture
def store() -> MemoryStore:
    """An empty ledger in memory."""
    return MemoryStore("ledger-1", at=AT)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A shelf over an empty home."""
    home, _ = create_home(tmp_path / "state")
    return Shelf(home, ObjectStore(home.objects))


def path_over(store, shelf) -> CommandPath:
    """A path as a fresh process has it."""
    fixed = Fixed()
    notary = Notary(store.ledger, lambda: SigningKey.from_seed("engine", bytes(32)))
    return CommandPath(store, shelf, notary, actor="user:tester", clock=fixed, ids=fixed)


@pytest.fixture
def path(store, shelf) -> CommandPath:
    """A path with T-1 opened."""
    made = path_over(store, shelf)
    assert made.open(TASK, THREE, OpenTask("a title")).accepted
    return made


def offer(name: str, content: str = "") -> AddEvidence:
    text = content or name
    return AddEvidence((Offer(name, digest(text), 1, f"evidence/T-1/A/{name}", f"/given/{name}"),))


def test_given_a_commit_when_read_back_then_its_last_entry_names_the_digest_of_the_projection(
    path, store
) -> None:
    row = store.projection("task", TASK)
    first, last = store.entries()

    assert row.seq == last.seq
    assert last.payload["state"] == hashlib.sha256(row.body).hexdigest()
    assert "state" not in first.payload
    assert orjson.loads(row.body) == to_json(path.state(TASK))


def test_given_entries_when_made_events_again_then_the_digest_is_no_part_of_them(path, store) -> None:
    first, last = (recorded(entry) for entry in store.entries())

    assert isinstance(first.event, TaskOpened)
    assert last.event.model_dump() == {"previous": "", "at": ""}


def test_given_entries_of_one_task_when_traced_then_they_share_a_trace_and_a_command_shares_a_span(
    path, store
) -> None:
    path.run(TASK, Advance())
    path.run(TASK, Advance("C"))

    traces = [entry.trace.split("-") for entry in store.entries()]

    assert len({trace for trace, _ in traces}) == 1
    assert [int(span, 16) for _, span in traces] == [1, 1, 2, 3]
    assert {entry.actor for entry in store.entries()} == {"user:tester"}


def test_given_a_command_that_changes_nothing_when_run_then_nothing_is_written(path, store) -> None:
    size = store.head().size

    result = path.run(TASK, AddEvidence(()))

    assert result.accepted
    assert result.entries == ()
    assert store.head().size == size


def test_given_a_refusal_when_run_then_it_is_a_result_and_its_only_entry_a_violation(path, store) -> None:
    result = path.run(TASK, Advance("C"))

    assert not result.accepted
    assert isinstance(result.violation, ViolationRecorded)
    assert [entry.type for entry in result.entries] == ["violation.recorded"]
    assert result.state.violations == {"out_of_sequence": 1}
    assert path.state(TASK) == result.state


def test_given_another_process_when_it_reads_then_it_sees_the_same(path, store, shelf) -> None:
    path.run(TASK, offer("a.md"))
    other = path_over(store, shelf)

    assert other.state(TASK) == path.state(TASK)
    assert list(other.states()) == [path.state(TASK)]
    assert other.process(THREE.digest) == THREE


@pytest.mark.parametrize("task", ["", "no", "a b", "T-1\n"])
def test_given_no_task_when_asked_then_it_is_bad_input(path, task) -> None:
    with pytest.raises(BadInput):
        path.state(task)


def test_given_bytes_bound_when_asked_then_the_first_binding_is_told(path) -> None:
    assert path.binding(digest("a.md")) is None

    path.run(TASK, offer("a.md"))

    binding = path.binding(digest("a.md"))
    assert (binding.task, binding.phase, binding.attempt, binding.name) == ("T-1", "A", 1, "a.md")


class Restless:
    """A store in which a task moves before every commit of ours."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def append(self, *args, **more):
        row = self._store.projection("task", TASK)
        entry = self._store.get(row.seq)
        body = {"state": entry.payload["state"], "step": "s", "total": 1}
        self._store.append(
            [Draft(TASK, "A", 1, "step.started", "user:other", "", body)],
            at=AT,
            projections=[Projection("task", TASK, row.body)],
        )
        return self._store.append(*args, **more)


def test_given_a_task_that_never_rests_when_decided_then_it_is_given_up_as_a_conflict(
    path, store, shelf
) -> None:
    restless = path_over(Restless(store), shelf)
    before = store.head().size

    with pytest.raises(Conflict, match="kept moving") as caught:
        restless.run(TASK, offer("a.md"), lambda *_: Facts())

    assert caught.value.exit_code == 5
    assert store.head().size == before + DECISIONS_MAX, "only the other's entries"


def test_given_facts_when_a_try_fails_then_they_are_gathered_anew_for_the_next(path, store, shelf) -> None:
    seen = []

    def gather(_process, state):
        seen.append(state.violations.get("out_of_sequence", 0))
        if len(seen) == 1:
            path.run(TASK, Advance("C"))
        return no_facts(_process, state)

    assert path_over(store, shelf).run(TASK, offer("a.md"), gather).accepted

    assert seen == [0, 1]


# -- what vouches for a projection ----------------------------------------------------------------------


def rewrite(store: MemoryStore, **changes) -> None:
    """Change the projection in place, as no append does."""
    row = store.projection("task", TASK)
    body = orjson.dumps({**orjson.loads(row.body), **changes})
    store._rows["task", TASK] = row._replace(body=body)


def test_given_a_projection_edited_in_place_when_a_fresh_process_reads_it_then_it_is_refused(
    path, store, shelf
) -> None:
    rewrite(store, phase="C", completed=["A", "B"])
    fresh = path_over(store, shelf)

    for ask in (lambda: fresh.state(TASK), lambda: list(fresh.states()), lambda: fresh.run(TASK, Advance())):
        with pytest.raises(IntegrityError, match="is not what its last entry says"):
            ask()
    with pytest.raises(IntegrityError):
        fresh.open(TASK, THREE, OpenTask("again"))


def test_given_a_projection_edited_in_place_when_the_process_that_wrote_it_goes_on_then_it_is_overwritten(
    path, store, shelf
) -> None:
    rewrite(store, phase="C", completed=["A", "B"])

    result = path.run(TASK, Advance("C"))

    assert not result.accepted
    assert path_over(store, shelf).state(TASK).phase == "A"


def test_given_commands_that_leave_the_state_as_it_was_when_run_then_the_row_is_written_anew_all_the_same(
    path, store, shelf
) -> None:
    path.run(TASK, NOTE)
    rewrite(store, phase="C", completed=["A", "B"])

    result = path.run(TASK, NOTE)

    assert store.projection("task", TASK).seq == result.entries[-1].seq
    assert path_over(store, shelf).state(TASK) == result.state


def test_given_another_process_that_moved_the_task_when_nothing_else_changes_then_its_move_is_kept(
    path, store, shelf
) -> None:
    path.run(TASK, NOTE)
    path_over(store, shelf).run(TASK, Advance("C"))

    result = path.run(TASK, NOTE)

    assert result.state.violations == {"out_of_sequence": 1}
    assert path_over(store, shelf).state(TASK) == result.state


def test_given_a_projection_set_back_when_read_then_it_is_refused(path, store, shelf) -> None:
    old = store.projection("task", TASK)
    path.run(TASK, Advance("C"))
    store._rows["task", TASK] = old

    for reader in (path, path_over(store, shelf)):
        with pytest.raises(IntegrityError):
            reader.state(TASK)


def test_given_a_projection_removed_when_read_or_opened_again_then_it_is_refused(path, store, shelf) -> None:
    del store._rows["task", TASK]
    fresh = path_over(store, shelf)

    for ask in (lambda: fresh.state(TASK), lambda: fresh.open(TASK, THREE, OpenTask("again"))):
        with pytest.raises(IntegrityError):
            ask()


def test_given_a_commit_between_row_and_entry_when_read_then_it_is_read_again(path, store, shelf) -> None:
    class Racing:
        """Moves the task right after its row was first read."""

        moved = False

        def __getattr__(self, name):
            return getattr(store, name)

        def projection(self, kind, key):
            row = store.projection(kind, key)
            if not self.moved:
                self.moved = True
                path.run(TASK, Advance("C"))
            return row

    state = path_over(Racing(), shelf).state(TASK)

    assert state.violations == {"out_of_sequence": 1}


# -- definitions ------------------------------------------------------------------------------------------


def test_given_a_definition_that_changed_meanwhile_when_a_task_goes_on_then_it_stays_under_its_own(
    path, store, shelf
) -> None:
    laxer = process_of({"A": [], "B": [], "C": []}, {"A": ["B", "C"], "B": ["C"]})
    fresh = path_over(store, shelf)
    fresh.pin(laxer)

    assert not fresh.open(TASK, laxer, OpenTask("again")).accepted
    assert not fresh.run(TASK, Advance("C")).accepted
    assert fresh.state(TASK).process_digest == THREE.digest


def test_given_a_definition_object_that_was_altered_when_a_fresh_process_needs_it_then_it_is_refused(
    path, store, shelf, tmp_path
) -> None:
    laxer = process_of({"A": [], "B": [claimed("b.md")], "C": []}, {"A": ["B"], "B": ["C"]})
    place = tmp_path / "state" / "objects" / "sha256" / THREE.digest[:2] / THREE.digest
    place.chmod(0o644)
    place.write_bytes(laxer.canonical())

    with pytest.raises(IntegrityError, match="missing or damaged"):
        path_over(store, shelf).run(TASK, Advance())
