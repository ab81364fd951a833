"""Small processes for tests: as few phases as show the rule, with no validator in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phasegate.policies.model import EvidenceRule, PhaseRule, Process


def process_of(
    phases: Mapping[str, Sequence[EvidenceRule]],
    forward: Mapping[str, Sequence[str]],
    backtrack: Mapping[str, Sequence[str]] | None = None,
    name: str = "small",
) -> Process:
    """A process with these phases, edges and evidence."""
    return Process(
        process=name,
        version=1,
        title="A process for tests",
        phases=tuple(
            PhaseRule(name=phase, purpose="to be left", evidence=tuple(rules))
            for phase, rules in phases.items()
        ),
        forward={source: tuple(targets) for source, targets in forward.items()},
        backtrack={source: tuple(targets) for source, targets in (backtrack or {}).items()},
    )


def claimed(name: str, **more: Any) -> EvidenceRule:
    """A claimed artifact without checks."""
    return EvidenceRule(name=name, **more)


def witnessed(name: str, witness: str = "output") -> EvidenceRule:
    """A witnessed artifact without checks."""
    return EvidenceRule(name=name, origin="witnessed", witness=witness)


def three_phases() -> Process:
    """A, B and C in a row, one claimed artifact each; B and C go back to every earlier phase."""
    return process_of(
        {"A": [claimed("a.md")], "B": [claimed("b.md")], "C": [claimed("c.md")]},
        {"A": ["B"], "B": ["C"]},
        {"B": ["A"], "C": ["A", "B"]},
    )


def branching() -> Process:
    """From A to B or C; B leads to D, C leads past D to E; E goes back to all."""
    return process_of(
        {name: [claimed(f"{name.lower()}.md")] for name in "ABCDE"},
        {"A": ["B", "C"], "B": ["D"], "C": ["E"], "D": ["E"]},
        {"D": ["A", "B"], "E": ["A", "B", "C", "D"]},
        name="branching",
    )


def with_witness() -> Process:
    """DRAFT with a claimed artifact, then CHECK with what a command printed and a JUnit report."""
    return process_of(
        {
            "DRAFT": [claimed("draft.md")],
            "CHECK": [witnessed("log.txt"), witnessed("tests.json", "junit")],
            "DONE": [claimed("note.md"), claimed("flag.json", reusable=True)],
        },
        {"DRAFT": ["CHECK"], "CHECK": ["DONE"]},
        {"CHECK": ["DRAFT"], "DONE": ["DRAFT", "CHECK"]},
        name="checked",
    )
