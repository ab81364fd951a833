"""A parent holds its children's checkpoints; the tree is verified, and each child that does not hold is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from broken_homes import codes, found, sql
from checkpointed_homes import leave, work
from typer.testing import CliRunner, Result

from phasegate.engine.app.children.holding import Offered
from phasegate.engine.app.engine import Engine
from phasegate.engine.cli.app import app
from phasegate.engine.core.errors import BadInput, Conflict
from phasegate.ledger.errors import NoteError, WitnessRefused
from phasegate.ledger.notes import Note
from phasegate.ledger.sqlite_verify import verify_sqlite

RUN = CliRunner()


def _home(folder: Path, name: str) -> Path:
    Engine.init(folder / name).close()
    return folder / name


def _grown(home: Path, task: str) -> None:
    with Engine.open(home) as engine:
        work(engine, home.parent, task)
        engine.checkpoints.make()


def _held(parent: Path, child: Path, *more: str) -> Result:
    """Hold the child's latest checkpoint."""
    with Engine.open(child) as engine:
        note, vkey = engine.checkpoints.make().note, engine.keys.engine_vkey().vkey
    file = child.parent / f"{child.name}.note"
    file.write_text(note.encoded())
    first = () if more else ("--log", vkey, "--from", str(child))
    return RUN.invoke(app, ["ledger", "hold", str(file), *first, *more, "--home", str(parent), "--json"])


def _tree(parent: Path, *more: str) -> tuple[int, dict[str, Any]]:
    ran = RUN.invoke(app, ["ledger", "verify", "--tree", "--json", "--home", str(parent), *more])
    return ran.exit_code, json.loads(ran.stdout)


def _standings(said: dict[str, Any]) -> list[str]:
    return [child["standing"] for child in said["children"]]


@pytest.fixture
def family(tmp_path: Path) -> tuple[Path, Path]:
    """A parent that holds two checkpoints of a child."""
    parent, child = _home(tmp_path, "parent"), _home(tmp_path, "child")
    for task in ("T-1", "T-2"):
        _grown(child, task)
        assert _held(parent, child).exit_code == 0
    return parent, child


def test_given_a_child_that_grew_then_it_holds_and_what_is_not_covered_is_told(
    family: tuple[Path, Path],
) -> None:
    parent, child = family
    _grown(child, "T-3")

    code, said = _tree(parent)

    (one,) = said["children"]
    assert code == 0
    assert said["ok"]
    assert (one["standing"], one["place"]) == ("holds", str(child))
    assert one["uncovered"] == one["entries"] - one["held"] > 0
    assert codes(found(parent)) == []
    shown = json.loads(RUN.invoke(app, ["ledger", "children", "--json", "--home", str(parent)]).stdout)
    assert [row["size"] for row in shown] == [one["held"]]


def test_given_the_same_checkpoint_twice_then_it_is_held_once(family: tuple[Path, Path]) -> None:
    parent, child = family
    size = found(parent).store.size

    again = json.loads(_held(parent, child).stdout)

    assert not again["new"]
    assert found(parent).store.size == size


def test_given_a_child_put_back_then_it_is_behind(family: tuple[Path, Path], tmp_path: Path) -> None:
    parent, child = family
    kept = tmp_path / "kept"
    shutil.copytree(child, kept)
    _grown(child, "T-3")
    assert _held(parent, child).exit_code == 0
    shutil.rmtree(child)
    kept.rename(child)

    code, said = _tree(parent)

    assert (code, _standings(said)) == (4, ["behind"])
    assert verify_sqlite(child / "ledger.db").ok


