"""Does a change hold what a policy pack in Rego demands?

The one validator that asks another process: the interpreter of Rego is native code, and what breaks or hangs
it must shut a gate and not end the engine. That process has no state, so the same bytes get the same answer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from phasegate.validators.errors import BadParameterError
from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.parameters import mapping, text_parameter
from phasegate.validators.patch import read_patch
from phasegate.validators.quoting import quoted

if TYPE_CHECKING:
    from phasegate.policies.rego.deciding import PolicyDecision

TASK = "facts:task.json"
PACK = "pack:"
DEFAULT_PATCH = "git_diff.patch"
DEFAULT_LICENCES = "licences.json"
PARAMETERS = frozenset({"pack", "data", "patch", "licences"})


def policy_pack(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Let a policy pack decide on a change and what the task has left about it.

    Parameters: `pack`, its name (required); `data`, its parameters; `patch` and `licences`, names of the
    artifacts that are the change and the manifest of licences (default `git_diff.patch`, `licences.json`).
    The companion `pack:NAME` is the pack as the process pins it, `facts:task.json` says what the task is.

    Findings: the pack's own, coded by the ids of its rules; those of `patch.read_patch`; `policy.undefined`
    for a rule that neither holds nor denies, `policy.undeclared`, `policy.error`, `policy.timeout`,
    `policy.crashed`; and, *not evaluated*, `policy.extra_missing`, `policy.pack_invalid`,
    `policy.input_invalid`, `policy.input_too_large`.

    Raises:
        BadParameterError: `pack` is missing, or a parameter is unknown or of the wrong shape.
    """
    return decide(artifact, context).findings


def decide(artifact: Artifact, context: Context) -> PolicyDecision:
    """What `policy_pack` answers, with the ids of the rules that decided; raises as it does."""
    from phasegate.policies.errors import PolicyError  # noqa: PLC0415 - a process without packs pays for none
    from phasegate.policies.rego.deciding import PolicyDecision, evaluate  # noqa: PLC0415
    from phasegate.policies.rego.document import InputTooLarge, change_document  # noqa: PLC0415
    from phasegate.policies.rego.pack import parse_pack  # noqa: PLC0415

    name, data, patch_name, licences = _parameters(context)
    there = {**context.companions, artifact.name: artifact.content}
    parsed = None
    if patch_name in there:
        parsed, findings = read_patch(Artifact(patch_name, there[patch_name]))
        if findings:
            codes = tuple(sorted({finding.code for finding in findings}))
            return PolicyDecision(allowed=False, rule_ids=codes, findings=findings)
    try:
        pack = parse_pack(there.get(f"{PACK}{name}", b""))
        document = change_document(parsed, _facts(there), there, data, licences)
    except PolicyError as error:
        return _undecided(artifact, "policy.pack_invalid", f"{quoted(name)}: {error.message}", error.remedy)
    except InputTooLarge as error:
        remedy = "split the change into smaller ones"
        return _undecided(artifact, "policy.input_too_large", str(error), remedy)
    return evaluate(pack, document, artifact=artifact.name)


def _parameters(context: Context) -> tuple[str, dict[str, Any], str, str]:
    params = context.params
    unknown = sorted(set(params) - PARAMETERS)
    if unknown:
        raise BadParameterError(f"`{unknown[0]}` is no parameter", f"use {', '.join(sorted(PARAMETERS))}")
    if "pack" not in params:
        raise BadParameterError("`pack` names no policy pack", "add `pack: NAME`")
    return (
        text_parameter(params, "pack", "paths"),
        dict(mapping(params, "data")),
        text_parameter(params, "patch", DEFAULT_PATCH),
        text_parameter(params, "licences", DEFAULT_LICENCES),
    )


def _facts(there: dict[str, bytes]) -> dict[str, Any]:
    """Task and process; nothing where they are not told, which leaves every rule on them undefined."""
    facts = json.loads(there.get(TASK, b"{}"))
    return facts if isinstance(facts, dict) else {}


def _undecided(artifact: Artifact, code: str, message: str, remedy: str) -> PolicyDecision:
    from phasegate.policies.rego.deciding import PolicyDecision  # noqa: PLC0415

    finding = Finding(code, artifact.name, "document", message, remedy, Severity.NOT_EVALUATED)
    return PolicyDecision(allowed=False, rule_ids=(code,), findings=(finding,))
