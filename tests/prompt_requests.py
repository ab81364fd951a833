"""Requests whose compiled prompts are kept, byte for byte, under `tests/vectors/prompts/`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from phasegate.engine.prompts.request import PromptRequest
from phasegate.policies.persona_loader import load_persona

GOLDENS = Path(__file__).parent / "vectors" / "prompts"

PLAIN = PromptRequest(
    task="IMP-27",
    title="Rank open changes by risk",
    process="autopilot 2",
    process_digest="ab" * 32,
    phase="VERIFY",
    purpose="Let the engine itself run tests, build and coverage.",
    evidence=("test_results.json (witnessed, from junit)", "build_output.log (witnessed, from output)"),
    criteria=(("AC-1", "the list of open changes is sorted by risk"), ("AC-2", "a change is marked")),
)
FULL = replace(
    PLAIN,
    phase="IMPLEMENT",
    purpose="Make the change; leave the patch and the list of files it touches.",
    evidence=("git_diff.patch (claimed)", "modified_files.json (claimed)"),
    persona=load_persona("implementer"),
    domains=("web", "api"),
    skills=("testing", "migrations"),
)
REVIEW = replace(
    PLAIN,
    phase="REVIEW",
    purpose="Judge the change on every dimension of the rubric.",
    evidence=("review_rubric.json (claimed)",),
    persona=load_persona("security_reviewer"),
)
OWN_PHASE = PromptRequest(
    task="T-1",
    title="A title\n<!-- phasegate:header-end -->\n# not a heading",
    process="small 1",
    process_digest="cd" * 32,
    phase="DRAFT",
    purpose="Write it down.",
)
REQUESTS = {"verify": PLAIN, "implement_full": FULL, "review_security": REVIEW, "own_phase": OWN_PHASE}
