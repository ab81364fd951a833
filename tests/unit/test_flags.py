"""Flags of gates: what each mode does to a check, whose word counts, and that a revoked one opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from guarded_homes import TASK, Guarded, guarded, guarded_home

from phasegate.engine.app.audit.audit import audit
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.engine.core.gate import flag_names
from phasegate.ledger.sqlite import SqliteStore
from phasegate.policies.model import Attention, FlagMode, PhaseRule, Process

SECTIONS, APPROVALS = "REVIEW/sections", "REVIEW/approvals"


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in REVIEW whose rubric lacks a section and was approved by nobody."""
    made = guarded_home(tmp_path)
    made.open_task()
    made.bring_to("REVIEW", by="ben")
    with made.engine() as engine:
        rubric = made.write("rubric.md", "# No verdict in here\n\nWords without one, and enough of them.\n")
        assert engine.add_evidence(TASK, [rubric]).accepted
    return made


def set_mode(place: Guarded, flag: str, mode: FlagMode, name: str = "olga", reason: str = "to try") -> None:
    """Set a flag, as an operator unless another is named."""
    with place.engine() as engine:
        engine.flags.set(place.process, flag, mode, reason, place.keys[name])


def advance(place: Guarded) -> Result:
    """Try to leave the phase."""
    with place.engine() as engine:
        return engine.advance(TASK)


def blocking(result: Result) -> list[str]:
    """Codes that shut the gate."""
    return sorted(finding.code for finding in result.findings if finding.blocks)


def gate_entry(place: Guarded) -> dict[str, Any]:
    """Payload of the last gate passed."""
    with place.engine() as engine:
        return next(iter(engine.store.entries(type="gate.passed", reverse=True, limit=1))).payload


def test_given_no_flag_when_the_gate_is_tried_then_everything_blocks(place: Guarded) -> None:
    assert blocking(advance(place)) == ["approval.missing", "sections.missing"]


@pytest.mark.parametrize("mode", [FlagMode.OBSERVE, FlagMode.OFF])
def test_given_one_flag_when_the_gate_is_tried_then_only_the_other_blocks(
    place: Guarded, mode: FlagMode
) -> None:
    set_mode(place, SECTIONS, mode)
    assert blocking(advance(place)) == ["approval.missing"]
    set_mode(place, SECTIONS, FlagMode.ENFORCE)
    set_mode(place, APPROVALS, mode)
    assert blocking(advance(place)) == ["sections.missing"]


def test_given_observed_checks_when_passed_then_findings_modes_and_checks_are_recorded(
    place: Guarded,
) -> None:
    set_mode(place, SECTIONS, FlagMode.OBSERVE)
    set_mode(place, APPROVALS, FlagMode.OFF)

    assert advance(place).accepted

    passed = gate_entry(place)
    assert passed["flags"] == {SECTIONS: "observe", APPROVALS: "off"}
    assert passed["checks"] == ["rubric.md:sections"]
    assert [item["code"] for item in passed["warnings"]] == ["sections.missing"], (
        "what is off is not looked at"
    )
    with place.engine() as engine:
        found = audit(engine)
    assert [task.faults for task in found.tasks] == [()], "the replay knows the flags"


def test_given_a_check_that_is_off_when_passed_then_it_is_not_named_as_one_that_ran(place: Guarded) -> None:
    set_mode(place, SECTIONS, FlagMode.OFF)
    set_mode(place, APPROVALS, FlagMode.OBSERVE)

    assert advance(place).accepted

    assert gate_entry(place)["checks"] == []


def test_given_a_flag_of_another_process_or_phase_then_it_changes_nothing_here(place: Guarded) -> None:
    other = guarded(process="other")
    with place.engine() as engine:
        engine.flags.set(other, SECTIONS, FlagMode.OFF, "elsewhere", place.keys["olga"])
        assert dict(engine.flags.modes(place.process, "REVIEW")) == {}
        assert dict(engine.flags.modes(other, "REVIEW")) == {SECTIONS: FlagMode.OFF}
        assert dict(engine.flags.modes(other, "PLAN")) == {}
    assert blocking(advance(place)) == ["approval.missing", "sections.missing"]


def test_given_flags_that_were_set_when_listed_then_each_says_by_whom_and_why(place: Guarded) -> None:
    set_mode(place, SECTIONS, FlagMode.OBSERVE, "sue", "until the template is ready")
    set_mode(place, SECTIONS, FlagMode.ENFORCE, reason="it is")
    set_mode(place, APPROVALS, FlagMode.OFF)
    with place.engine() as engine:
        assert list(engine.flags.list()) == [
            (f"guarded:{APPROVALS}", FlagMode.OFF, "olga", "to try"),
            (f"guarded:{SECTIONS}", FlagMode.ENFORCE, "olga", "it is"),
        ]


