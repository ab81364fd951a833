"""Which phases a task still has to leave, and what is exported of a process that branches."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_toto_work import in_toto_verify
from small_processes import branching, process_of, three_phases

from phasegate.engine.app.engine import Engine
from phasegate.engine.app.in_toto.course import course_of, still_ahead
from phasegate.engine.app.in_toto.export import export_in_toto


@pytest.mark.parametrize(
    ("phase", "ahead"), [("A", ("A", "E")), ("B", ("B", "D", "E")), ("C", ("C", "E")), ("E", ("E",))]
)
def test_ahead_is_what_no_way_to_an_end_goes_round(phase: str, ahead: tuple[str, ...]) -> None:
    assert still_ahead(branching(), phase) == ahead


def test_in_a_row_every_later_phase_is_ahead() -> None:
    assert still_ahead(three_phases(), "A") == ("A", "B", "C")


def test_where_a_process_ends_in_two_ways_neither_end_is_ahead() -> None:
    forked = process_of({"A": [], "B": [], "C": []}, {"A": ["B", "C"]})
    assert still_ahead(forked, "A") == ("A",)


def test_many_ways_are_not_walked_one_by_one() -> None:
    # A ladder of 31 rungs has 2**31 ways through it.
    names = [f"{side}{rung}" for rung in range(31) for side in "AB"]
    forward = {f"{side}{rung}": [f"A{rung + 1}", f"B{rung + 1}"] for rung in range(30) for side in "AB"}
    ladder = process_of({name: [] for name in ["S", *names]}, {**forward, "S": ["A0", "B0"]})
    assert still_ahead(ladder, "S") == ("S",)


def test_of_a_process_that_branches_the_way_taken_is_exported(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state") as engine:
        assert engine.open_task("T-1", branching()).accepted
        for name, to in (("a", "B"), ("b", "D"), ("d", "E"), ("e", None)):
            (tmp_path / f"{name}.md").write_text(name)
            assert engine.add_evidence("T-1", [tmp_path / f"{name}.md"]).accepted
            assert engine.advance("T-1", to).accepted
        assert course_of(engine, "T-1").phases == ("A", "B", "D", "E")
        written = export_in_toto(engine, "T-1", tmp_path / "export")
    assert (written.links, written.missing) == (4, ())
    assert in_toto_verify(tmp_path / "export").code == 0


def test_a_phase_without_evidence_has_a_link_of_its_own(tmp_path: Path) -> None:
    with Engine.init(tmp_path / "state") as engine:
        assert engine.open_task(
            "T-1", process_of({"A": [], "B": [], "C": []}, {"A": ["B"], "B": ["C"]})
        ).accepted
        for _ in "ABC":
            assert engine.advance("T-1").accepted
        export_in_toto(engine, "T-1", tmp_path / "export")
    assert in_toto_verify(tmp_path / "export").code == 0
    one, other = (next((tmp_path / "export").glob(f"{phase}.*.link")) for phase in "AB")
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert in_toto_verify(tmp_path / "export").code == 1
