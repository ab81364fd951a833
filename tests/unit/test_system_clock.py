"""The real clock: RFC 3339, UTC, microseconds."""

from __future__ import annotations

import time

import pytest

from phasegate.engine.app.system import SystemClock

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("unix_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_767_225_600 * SECOND_NS - 1, "2025-12-31T23:59:59.999999Z"),
        (1_767_225_600 * SECOND_NS + 7_999, "2026-01-01T00:00:00.000007Z"),
        (1_709_208_000 * SECOND_NS + 120_000_000, "2024-02-29T12:00:00.120000Z"),
    ],
)
def test_given_a_clock_that_told_another_second_when_asked_then_it_tells_this_one_to_the_microsecond(
    monkeypatch: pytest.MonkeyPatch, unix_ns: int, text: str
) -> None:
    clock = SystemClock()
    clock.now()
    monkeypatch.setattr(time, "time_ns", lambda: unix_ns)

    assert clock.now() == text
    assert clock.now() == text
