"""`engine gate` says open only when an advance would pass: another's lease is in the way of it too."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_drivers import cli
from guarded_homes import Clock
from small_processes import three_phases

from phasegate.engine.app.engine import Engine
from phasegate.policies.model import LeaseRule

TASK = "T-1"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A task whose gate is open."""
    with Engine.init(tmp_path / "state") as engine:
        engine.open_task(TASK, three_phases())
        (tmp_path / "a.md").write_text("done")
        engine.add_evidence(TASK, [tmp_path / "a.md"])
        return engine.home.root


def test_a_gate_whose_phase_another_holds_is_shut(home: Path) -> None:
    with Engine.open(home, label="one") as one, Engine.open(home, label="two") as two:
        assert one.gate(TASK).open
        lease = one.leases.acquire(TASK)

        report = two.gate(TASK)

        assert (report.open, [finding.code for finding in report.findings]) == (False, ["lease.held"])
        assert lease.holder in report.findings[0].message
        assert not two.advance(TASK).accepted
        one.leases.release(TASK, lease.epoch)
        assert two.gate(TASK).open
        assert two.advance(TASK).accepted


def test_whoever_holds_it_finds_it_open_under_its_epoch_only(home: Path) -> None:
    with Engine.open(home) as engine:
        epoch = engine.leases.acquire(TASK).epoch
    with Engine.open(home, lease=epoch) as holder, Engine.open(home, lease=epoch, label="other") as other:
        assert holder.gate(TASK).open
        assert [finding.code for finding in other.gate(TASK).findings] == ["lease.held"]

    without = cli("gate", TASK, "--json", "--home", str(home))
    under = cli("gate", TASK, "--lease", str(epoch), "--json", "--home", str(home))

    assert (without.code, without.json["findings"][0]["code"]) == (1, "lease.held")
    assert f"--lease {epoch}" in without.json["findings"][0]["remedy"]
    assert (under.code, under.json["open"]) == (0, True)


def test_a_lease_that_has_expired_or_is_of_another_phase_is_in_nobody_s_way(tmp_path: Path) -> None:
    clock = Clock()
    with Engine.init(tmp_path / "state", clock=clock) as engine:
        engine.open_task(TASK, three_phases())
        engine.leases.acquire(TASK, "B")
        assert "lease.held" not in [finding.code for finding in engine.gate(TASK).findings]
        engine.leases.acquire(TASK, ttl_s=10)
        assert "lease.held" in [finding.code for finding in engine.gate(TASK).findings]

        clock.go(seconds=11)

        assert "lease.held" not in [finding.code for finding in engine.gate(TASK).findings]


def test_an_epoch_that_counts_no_more_and_a_lease_that_is_wanted_shut_it(tmp_path: Path) -> None:
    process = three_phases().model_copy(update={"lease": LeaseRule(required=True)})
    root = tmp_path / "state"
    with Engine.init(root) as engine:
        engine.open_task(TASK, process)
        epoch = engine.leases.acquire(TASK).epoch
        (tmp_path / "a.md").write_text("done")
    with Engine.open(root, lease=epoch) as holder:
        assert holder.add_evidence(TASK, [tmp_path / "a.md"]).accepted
        assert holder.gate(TASK).open
        holder.leases.release(TASK, epoch)

    for lease, code in ((epoch, "lease.stale"), (epoch + 1, "lease.stale"), (None, "lease.required")):
        with Engine.open(root, lease=lease) as engine:
            report = engine.gate(TASK)

            assert (report.open, [finding.code for finding in report.findings]) == (False, [code])
            assert "engine lease acquire" in report.findings[0].remedy
            assert not engine.advance(TASK).accepted
