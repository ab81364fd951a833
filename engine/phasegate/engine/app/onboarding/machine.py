"""Whether a profile's commands can be witnessed on this machine: their programs are there, and known."""

from __future__ import annotations

import os
from collections.abc import Iterator

from phasegate.engine.app.onboarding.listing import Listing
from phasegate.engine.app.witnessing.programs import Places, ordered_path
from phasegate.policies.model import PhaseRule, Process
from phasegate.policies.witness_commands import WitnessCommand
from phasegate.validators.globs import Globs, globs
from phasegate.validators.interface import Finding, Severity
from phasegate.validators.quoting import quoted

CHECK = "protected_checks"


def about_machine(process: Process, listing: Listing) -> tuple[Finding, ...]:
    """What stands in the way of witnessing a profile's commands here; each program is told once.

    Args:
        process: the profile.
        listing: the repository, whose files are taken for those of the base commit.
    """
    found: dict[str, Finding] = {}
    for phase in process.phases:
        for command in phase.commands:
            for name, finding in _about(phase, command, listing):
                found.setdefault(name, finding)
    return tuple(found.values())


def _about(phase: PhaseRule, command: WitnessCommand, listing: Listing) -> Iterator[tuple[str, Finding]]:
    """What there is to say of each program that a command starts, by its name."""
    programs = _programs(phase)
    path = ordered_path(os.environ.get("PATH", os.defpath), programs)
    folder = listing.root / command.folder
    places = Places(listing.root, folder, {"PATH": path}, frozenset(listing.paths).__contains__)
    for name in places.unknown(command.run):
        if not programs.matches(name.lstrip("/")):
            there = "/" in name and (folder / name).exists()
            yield name, _elsewhere(phase, str(folder / name)) if there else _missing(phase, name)


def _missing(phase: PhaseRule, name: str) -> Finding:
    message = f"{quoted(name)} is not on this machine, so what {phase.name} names cannot all run here"
    remedy = "install it, or let the phase be worked where it is"
    return Finding("onboard.no_program", "", phase.name, message, remedy, Severity.WARNING)


def _elsewhere(phase: PhaseRule, at: str) -> Finding:
    message = f"{quoted(at)} lies in no folder of the system, so {CHECK} takes it for anybody's"
    remedy = (
        f"install it for the system; or, if no agent can write there, add {quoted(at.lstrip('/'))} to "
        f"`programs` of {CHECK} in {phase.name}"
    )
    return Finding("onboard.unknown_program", "", phase.name, message, remedy, Severity.WARNING)


def _programs(phase: PhaseRule) -> Globs:
    """Programs that a phase names as known."""
    checks = (check for rule in phase.evidence for check in rule.checks)
    return next((globs(check.params, "programs") for check in checks if check.use == CHECK), Globs())