def test_given_a_child_that_forked_then_the_tree_and_holding_say_so(
    family: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = family
    other = tmp_path / "other"
    shutil.copytree(child, other)
    _grown(child, "T-3")
    assert _held(parent, child).exit_code == 0
    for task in ("X-1", "X-2"):
        _grown(other, task)

    held = _held(parent, other)
    code, said = _tree(parent, "--child", str(other))

    assert isinstance(held.exception, WitnessRefused)
    assert (code, _standings(said)) == (4, ["forked"])
    assert _tree(parent)[0] == 0


def test_given_a_child_that_is_gone_then_it_is_missing(family: tuple[Path, Path]) -> None:
    parent, child = family
    shutil.rmtree(child)

    code, said = _tree(parent)

    assert (code, _standings(said)) == (4, ["missing"])


def test_given_a_child_whose_entry_was_edited_then_it_is_damaged(family: tuple[Path, Path]) -> None:
    parent, child = family
    sql("UPDATE entries SET task = 'T-9' WHERE seq = 3")(child)

    code, said = _tree(parent)

    assert (code, _standings(said)) == (4, ["damaged"])
    assert "column_mismatch" in said["children"][0]["detail"]


def test_given_a_parent_that_was_edited_then_its_children_are_not_looked_at(
    family: tuple[Path, Path],
) -> None:
    parent, _ = family
    sql("UPDATE entries SET task = 'T-9' WHERE seq = 1")(parent)

    code, said = _tree(parent)

    assert (code, said["children"], said["parent"]["ok"]) == (4, None, False)


def test_given_a_child_that_moved_then_it_is_found_where_it_is_said_to_be(
    family: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = family
    child.rename(tmp_path / "moved")

    assert _standings(_tree(parent)[1]) == ["missing"]
    assert _standings(_tree(parent, "--child", str(tmp_path / "moved"))[1]) == ["holds"]


def test_given_a_child_of_nobody_knows_where_then_it_is_not_evaluated(tmp_path: Path) -> None:
    parent, child = _home(tmp_path, "parent"), _home(tmp_path, "child")
    _grown(child, "T-1")
    with Engine.open(child) as engine:
        vkey = engine.keys.engine_vkey().vkey
    assert _held(parent, child, "--log", vkey).exit_code == 0

    code, said = _tree(parent)

    assert (code, _standings(said)) == (3, ["unknown"])


def test_given_a_key_that_was_rotated_then_the_child_still_holds(family: tuple[Path, Path]) -> None:
    parent, child = family
    with Engine.open(child) as engine:
        engine.rotating.rotate()
    _grown(child, "T-3")

    assert _held(parent, child, "--from", str(child)).exit_code == 0
    assert _standings(_tree(parent)[1]) == ["holds"]


def test_given_a_grandchild_then_it_is_verified_too(family: tuple[Path, Path], tmp_path: Path) -> None:
    parent, child = family
    grandchild = _home(tmp_path, "grandchild")
    _grown(grandchild, "G-1")
    assert _held(child, grandchild).exit_code == 0
    assert _held(parent, child).exit_code == 0
    shutil.rmtree(grandchild)

    code, said = _tree(parent)

    assert code == 4
    assert [one["standing"] for one in said["children"][0]["children"]] == ["missing"]


def test_given_growth_without_a_proof_then_it_is_not_held(family: tuple[Path, Path]) -> None:
    parent, child = family
    _grown(child, "T-3")
    with Engine.open(child) as engine:
        vkey = engine.keys.engine_vkey().vkey

    assert isinstance(_held(parent, child, "--log", vkey).exception, BadInput)
    with Engine.open(parent) as held, Engine.open(child) as engine:
        note = engine.checkpoints.make().note
        with pytest.raises(WitnessRefused):
            held.children.hold([Offered(note, proof=(b"\0" * 32,))])


def test_given_what_is_no_childs_checkpoint_then_it_is_not_held(
    family: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = family
    stranger = _home(tmp_path, "stranger")
    _grown(stranger, "S-1")
    with Engine.open(parent) as held, Engine.open(child) as engine, Engine.open(stranger) as other:
        mine, note = held.checkpoints.make().note, engine.checkpoints.make().note
        foreign = other.checkpoints.make().note
        size = held.store.head().size
        with pytest.raises(BadInput, match="this very ledger"):
            held.children.hold([Offered(mine)])
        with pytest.raises(BadInput, match="no key is known"):
            held.children.hold([Offered(foreign)])
        with pytest.raises(NoteError):
            held.children.hold([Offered(Note(note.text, foreign.signatures))])
        assert held.store.head().size == size


def test_given_two_that_hold_at_once_then_one_is_told_to_try_again(
    family: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, _ = family
    others = [_home(tmp_path, name) for name in ("one", "two")]
    offered = []
    for other in others:
        _grown(other, "O-1")
        with Engine.open(other) as engine:
            key = engine.keys.engine_vkey().for_notes
            offered.append(Offered(engine.checkpoints.make().note, key))
    with Engine.open(parent) as first, Engine.open(parent) as second:
        seen = second.children.latest()
        assert len(first.children.hold([offered[0]])) == 1
        second.children.latest = lambda: seen  # type: ignore[method-assign]
        with pytest.raises(Conflict):
            second.children.hold([offered[1]])
        del second.children.latest
        assert len(second.children.hold(offered)) == 1
    assert codes(found(parent)) == []


def test_given_a_checkpoint_of_a_marked_phase_then_leaving_it_makes_one_to_hold(
    family: tuple[Path, Path], tmp_path: Path
) -> None:
    parent, child = family
    with Engine.open(child) as engine:
        leave(engine, "T-2", tmp_path, "C")

    assert _held(parent, child).exit_code == 0
    assert _standings(_tree(parent)[1]) == ["holds"]
