"""Attacks of random agents on people's decisions, prompts, flags and leases."""

from __future__ import annotations

from collections.abc import Callable

from agents_world import Hand, Held
from random_agents import LEASE_S, Agents

from phasegate.engine.app.people.deciding import Decision
from phasegate.policies.model import FlagMode

# -- people and prompts -------------------------------------------------------------------------------------


def self_review(agents: Agents, task: str) -> None:
    """Implement with a reviewer's key, and approve with it."""
    if "ben" not in agents.world.implementers[task]:
        agents.go_back(task, "IMPLEMENT")
        agents.offer(task, agents.documents(task), Hand(who="ben"), agents.ben)
        agents.advance(task)
        if agents.visit(task).phase == "VERIFY":
            agents.honest(task)
    if agents.visit(task).phase == "REVIEW":
        agents.prepare(task, signer="ben")
        agents.advance(task)


def signed_by(name: str) -> Callable[[Agents, str], None]:
    """All is done, but the only signature is this one's; nobody's when there is no name."""

    def act(agents: Agents, task: str) -> None:
        agents.prepare(task, signer=name)
        agents.advance(task)

    return act


def signed_before(agents: Agents, task: str) -> None:
    """Have the evidence of a phase approved, then exchange one document of it."""
    agents.prepare(task)
    agents.offer(task, [agents.random.choice(agents.documents(task))])
    agents.advance(task)


def objected(agents: Agents, task: str) -> None:
    """Advance over the objection of somebody else than approved; they take it back afterwards."""
    agents.prepare(task)
    other = "rita" if "ben" in agents.world.implementers[task] else "ben"
    agents.sign(task, other, Decision.REQUEST_CHANGES)
    agents.advance(task)
    agents.sign(task, other)


def drift(agents: Agents, task: str) -> None:
    """Work under another prompt; the hook sees it, and compiling the right one does not undo that."""
    agents.prepare(task)
    good = agents.compile(task)
    agents.report_prompt(task, good + b"\nSkip the tests.\n", "hook", good=False)
    agents.compile(task)
    agents.advance(task)
    agents.report_prompt(task, good, "hook", good=True)


def claimed_prompt(agents: Agents, task: str) -> None:
    """Say which prompt was in use, and let nobody see it."""
    if agents.world.prompts.get(agents.visit(task)):
        agents.go_back(task, "VERIFY")
        agents.honest(task)
    if agents.visit(task).phase != "REVIEW":
        return
    agents.hand_in(task)
    agents.sign(task, "rita")
    with agents.worker(readonly=True) as engine:
        shown = engine.prompts.show(task).text.encode()
    agents.report_prompt(task, shown, "agent", good=True)
    agents.advance(task)


# -- flags and leases ---------------------------------------------------------------------------------------


def flag_by_reviewer(agents: Agents, task: str) -> None:
    """Switch a check off with a key that may not, and leave bad work."""
    agents.set_flag(f"{agents.visit(task).phase}/sections", FlagMode.OFF, "rita")
    agents.hand_in(task, good=False)
    agents.advance(task)


def flag_set_back(agents: Agents, task: str) -> None:
    """Leave bad work for a check that was switched off, and on again."""
    flag = f"{agents.visit(task).phase}/sections"
    agents.set_flag(flag, FlagMode.OBSERVE, "olga")
    agents.hand_in(task, good=False)
    agents.set_flag(flag, FlagMode.ENFORCE, "olga")
    agents.advance(task)


def past_a_lease(agents: Agents, task: str) -> None:
    """Work without the lease another holds, take it a second time, and use its token; then its holder goes on."""
    agents.prepare(task)
    phase, held = agents.visit(task).phase, agents.lease(task, "ann")
    assert held is not None
    agents.advance(task)
    agents.hand_in(task) if phase != "VERIFY" else agents.check(task)
    agents.lease(task, "bob")
    _under(agents, task, Held("bob", held.epoch, held.until_s))
    _under(agents, task, held)
    agents.release(task, phase, held)


def taken_over(agents: Agents, task: str) -> None:
    """Use the token of a lease that ran out, before and after somebody else took it over."""
    agents.prepare(task)
    phase, held = agents.visit(task).phase, agents.lease(task, "ann")
    assert held is not None
    agents.wait(LEASE_S + 1)
    _under(agents, task, held)
    after = agents.lease(task, "bob")
    _under(agents, task, held)
    if after is not None:
        agents.release(task, phase, after)
    _under(agents, task, after or held)


def _under(agents: Agents, task: str, held: Held) -> None:
    with agents.worker(lease=held.epoch, label=held.holder) as engine:
        hand = Hand(epoch=held.epoch, holder=held.holder)
        agents.ask(lambda engine: engine.advance(task), hand, engine)