def test_given_a_row_whose_signer_was_edited_when_listed_then_the_entry_is_believed(place: Guarded) -> None:
    set_mode(place, SECTIONS, FlagMode.OBSERVE)
    body = orjson.dumps({"mode": "observe", "by": "somebody else", "reason": "they said so"})
    place.sql("UPDATE projections SET body = CAST(? AS BLOB) WHERE kind = 'flag'", body)

    with place.engine() as engine:
        assert list(engine.flags.list()) == [(f"guarded:{SECTIONS}", FlagMode.OBSERVE, "olga", "to try")]


@pytest.mark.parametrize("body", [b'{"mode": "off"}', b"{}", b'{"mode": null}'])
def test_given_a_row_edited_in_the_file_when_the_gate_is_tried_then_it_is_refused(
    place: Guarded, body: bytes
) -> None:
    set_mode(place, SECTIONS, FlagMode.OBSERVE)
    place.sql("UPDATE projections SET body = CAST(? AS BLOB) WHERE kind = 'flag'", body)

    with pytest.raises(IntegrityError, match="not what its entry says"):
        advance(place)


@pytest.mark.parametrize("name", ["rita", "ben", "mallory"])
def test_given_a_key_of_another_role_when_it_sets_a_flag_then_nothing_changes(
    place: Guarded, name: str
) -> None:
    with pytest.raises(BadInput):
        set_mode(place, SECTIONS, FlagMode.OFF, name)
    with place.engine() as engine:
        assert list(engine.flags.list()) == []


@pytest.mark.parametrize("reason", ["", " \n", "x" * 2_001, "bell \a"])
def test_given_no_proper_reason_when_a_flag_is_set_then_nothing_changes(place: Guarded, reason: str) -> None:
    with pytest.raises(BadInput, match="reason"):
        set_mode(place, SECTIONS, FlagMode.OFF, reason=reason)
    with place.engine() as engine:
        assert list(engine.flags.list()) == []


class Interposed:
    """A store before whose next commit something happens, once."""

    def __init__(self, store: SqliteStore, happening: Callable[[], object]) -> None:
        self._store, self._happening = store, [happening]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, *args: Any, **more: Any) -> Any:
        if self._happening:
            self._happening.pop()()
        return self._store.append(*args, **more)


def between(place: Guarded, happening: Callable[[], object]) -> Engine:
    """An engine whose first commit comes right after something else."""
    with place.engine() as engine:
        home = engine.home
    return Engine(home, Interposed(SqliteStore.open(home.ledger), happening), clock=place.clock)  # type: ignore[arg-type]


def test_given_a_flag_revoked_between_decision_and_commit_then_the_gate_is_decided_anew(
    place: Guarded,
) -> None:
    set_mode(place, SECTIONS, FlagMode.OBSERVE)
    set_mode(place, APPROVALS, FlagMode.OBSERVE)

    with between(place, lambda: set_mode(place, APPROVALS, FlagMode.ENFORCE)) as engine:
        result = engine.advance(TASK)

    assert blocking(result) == ["approval.missing"]
    assert result.state.phase == "REVIEW"


def test_given_a_flag_set_while_it_is_read_then_the_reading_is_done_again_and_no_damage_is_seen(
    place: Guarded,
) -> None:
    set_mode(place, SECTIONS, FlagMode.OFF)
    with place.engine() as engine:
        read = engine.store.projections
        seen = [row for kind in ("flag",) for row in read(kind)]
        set_mode(place, SECTIONS, FlagMode.OBSERVE)
        old = iter(seen)
        engine.flags._store = Stale(engine.store, lambda *_: old)  # type: ignore[assignment]
        assert dict(engine.flags.modes(place.process, "REVIEW")) == {SECTIONS: FlagMode.OBSERVE}


class Stale:
    """A store whose first look at the rows of a kind is an old one."""

    def __init__(self, store: Any, projections: Callable[..., Any]) -> None:
        self._store, self.projections = store, projections

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_order_binding_freshness_and_leases_have_no_flag() -> None:
    rule = PhaseRule(name="A", purpose="a", attestation=Attention.WARN)
    process = Process(process="p", version=1, title="t", phases=(rule,), forward={})

    assert flag_names(process, "A") == ("A/attestation",)
    assert flag_names(guarded(), "REVIEW") == (SECTIONS, APPROVALS)
    assert flag_names(guarded(), "PLAN") == ()
