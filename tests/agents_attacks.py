"""The attacks of random agents, by name: each made at the gate of a phase whose other conditions hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import autopilot_artifacts as artifacts
from agents_trespasses import (
    claimed_prompt,
    drift,
    flag_by_reviewer,
    flag_set_back,
    objected,
    past_a_lease,
    self_review,
    signed_before,
    signed_by,
    taken_over,
)
from agents_world import MAY_GO_BACK, NAMES, REPEATABLE, RESULTS, Visit
from random_agents import Agents

from phasegate.engine.app.engine import Engine

ALL = artifacts.PHASES
CLAIMED = tuple(phase for phase in ALL if phase != "VERIFY")
CHANGED = b"changed afterwards\n"


# -- order --------------------------------------------------------------------------------------------------


def skip(agents: Agents, task: str) -> None:
    """Leave the gate open, and go through it to somewhere else."""
    agents.prepare(task)
    follower = (*ALL[1:], "")
    wrong = [phase for phase in ALL if phase != follower[ALL.index(agents.visit(task).phase)]]
    agents.advance(task, agents.random.choice(wrong))


def early(agents: Agents, task: str) -> None:
    """Hand in what a later phase asks for."""
    phase = agents.random.choice([phase for phase in CLAIMED if phase != agents.visit(task).phase])
    contents = artifacts.contents(task, phase, 1_000_000 + agents.world.commands)
    agents.offer(task, [agents.write(task, name, content) for name, content in contents.items()])
    agents.advance(task)


def back_too_early(agents: Agents, task: str) -> None:
    """Go back from a phase that does not."""
    agents.go_back(task, agents.random.choice(ALL))


# -- evidence -----------------------------------------------------------------------------------------------


def nothing_left(agents: Agents, task: str) -> None:
    """Advance without more ado."""
    agents.advance(task)


def bad_work(agents: Agents, task: str) -> None:
    """Replace good documents by bad ones."""
    agents.prepare(task)
    agents.hand_in(task, good=False)
    _finish(agents, task)


def copy_altered(agents: Agents, task: str) -> None:
    """Change a readable copy."""
    agents.prepare(task)
    _copy_of(agents, task).write_bytes(CHANGED)
    agents.advance(task)


def copy_deleted(agents: Agents, task: str) -> None:
    """Delete a readable copy."""
    agents.prepare(task)
    _copy_of(agents, task).unlink()
    agents.advance(task)


def source_altered(agents: Agents, task: str) -> None:
    """Change a file that was handed in."""
    agents.prepare(task)
    source = agents.world.bound[task][NAMES[agents.visit(task).phase][0]][2]
    assert source is not None
    source.write_bytes(CHANGED)
    agents.advance(task)


def snapshot_damaged(agents: Agents, task: str) -> None:
    """Change a snapshot while the readable copy stands; it is put right again afterwards."""
    agents.prepare(task)
    name = _some_name(agents, task)
    file = agents.world.snapshot(agents.world.bound[task][name][1])
    content = file.read_bytes()
    _overwrite(file, CHANGED)
    agents.advance(task)
    _overwrite(file, content)


def earlier_copy_altered(agents: Agents, task: str) -> None:
    """Change the readable copy of a phase that was passed long ago; it is put right again afterwards."""
    agents.prepare(task)
    names = [name for phase in ALL[:-1] for name in NAMES[phase]]
    where, _, _ = agents.world.bound[task][name := agents.random.choice(names)]
    file = agents.home / "evidence" / task / where.phase / name
    content = file.read_bytes()
    file.write_bytes(CHANGED)
    agents.advance(task)
    file.write_bytes(content)


def old_bytes(agents: Agents, task: str) -> None:
    """Go back, and hand in what the earlier attempt left."""
    target = _claimed_before(agents, task)
    before = [agents.world.bound[task][name] for name in NAMES[target]]
    old = {name: agents.world.snapshot(found[1]) for name, found in zip(NAMES[target], before, strict=True)}
    agents.go_back(task, target)
    agents.offer(task, [_copied(agents, name, file) for name, file in old.items()])
    _finish(agents, task)


def carried_over(agents: Agents, task: str) -> None:
    """Go back, and let what the earlier attempt left stand."""
    passed = agents.world.passed[task]
    target = agents.random.choice(passed[passed.index("IMPLEMENT") :])
    agents.go_back(task, target)
    _finish(agents, task)


def work_of_another(agents: Agents, task: str) -> None:
    """Hand in what was left for another task, copied or by its path."""
    phase = agents.visit(task).phase
    others = [
        other for other in agents.tasks if other != task and NAMES[phase][0] in agents.world.bound[other]
    ]
    if not others:
        return
    other = agents.random.choice(others)
    found = {name: agents.world.bound[other][name][1] for name in NAMES[phase]}
    files = [_copied(agents, name, agents.world.snapshot(digest)) for name, digest in found.items()]
    if agents.random.random() < 0.5:
        files = [agents.home / "evidence" / other / phase / name for name in NAMES[phase]]
    agents.offer(task, files)
    _finish(agents, task)


# -- witnessed evidence -------------------------------------------------------------------------------------


def claimed_results(agents: Agents, task: str) -> None:
    """Hand in results that nobody saw come about; they say what the engine would say."""
    agents.serial += 1
    text = f'{{"run_{agents.serial}": "all tests passed"}}\n'.encode()
    agents.offer(task, [agents.write(task, name, text) for name in RESULTS])
    agents.advance(task)


def bad_run(how: str) -> Callable[[Agents, str], None]:
    """A run that ends like this, and an advance over it."""

    def act(agents: Agents, task: str) -> None:
        agents.check(task, how)
        agents.advance(task)

    return act


def torn_runs(agents: Agents, task: str) -> None:
    """Test in one run and measure in another."""
    agents.check(task)
    agents.check(task, reports=("junit",))
    agents.check(task, reports=("coverage",))
    agents.advance(task)


# -- crashes and races --------------------------------------------------------------------------------------


def crash(agents: Agents, task: str) -> None:
    """Die in the middle of handing in or of advancing."""
    if agents.random.random() < 0.5 and agents.visit(task).phase != "VERIFY":
        files = agents.documents(task)
        agents.crash(task, lambda engine: engine.add_evidence(task, files))
        _finish(agents, task)
    else:
        agents.prepare(task)
        agents.crash(task, lambda engine: engine.advance(task))


def two_at_once(agents: Agents, task: str) -> None:
    """Two of: go on, go back, leave bad work."""
    agents.prepare(task)
    phase = agents.visit(task).phase
    bad = [] if phase == "VERIFY" else agents.documents(task, good=False)
    acts: list[Callable[[Engine], Any]] = [
        lambda engine: engine.advance(task),
        lambda engine: engine.advance(task),
        lambda engine: engine.backtrack(task, "IMPLEMENT", "changed my mind"),
        lambda engine: engine.add_evidence(task, bad),
    ]
    agents.at_once(acts[0], agents.random.choice(acts[1:]))


# -- means --------------------------------------------------------------------------------------------------


def _finish(agents: Agents, task: str) -> None:
    """Do what the gate asks for beside the evidence of its phase, and advance."""
    if agents.visit(task).phase == "REVIEW":
        agents.compile(task)
        agents.sign(task, "rita")
    agents.advance(task)


def _claimed_before(agents: Agents, task: str) -> str:
    phases = [phase for phase in agents.world.passed[task] if phase != "VERIFY"]
    return phases[-1]


def _some_name(agents: Agents, task: str) -> str:
    return agents.random.choice([name for name in NAMES[agents.visit(task).phase] if name not in REPEATABLE])


def _copy_of(agents: Agents, task: str) -> Path:
    visit: Visit = agents.visit(task)
    return agents.home / "evidence" / task / visit.phase / _some_name(agents, task)


def _copied(agents: Agents, name: str, file: Path) -> Path:
    agents.serial += 1
    place = agents.folder / "loose" / str(agents.serial)
    place.mkdir(parents=True)
    (place / name).write_bytes(file.read_bytes())
    return place / name


def _overwrite(file: Path, content: bytes) -> None:
    file.unlink()
    file.write_bytes(content)


ATTACKS = {
    "skip": (skip, ALL),
    "early": (early, ALL),
    "back_too_early": (back_too_early, tuple(phase for phase in ALL if phase not in MAY_GO_BACK)),
    "nothing_left": (nothing_left, ALL),
    "bad_work": (bad_work, CLAIMED),
    "copy_altered": (copy_altered, ALL),
    "copy_deleted": (copy_deleted, ALL),
    "source_altered": (source_altered, CLAIMED),
    "snapshot_damaged": (snapshot_damaged, ALL),
    "earlier_copy_altered": (earlier_copy_altered, ("MONITOR",)),
    "old_bytes": (old_bytes, MAY_GO_BACK),
    "carried_over": (carried_over, MAY_GO_BACK),
    "work_of_another": (work_of_another, CLAIMED),
    "claimed_results": (claimed_results, ("VERIFY",)),
    **{how: (bad_run(how), ("VERIFY",)) for how in ("exit 1", "failing", "uncovered", "no tests")},
    "torn_runs": (torn_runs, ("VERIFY",)),
    "self_review": (self_review, ("REVIEW",)),
    "signed_by_nobody": (signed_by(""), ("REVIEW",)),
    "signed_by_a_stranger": (signed_by("mallory"), ("REVIEW",)),
    "signed_before": (signed_before, ("REVIEW",)),
    "objected": (objected, ("REVIEW",)),
    "drift": (drift, ("REVIEW",)),
    "claimed_prompt": (claimed_prompt, ("REVIEW",)),
    "flag_by_reviewer": (flag_by_reviewer, ("STRATEGIZE", "THINK")),
    "flag_set_back": (flag_set_back, ("STRATEGIZE", "THINK")),
    "past_a_lease": (past_a_lease, ALL),
    "taken_over": (taken_over, ALL),
    "crash": (crash, ALL),
    "two_at_once": (two_at_once, ALL),
}
"""Every attack, with the phases at whose gate it can be made."""
