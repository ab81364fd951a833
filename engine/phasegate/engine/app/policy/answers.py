"""What one rule says, and the answers of a phase's checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from phasegate.policies.model import POLICY_PACK, CheckRule, FlagMode
from phasegate.policies.rego.pack import parse_pack
from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.policy_pack import PACK, decide
from phasegate.validators.registry import Check, run

TABLE = "table"


class Outcome(StrEnum):
    """What a rule says; `warned` and `observed` are shown and shut nothing."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NOT_EVALUATED = "not_evaluated"
    WARNED = "warned"
    OBSERVED = "observed"
    OFF = "off"


_OUTCOMES = {
    Severity.ERROR: Outcome.DENIED,
    Severity.WARNING: Outcome.WARNED,
    Severity.NOT_EVALUATED: Outcome.NOT_EVALUATED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says.

    Attributes:
        rule: id of the rule: the code of a finding, the id of a pack's rule, or the list that decides.
        outcome: what it says.
        source: what it stands in: `table`, `check NAME`, `pack NAME` or `gate`.
        artifact: what it is about; empty for the phase.
        place: where in it.
        why: what was found, or what the rule demands.
        remedy: what to do about it; empty where nothing has to be done.
    """

    rule: str
    outcome: Outcome
    source: str
    artifact: str = ""
    place: str = ""
    why: str = ""
    remedy: str = ""


def of_finding(finding: Finding, source: str, mode: FlagMode = FlagMode.ENFORCE) -> Answer:
    """The answer that a finding is, under the mode of its flag."""
    outcome = _OUTCOMES[finding.severity]
    if mode is FlagMode.OBSERVE and finding.blocks:
        outcome = Outcome.OBSERVED
    return Answer(
        finding.code, outcome, source, finding.artifact, finding.place, finding.message, finding.remedy
    )


def of_check(
    check: CheckRule, artifact: Artifact, there: Mapping[str, bytes], mode: FlagMode
) -> Iterator[Answer]:
    """What a check says of an artifact.

    Args:
        check: the check.
        artifact: what it looks at.
        there: the other artifacts, and what the engine knows, by name.
        mode: the mode of its flag.
    """
    source = f"pack {check.params.get('pack')}" if check.use == POLICY_PACK else f"check {check.use}"
    if mode is FlagMode.OFF:
        why = "its flag is off, so nobody looks"
        yield Answer(check.name, Outcome.OFF, source, artifact.name, why=why)
    elif check.use == POLICY_PACK:
        yield from _of_pack(check, artifact, there, source, mode)
    else:
        found = run((Check(check.use, check.params),), artifact, there)
        yield from (of_finding(finding, source, mode) for finding in found)
        if not any(finding.blocks for finding in found):
            yield Answer(check.use, Outcome.ALLOWED, source, artifact.name, why="nothing that shuts the gate")


def _of_pack(
    check: CheckRule, artifact: Artifact, there: Mapping[str, bytes], source: str, mode: FlagMode
) -> Iterator[Answer]:
    try:
        decision = decide(artifact, Context(check.params, there))
    except BadParameterError as error:
        finding = Finding(
            "validator.bad_parameter",
            artifact.name,
            "document",
            str(error),
            error.remedy,
            Severity.NOT_EVALUATED,
        )
        yield of_finding(finding, source, mode)
        return
    yield from (of_finding(finding, source, mode) for finding in decision.findings)
    if decision.allowed:
        rules = parse_pack(there[f"{PACK}{check.params['pack']}"]).rules
        for name in decision.rule_ids:
            yield Answer(name, Outcome.ALLOWED, source, artifact.name, why=rules[name].title)
