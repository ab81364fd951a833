"""A small process in which prompt drift weighs nothing, then a warning, then an error."""

from __future__ import annotations

from pathlib import Path

from small_processes import claimed, process_of

from phasegate.policies.model import Attention, Process

FREE, WARNED, STRICT = "FREE", "WARNED", "STRICT"


def attested() -> Process:
    """FREE, WARNED and STRICT in a row; STRICT goes back to both."""
    process = process_of(
        {
            FREE: [claimed("spec.md", reusable=True)],
            WARNED: [claimed("b.md", reusable=True)],
            STRICT: [claimed("c.md", reusable=True)],
        },
        {FREE: [WARNED], WARNED: [STRICT]},
        {STRICT: [FREE, WARNED]},
        name="attested",
    )
    weights = {FREE: Attention.OFF, WARNED: Attention.WARN, STRICT: Attention.ERROR}
    phases = [rule.model_copy(update={"attestation": weights[rule.name]}) for rule in process.phases]
    return process.model_copy(update={"phases": tuple(phases)})


def evidence(folder: Path, name: str, text: str = "text") -> Path:
    """A file with evidence in it."""
    file = folder / name
    file.write_text(text)
    return file
