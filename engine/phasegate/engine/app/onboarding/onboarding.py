"""`engine onboard`: look at a repository and make its profile; `writing` puts it there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from phasegate.engine.app.onboarding.detecting import Detection, detect, local_files, wanted
from phasegate.engine.app.onboarding.languages import LANGUAGES
from phasegate.engine.app.onboarding.listing import listing_of
from phasegate.engine.app.onboarding.machine import about_machine
from phasegate.engine.app.onboarding.profile import Line, as_yaml
from phasegate.engine.app.onboarding.tailoring import tailored
from phasegate.engine.app.onboarding.writing import PROFILE
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.policies.definition_files import read_definition
from phasegate.policies.errors import ProcessNotFound
from phasegate.policies.loader import parse_process, shipped_processes
from phasegate.policies.model import Process
from phasegate.policies.yaml_lines import read_yaml
from phasegate.validators.interface import Finding

BASE: Final = "autopilot"


@dataclass(frozen=True, slots=True)
class Onboarding:
    """What came of looking at a repository.

    Attributes:
        root: its folder.
        detection: what it is made with.
        name: the profile's name.
        lines: the lines of the profile that are others than the base process's, each with its reason.
        text: the profile as YAML.
        process: the same as the loader reads it.
        findings: what is in the way: of a profile, and of its commands on this machine.
    """

    root: Path
    detection: Detection
    name: str
    lines: tuple[Line, ...]
    text: str
    process: Process
    findings: tuple[Finding, ...]


def onboard(root: Path, name: str = "", *, without_coverage: bool = False) -> Onboarding:
    """Look at a repository and make its profile; nothing is run, and nothing written.

    Args:
        root: its folder.
        name: the profile's name; the folder's without it.
        without_coverage: leave the coverage of languages out for which no tool was found.

    Raises:
        BadInput: there is no such folder, or the name is none.
        NotEvaluated: nothing in it is known, so there is nothing to tailor.
    """
    listing = listing_of(root, wanted(LANGUAGES), local_files(LANGUAGES))
    found = detect(listing, LANGUAGES)
    if not found.components:
        known = ", ".join(language.name for language in LANGUAGES)
        raise NotEvaluated(
            f"`{root}` shows none of the languages that are known: {known}",
            "name the folder that holds the manifest, or write a process by hand: docs/processes.md",
        )
    chosen = _name(name, listing.root)
    base = _base()
    profile = tailored(base, found, chosen, without_coverage=without_coverage)
    written = as_yaml(profile, _head(chosen, base))
    process = parse_process(written.encode(), PROFILE)
    findings = (*found.findings, *about_machine(process, listing))
    return Onboarding(listing.root, found, chosen, tuple(profile.lines), written, process, findings)


@cache
def _base() -> dict[str, Any]:
    """The data of the process that profiles are made from, which comes with the engine; nobody changes it."""
    text, source = read_definition(BASE, "processes", "process", ProcessNotFound)
    data: dict[str, Any] = read_yaml(text, source).data
    return data


def _name(given: str, root: Path) -> str:
    name = given or re.sub(r"[^a-z0-9_.-]+", "-", root.name.lower()).strip("-.")[:60]
    if not given and not re.match(r"[a-z]", name):
        name = f"repo-{name}".rstrip("-")
    if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,63}", name):
        raise BadInput(
            f"`{given[:80]}` is no name of a process", "use lower-case letters, digits, `.`, `_`, `-`"
        )
    if name in shipped_processes():
        if given:
            raise BadInput(f"`{name}` is the name of a shipped process", "give the profile another name")
        name = f"{name}-own"
    return name


def _head(name: str, base: dict[str, Any]) -> list[str]:
    made_from = f"`{base['process']}` version {base['version']}"
    return [
        f"The process of {name}, made by `engine onboard` from {made_from}.",
        "A line that is another than there has its reason above it, with the file and line that show it; all",
        "others are as they are there. Read it, change what you know better, and let its owners merge it.",
    ]
