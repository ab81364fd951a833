"""Changed copies: as `dataclasses.replace` makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phasegate.engine.core.changing import changed
from phasegate.engine.core.facts import Facts
from phasegate.engine.core.state import Status, TaskState

STATE = TaskState("T-1", "Title", "short", "a" * 64, Status.OPEN, "A", {"A": 1})
FACTS = Facts(now="2026-01-01T00:00:00.000000Z")


@pytest.mark.parametrize(
    ("value", "changes"),
    [(STATE, {"phase": "B", "attempts": {"A": 1, "B": 1}}), (STATE, {}), (FACTS, {"actor": "user:ann"})],
)
def test_given_a_value_when_changed_then_the_copy_is_what_replace_makes_and_the_value_stays(
    value: Any, changes: dict[str, Any]
) -> None:
    before = replace(value)

    copy = changed(value, **changes)

    assert copy == replace(value, **changes)
    assert value == before
    assert changed(copy, **changes) == copy


@pytest.mark.parametrize("value", [STATE, FACTS])
def test_given_a_name_that_is_no_field_when_changed_then_it_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(TypeError, match="fase"):
        changed(value, fase="B")
