"""A lease refuses late work, and whichever command it is ends with 5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_drivers import cli, entries
from guarded_homes import TASK, Guarded, guarded_home


@pytest.fixture
def place(tmp_path: Path) -> Guarded:
    """A task in PLAN."""
    made = guarded_home(tmp_path)
    made.open_task()
    return made


def test_a_worker_that_was_stopped_until_its_lease_had_run_out_writes_nothing(place: Guarded) -> None:
    with place.engine() as engine:
        epoch = engine.leases.acquire(TASK, ttl_s=60).epoch
    with place.engine(lease=epoch) as engine:
        assert engine.add_evidence(TASK, [place.write("plan.md")]).accepted
        look = engine._seen_gate

        def goes_on_later(*args: Any) -> Any:
            facts = look(*args)
            place.clock.go(seconds=60)
            return facts

        engine._seen_gate = goes_on_later  # type: ignore[method-assign]
        result = engine.advance(TASK)

        assert result.violation is not None
        assert (result.violation.violation, result.state.phase) == ("stale_lease", "PLAN")
        assert [entry.payload["violation"] for entry in result.entries] == ["stale_lease"]


COMMANDS: dict[str, tuple[str, ...]] = {
    "advance": ("advance", TASK),
    "backtrack": ("backtrack", TASK, "--to", "PLAN", "--reason", "again"),
    "evidence add": ("evidence", "add", TASK, "FILE"),
    "witness": ("witness", TASK, "--", "/bin/true"),
    "prompt compile": ("prompt", "compile", TASK),
    "attest check": ("attest", "check", TASK, "--prompt", "FILE"),
    "attest update": ("attest", "update", TASK, "--prompt", "FILE", "--reason", "mine is better"),
    "journal add": ("journal", "add", TASK, "--summary", "because"),
    "outbox add": (
        "outbox",
        "add",
        TASK,
        "--effect",
        "webhook",
        "--to",
        "http://localhost/",
        "--body",
        "FILE",
    ),
}


@pytest.mark.parametrize("args", COMMANDS.values(), ids=COMMANDS)
def test_every_command_ends_with_5_under_a_lease_that_is_lost(place: Guarded, args: tuple[str, ...]) -> None:
    file = str(place.write("plan.md"))
    environ = {"PHASEGATE_HOME": str(place.root), "PHASEGATE_LEASE": "7"}

    ran = cli(*(file if arg == "FILE" else arg for arg in args), environ=environ)

    assert (ran.code, "remedy:" in ran.out) == (5, True), ran
    assert entries(place.root)[-1].payload["violation"] == "stale_lease"
