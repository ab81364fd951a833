"""Promise: whatever agents do, no task completes without every gate truly met.

Four runs of 2,500 commands under nine phases, by honest, sloppy, lying and crashing agents, and two at once.
Each phase that is passed is held against the test's own book of what was written, run, signed and held.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agents_attacks import ATTACKS
from random_agents import Agents

from phasegate.engine.app.audit.audit import audit

COMMANDS = 2_500
MEMORY = Path("/dev/shm")
KINDS = {
    "foreign_evidence",
    "gate_failed",
    "illegal_backtrack",
    "lease_contention",
    "not_authorised",
    "not_witnessed",
    "out_of_sequence",
    "stale_evidence",
    "stale_lease",
    "unexpected_evidence",
}

pytestmark = [
    pytest.mark.attack,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: these agents write durably some thousand times."""
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="phasegate-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("seed", [11, 12, 13, 14])
def test_given_random_agents_when_a_gate_is_passed_then_it_was_truly_met(in_memory: Path, seed: int) -> None:
    print(f"seed {seed}")
    agents = Agents(in_memory, seed, ATTACKS)
    try:
        agents.run(COMMANDS)
        found = audit(agents.engines[0])
    finally:
        agents.close()
    world = agents.world
    print(len(world.completed), dict(world.tried), dict(world.refused))
    assert world.commands >= COMMANDS
    assert len(world.completed) >= 5, "the run must reach what it is about"
    assert [name for name in ATTACKS if world.tried[name] < 3] == []
    assert world.refused.keys() >= KINDS
    assert found.ledger.ok
    assert not [fault for task in found.tasks for fault in task.faults]
