"""Promise: the journal and the context of a task tell, phase by phase, what the entries hold, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli
from small_processes import three_phases

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.journal import LINES_MAX, SUMMARY_CHARS_MAX
from phasegate.engine.core.errors import BadInput, EngineError
from phasegate.engine.core.fabric import Visit, context_hash

TASK = "T-1"


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Iterator[Engine]:
    """A task that went A, B, back to A, and is in B again; with notes and a refusal on the way."""
    with Engine.open(home) as engine:
        engine.open_task(TASK, three_phases(), "a title")
        leave(engine, tmp_path, "a.md", "first")
        engine.journal.add(
            TASK, "A was simple.\nIt took one look.", links=["spec.md#L3"], decisions=["keep it small"]
        )
        engine.advance(TASK)
        engine.advance(TASK)
        leave(engine, tmp_path, "b.md", "first")
        engine.backtrack(TASK, "A", "it was not simple")
        leave(engine, tmp_path, "a.md", "second")
        engine.journal.add(TASK, "A again, with care.")
        engine.advance(TASK)
        yield engine


def leave(engine: Engine, folder: Path, name: str, text: str) -> None:
    """Leave one artifact."""
    (folder / name).write_text(f"{text} {name}")
    assert engine.add_evidence(TASK, [folder / name]).accepted


def outline(visit: Visit) -> tuple[Any, ...]:
    return visit.phase, visit.attempt, visit.ended, len(visit.notes), len(visit.refusals)


def test_the_journal_tells_every_visit(engine: Engine) -> None:
    visits = engine.journal.visits(TASK)

    assert [outline(visit) for visit in visits] == [
        ("A", 1, "passed", 1, 0),
        ("B", 1, "back to A", 0, 1),
        ("A", 2, "passed", 1, 0),
        ("B", 2, "", 0, 0),
    ]
    assert [item.name for item in visits[1].inputs] == ["a.md"]
    assert [(item.name, item.attempt) for item in visits[3].inputs] == [("a.md", 2)]
    assert visits[2].inputs == ()
    assert visits[1].refusals[0].kind == "gate_failed"
    (note,) = visits[0].notes
    assert (note.decisions, note.links) == (("keep it small",), ("spec.md#L3",))
    assert engine.journal.text(note.summary) == "A was simple.\nIt took one look."


def test_every_entry_is_linked_once_and_with_its_span(engine: Engine) -> None:
    links = [link for visit in engine.journal.visits(TASK) for link in visit.links]
    entries = list(engine.history(TASK))

    assert sorted((link.seq, link.hash) for link in links) == [(entry.seq, entry.hash) for entry in entries]
    assert {f"{link.trace_id}-{link.span_id}" for link in links} == {entry.trace for entry in entries}


def test_the_context_is_of_the_latest_visits_and_hashes_what_it_shows(engine: Engine) -> None:
    first, second = engine.journal.context(TASK)

    assert [(c.visit.phase, c.visit.attempt) for c in (first, second)] == [("A", 2), ("B", 2)]
    assert first.reasoning == ("A again, with care.",)
    assert [item["name"] for item in first.document["outputs"]] == ["a.md"]
    assert first.document["outputs"][0]["digest"] == engine.state(TASK).evidence["a.md"].digest
    assert first.hash == context_hash(first.document)
    assert first.document["entries"]
    assert first.document["spans"]


def test_the_same_entries_give_the_same_hash_and_others_another(engine: Engine, tmp_path: Path) -> None:
    before = engine.journal.context(TASK)
    assert [item.hash for item in engine.journal.context(TASK)] == [item.hash for item in before]

    engine.journal.add(TASK, "one more thought")
    after = engine.journal.context(TASK)

    assert after[0].hash == before[0].hash
    assert after[1].hash != before[1].hash


def test_a_phase_that_was_not_entered_has_no_context(engine: Engine) -> None:
    with pytest.raises(BadInput, match="has not entered C"):
        engine.journal.context(TASK, "c")


def test_a_summary_that_is_gone_is_told_and_the_hash_stands(engine: Engine, home: Path) -> None:
    (context,) = engine.journal.context(TASK, "A")
    digest = context.visit.notes[0].summary
    (engine.home.objects / "sha256" / digest[:2] / digest).unlink()

    (again,) = engine.journal.context(TASK, "A")

    assert again.reasoning == (None,)
    assert again.hash == context.hash
    assert "gone from the object store" in cli("journal", TASK, "--home", str(home)).out


@pytest.mark.parametrize(
    ("summary", "links", "decisions"),
    [
        ("", [], []),
        ("  ", [], []),
        ("x" * (SUMMARY_CHARS_MAX + 1), [], []),
        ("a\x1bb", [], []),
        ("fine", [""], []),
        ("fine", ["x"] * (LINES_MAX + 1), []),
        ("fine", [], ["x"] * (LINES_MAX + 1)),
        ("fine", [], ["x" * 2_001]),
        ("fine", ["x" * 2_000] * 3, ["x" * 2_000] * 2),
    ],
    ids=range(9),
)
def test_what_is_no_note(engine: Engine, summary: str, links: list[str], decisions: list[str]) -> None:
    head = engine.store.head()

    with pytest.raises(EngineError) as caught:
        engine.journal.add(TASK, summary, links=links, decisions=decisions)

    assert caught.value.remedy
    assert engine.store.head() == head


def test_the_largest_note_fits_an_entry(engine: Engine) -> None:
    widest = "\U0001f9ea" * 2_000

    assert engine.journal.add(
        TASK, "\U0001f9ea" * SUMMARY_CHARS_MAX, links=[widest] * 2, decisions=[widest] * 2
    ).accepted


def test_a_task_that_ended_takes_no_note(engine: Engine, tmp_path: Path) -> None:
    for name in ("b.md", "c.md"):
        leave(engine, tmp_path, name, "last")
        assert engine.advance(TASK).accepted

    result = engine.journal.add(TASK, "too late")

    assert result.violation is not None
    assert result.violation.violation == "task_finished"
    assert engine.journal.visits(TASK)[-1].ended == "completed"


# -- on the command line ------------------------------------------------------------------------------


def test_notes_are_added_and_told(engine: Engine, home: Path, tmp_path: Path) -> None:
    at = ("--home", str(home))
    (tmp_path / "why.txt").write_text("Because of the deadline.")

    added = cli(
        "journal", "add", TASK, "--file", str(tmp_path / "why.txt"), "--link", "https://example.org/1",
        "--link", "src/a.py#L1", "--decision", "ship it", *at,
    )  # fmt: skip

    assert added.code == 0, added
    assert cli("journal", "add", TASK, "--summary", "x", "--file", "y", *at).code == 2
    assert cli("journal", "add", TASK, *at).code == 2
    assert cli("journal", "add", "NOBODY", "--summary", "x", *at).code == 2
    told = cli("journal", TASK, *at)
    assert told.code == 0
    for said in (
        "A, attempt 1",
        "back to A",
        "Because of the deadline.",
        "ship it",
        "src/a.py#L1",
        "gate_failed",
        "span",
    ):
        assert said in told.out, said
    shown = cli("journal", "show", TASK, "--json", *at).json
    assert [visit["ended"] for visit in shown["visits"]] == ["passed", "back to A", "passed", ""]
    assert shown["visits"][-1]["reasoning"][0]["text"] == "Because of the deadline."
    assert shown["visits"][-1]["reasoning"][0]["links"] == ["https://example.org/1", "src/a.py#L1"]


def test_a_context_is_shown_three_ways_with_one_hash(engine: Engine, home: Path) -> None:
    at = ("--home", str(home))
    (context,) = engine.journal.context(TASK, "A")

    for way in ("table", "markdown"):
        shown = cli("context", TASK, "--phase", "A", "--format", way, *at)
        assert shown.code == 0, shown
        assert context.hash in shown.out
        assert "A again, with care." in shown.out
    (phase,) = cli("context", TASK, "--phase", "A", "--json", *at).json["phases"]
    document = {name: value for name, value in phase.items() if name not in {"hash", "texts"}}
    assert context_hash(json.loads(json.dumps(document))) == phase["hash"] == context.hash
    assert cli("context", TASK, "--phase", "C", *at).code == 2
    assert cli("context", "NOBODY", *at).code == 2
