"""What an audit can still say where content was redacted: what needs it is not evaluated, the rest is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from phasegate.engine.app.companions import PREVIOUS
from phasegate.engine.app.redactions import Redacted
from phasegate.engine.core.state import Evidence, TaskState, is_current
from phasegate.policies.model import CheckRule, EvidenceRule
from phasegate.validators.interface import Artifact, Finding, Severity
from phasegate.validators.registry import Check, run

REDACTED = "evidence.redacted"
_REMEDY = (
    "ask who redacted it; a statement signed before still says what its digest was and that its gate passed"
)


class Watched(Mapping[str, bytes]):
    """Companions of an artifact, some of them redacted: notes whether anybody asked for one of those.

    Args:
        there: those that are there.
        gone: names of those that were redacted.

    Attributes:
        missed: names of the redacted ones that were asked for.
    """

    def __init__(self, there: Mapping[str, bytes], gone: Mapping[str, Redacted]) -> None:
        self._there = there
        self._gone = gone
        self.missed: set[str] = set()

    def __getitem__(self, name: str) -> bytes:
        if name in self._gone:
            self.missed.add(name)
        return self._there[name]

    def __iter__(self) -> Iterator[str]:
        # Whoever looks at all of them would have seen these.
        self.missed.update(self._gone)
        return iter(self._there)

    def __len__(self) -> int:
        self.missed.update(self._gone)
        return len(self._there)


def redacted_names(state: TaskState, redactions: Mapping[str, Redacted]) -> dict[str, Redacted]:
    """Names of a task's companions that were redacted: current evidence, and earlier attempts of it."""
    gone = {
        name: redactions[item.digest]
        for name, item in state.evidence.items()
        if is_current(state, item) and item.digest in redactions
    }
    for name, digests in state.previous.items():
        for number, digest in enumerate(reversed(digests), start=1):
            if digest in redactions:
                gone[f"{PREVIOUS}{name}{f':{number}' if number > 1 else ''}"] = redactions[digest]
    return gone


def redacted_finding(evidence: Evidence, rule: EvidenceRule, redacted: Redacted) -> Finding:
    """Evidence whose content was redacted: its checks cannot be run again."""
    checks = ", ".join(check.use for check in rule.checks) or "none"
    text = f"`{evidence.name}` was {redacted}; not checked any more: its content (checks: {checks})"
    return Finding(REDACTED, evidence.name, evidence.path, text, _REMEDY, Severity.NOT_EVALUATED)


def validate_beside(
    name: str, content: bytes, there: Mapping[str, bytes], check: CheckRule, gone: Mapping[str, Redacted]
) -> tuple[Finding, ...]:
    """Run one check beside redacted companions: what it says counts only if it asked for none of them."""
    companions = Watched({other: data for other, data in there.items() if other not in gone}, gone)
    found = run((Check(check.use, check.params),), Artifact(name, content), companions)
    if not companions.missed:
        return found
    missed = "; ".join(f"`{other}` was {gone[other]}" for other in sorted(companions.missed))
    text = f"the check `{check.use}` of `{name}` needs what is gone: {missed}"
    return (Finding(REDACTED, name, f"check {check.use}", text, _REMEDY, Severity.NOT_EVALUATED),)
