"""Hypothesis strategies: processes of any shape the model allows, and commands that may or may not fit them."""

from __future__ import annotations

from hypothesis import strategies as st

from phasegate.policies.model import EvidenceRule, PhaseRule, Process

PHASES_MAX = 5
NAMES = tuple("ABCDE")


@st.composite
def evidence_rules(draw: st.DrawFn, phase: str) -> tuple[EvidenceRule, ...]:
    """Up to two artifacts of one phase."""
    kinds = draw(st.lists(st.sampled_from(["claimed", "reusable", "witnessed", "runner"]), max_size=2))
    rules = []
    for index, kind in enumerate(kinds):
        name = f"{phase.lower()}{index}.txt"
        if kind in {"claimed", "reusable"}:
            rules.append(EvidenceRule(name=name, reusable=kind == "reusable"))
        else:
            witness = "runner" if kind == "runner" else "output"
            rules.append(EvidenceRule(name=name, origin="witnessed", witness=witness))
    return tuple(rules)


@st.composite
def processes(draw: st.DrawFn) -> Process:
    """A process in which every phase can be reached, with any further edges."""
    names = NAMES[: draw(st.integers(2, PHASES_MAX))]
    forward: dict[str, set[str]] = {name: set() for name in names}
    backtrack: dict[str, set[str]] = {name: set() for name in names}
    for index, name in enumerate(names[1:], start=1):
        earlier = st.sampled_from(names[:index])
        for source in draw(st.sets(earlier, min_size=1, max_size=2)):
            forward[source].add(name)
        backtrack[name] = draw(st.sets(earlier))
    return Process(
        process="random",
        version=1,
        title="Any shape",
        phases=tuple(
            PhaseRule(name=name, purpose="any", evidence=draw(evidence_rules(name))) for name in names
        ),
        forward={name: tuple(sorted(targets)) for name, targets in forward.items() if targets},
        backtrack={name: tuple(sorted(targets)) for name, targets in backtrack.items() if targets},
    )
