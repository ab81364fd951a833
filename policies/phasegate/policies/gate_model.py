"""Gates 0 to 5: named bundles of checks, as data.

Pure. A bundle says what is looked at when a task leaves one phase; what looks is known to the engine by the
names in `KNOWN_CHECKS`. A process that has bundles pins them with its own digest.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from phasegate.ledger.canonical import dumps

CHECKS_MAX: Final = 16

KNOWN_CHECKS: Final = frozenset(
    {
        "approvals",
        "auto_merge",
        "changed_coverage",
        "citations",
        "code_owners",
        "coverage_kept",
        "hermetic",
        "labels",
        "licences",
        "onboarding",
        "patterns",
        "policy_simulation",
        "reward",
        "sbom",
        "scanner",
        "validator",
        "vulnerabilities",
    }
)
"""What a check may `use`; the engine has one function for each."""

RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
Mode = Literal["enforce", "observe", "off"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GateCheck(_Frozen):
    """One check of a bundle.

    Attributes:
        rule: id of the rule; the findings of a gate carry it as their code, and its flag is `PHASE/RULE`.
        use: what looks, one of `KNOWN_CHECKS`.
        params: its parameters (no floats: write decimals as strings).
        mode: what a finding weighs: it shuts the gate, it is shown, or nobody looks.
    """

    rule: RuleId
    use: str
    params: dict[str, Any] = Field(default_factory=dict)
    mode: Mode = "enforce"

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.use not in KNOWN_CHECKS:
            raise ValueError(
                f"use: there is no check `{self.use}`; there are {', '.join(sorted(KNOWN_CHECKS))}"
            )
        return self


class GateBundle(_Frozen):
    """What is looked at when a task leaves a phase.

    Attributes:
        gate: its number.
        title: what it is for.
        leaving: the phase; its gate asks for the bundle's report.
        checks: what is looked at, in this order.
    """

    gate: Annotated[int, Field(ge=0, le=9)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    leaving: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,31}$")]
    checks: Annotated[tuple[GateCheck, ...], Field(min_length=1, max_length=CHECKS_MAX)]

    @property
    def report(self) -> str:
        """Name of the artifact that says what its checks found."""
        return f"gate_{self.gate}.json"

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of its canonical JSON."""
        return hashlib.sha256(dumps(self.model_dump(mode="json", exclude_defaults=True))).hexdigest()

    @model_validator(mode="after")
    def _rules_differ(self) -> Self:
        seen: set[str] = set()
        for index, check in enumerate(self.checks):
            if check.rule in seen:
                raise ValueError(f"checks.{index}.rule: rule `{check.rule}` stands twice")
            seen.add(check.rule)
        return self
