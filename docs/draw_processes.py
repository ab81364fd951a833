"""Draws the shipped processes from their YAML into `processes.md`; a test holds the two together."""

from __future__ import annotations

import re
from pathlib import Path

from phasegate.policies.loader import load_process, shipped_processes
from phasegate.policies.model import Process

PAGE = Path(__file__).with_name("processes.md")


def drawing(process: Process) -> str:
    """The process as a Mermaid flowchart: solid edges lead forward, dotted ones back."""
    lines = ["```mermaid", "flowchart LR"]
    for phase in process.phases:
        evidence = "<br/>".join(rule.name for rule in phase.evidence)
        lines.append(f'    {phase.name}["<b>{phase.name}</b><br/>{evidence}"]')
    lines += [f"    {source} --> {target}" for source, ends in process.forward.items() for target in ends]
    lines += [f"    {source} -.-> {target}" for source, ends in process.backtrack.items() for target in ends]
    return "\n".join([*lines, "```"])


def page(text: str) -> str:
    """The page with every drawing made anew between its markers."""
    for name in shipped_processes():
        block = f"<!-- {name} -->\n{drawing(load_process(name))}\n<!-- end {name} -->"
        place = re.compile(rf"<!-- {name} -->(.*<!-- end {name} -->)?", flags=re.DOTALL)
        text = place.sub(block.replace("\\", r"\\"), text)
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
