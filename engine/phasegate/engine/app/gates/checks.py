"""Running the checks of a bundle, each to its own end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from phasegate.engine.app.gates import consent, inventory, measured, reading
from phasegate.engine.app.gates.outcome import Outcome, Unable
from phasegate.engine.app.gates.scanning import scanner
from phasegate.engine.app.gates.subject import Subject
from phasegate.ledger.canonical import dumps
from phasegate.policies.gate_model import GateBundle, GateCheck
from phasegate.validators.errors import ValidatorError
from phasegate.validators.quoting import quoted

OFF: Final = "off"
_LAST: Final = "auto_merge"

CHECKS: Final[Mapping[str, Callable[[Subject, Mapping[str, Any]], Outcome]]] = MappingProxyType(
    {
        "approvals": consent.approvals,
        "changed_coverage": measured.changed_coverage,
        "citations": reading.citations,
        "code_owners": consent.code_owners,
        "coverage_kept": measured.coverage_kept,
        "hermetic": measured.hermetic,
        "labels": consent.labels,
        "licences": inventory.licences,
        "onboarding": reading.onboarding,
        "patterns": reading.patterns,
        "policy_simulation": reading.policy_simulation,
        "reward": measured.reward,
        "sbom": inventory.sbom,
        "scanner": scanner,
        "validator": reading.validator,
        "vulnerabilities": inventory.vulnerabilities,
    }
)
"""By what a check `use`s; `auto_merge` beside them looks at the outcomes of the others."""

Progress = Callable[[str], None]


def examine(bundle: GateBundle, subject: Subject, progress: Progress) -> list[dict[str, Any]]:
    """Run the checks of a bundle in their order; what is off does not run.

    Returns:
        One item for each, as `schemas/gate_report.json` has it.
    """
    outcomes: dict[str, Outcome] = {}
    told: list[dict[str, Any]] = []
    for check in bundle.checks:
        if check.mode == OFF:
            continue
        progress(check.rule)
        began = time.monotonic_ns()
        outcome = outcomes[check.rule] = _outcome(check, subject, outcomes)
        took = (time.monotonic_ns() - began) // 1_000_000
        configuration = hashlib.sha256(dumps(check.model_dump(mode="json", exclude={"mode"}))).hexdigest()
        head = {"rule": check.rule, "use": check.use, "mode": check.mode, "configuration": configuration}
        told.append({**head, **outcome.as_json(), "duration_ms": took})
    return told


def _outcome(check: GateCheck, subject: Subject, earlier: Mapping[str, Outcome]) -> Outcome:
    try:
        if check.use == _LAST:
            return consent.auto_merge(subject, check.params, earlier)
        return CHECKS[check.use](subject, check.params)
    except Unable as unable:
        return Outcome(unable=(unable.reason, unable.remedy))
    except ValidatorError as error:
        return Outcome(unable=(f"it cannot be used: {error}", error.remedy or "correct the rule"))
    except Exception as error:  # noqa: BLE001 - a check that breaks has shown nothing, and others still run
        said = f"the check broke: {type(error).__name__}: {quoted(str(error))}"
        return Outcome(unable=(said, "correct the rule's parameters, or report it"))
