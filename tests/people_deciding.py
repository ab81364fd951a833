"""A task that waits for people, what they sign about it, and how it is told that nothing else happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_drivers import entries
from guarded_homes import TASK, Guarded, assert_sound, guarded_home

from phasegate.engine.app.people.deciding import Decision
from phasegate.engine.app.people.keys import Role, load_key
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import EngineError
from phasegate.engine.statements.approval import Approval
from phasegate.engine.statements.dsse import sign
from phasegate.engine.statements.predicate import Subject


def in_review(folder: Path) -> Guarded:
    """A task in REVIEW, its rubric handed in, implemented by `ben`."""
    made = guarded_home(folder)
    made.open_task()
    made.bring_to("REVIEW", by="ben")
    return made


def decide(
    place: Guarded, name: str, decision: Decision = Decision.APPROVE, role: Role | None = None
) -> Result:
    """Decide in a process of its own."""
    with place.engine() as engine:
        return engine.people.decide(TASK, decision, "because I looked", place.keys[name], role)


def advance(place: Guarded) -> Result:
    """Try to advance."""
    with place.engine() as engine:
        return engine.advance(TASK)


def shut(place: Guarded, *codes: str) -> None:
    """The gate is shut, for exactly these reasons."""
    result = advance(place)
    assert result.violation is not None
    assert result.violation.violation == "gate_failed"
    assert sorted(finding.code for finding in result.findings if finding.blocks) == sorted(codes)


def nothing_written(place: Guarded, attack: Callable[[], Any], error: type[Exception]) -> None:
    """The attack raises, and leaves the ledger as it was."""
    head = entries(place.root)[-1].seq
    with pytest.raises(error) as caught:
        attack()
    if isinstance(caught.value, EngineError):
        assert caught.value.remedy
    assert entries(place.root)[-1].seq == head


def envelope(place: Guarded, name: str, **changes: Any) -> bytes:
    """An approval as its signer's own program would make it, with some fields others."""
    with place.engine() as engine:
        state, ledger = engine.state(TASK), engine.store.ledger
    fields: dict[str, Any] = {
        "ledger": ledger, "task": TASK, "attempt": state.attempt, "phase": state.phase,
        "decision": Decision.APPROVE, "reason": "because I looked", "actor": name, "role": Role.REVIEWER,
        "at": place.clock.now(),
    }  # fmt: skip
    fields |= changes
    rubric = Subject("rubric.md", state.evidence["rubric.md"].digest)
    return sign(Approval(**fields).to_statement((rubric,)), load_key(place.keys[name]))


def submit(place: Guarded, body: bytes) -> Result:
    """Hand an envelope in."""
    with place.engine() as engine:
        return engine.people.submit(body)


def not_authorised(place: Guarded, attack: Callable[[], Result]) -> None:
    """The attack is refused; that is recorded and counted, and is the only thing that happens."""
    head = entries(place.root)[-1].seq
    with place.engine() as engine:
        before = engine.state(TASK)

    result = attack()

    assert result.violation is not None
    assert (result.violation.violation, result.violation.remedy != "") == ("not_authorised", True)
    assert [entry.type for entry in entries(place.root)[head:]] == ["violation.recorded"]
    with place.engine() as engine:
        after = engine.state(TASK)
        assert_sound(engine)
    assert after.violations["not_authorised"] == before.violations.get("not_authorised", 0) + 1
    assert (after.status, after.approvals) == (before.status, before.approvals)


def passed(place: Guarded) -> Any:
    """Payload of the last gate that was passed."""
    return [entry.payload for entry in entries(place.root) if entry.type == "gate.passed"][-1]
