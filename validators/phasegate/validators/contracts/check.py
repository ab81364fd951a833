"""Does a document fulfil its contract, strictly: no unknown key, no coerced type?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from phasegate.validators.companions import malformed
from phasegate.validators.contracts.catalog import contract_model
from phasegate.validators.contracts.documents import Plan, ProblemSpec
from phasegate.validators.errors import BadParameterError, MalformedJsonError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.limits import LIMITS
from phasegate.validators.parameters import text_parameter
from phasegate.validators.quoting import printable, quoted
from phasegate.validators.strict_json import parse, pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

_CODE_OF = {
    "missing": "contract.missing",
    "extra_forbidden": "contract.unknown_key",
    "value_error": "contract.inconsistent",
    "placeholder": "contract.placeholder",
}
_REMEDY_OF = {
    "contract.missing": "add the key",
    "contract.unknown_key": "take the key out, or correct its name",
    "contract.inconsistent": "correct the values that contradict each other",
    "contract.placeholder": "write what is meant to be said there",
    "contract.type": "write the value with the type the schema names",
    "contract.value": "correct the value as the schema says",
}


def contract(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check a document against the contract that the parameter `name` names.

    With the parameter `covers` a Plan's items must name under `criteria` every acceptance criterion of that
    companion, a ProblemSpec, and no other; what a title says counts for nothing.

    Findings: `contract.missing`, `contract.unknown_key`, `contract.type`, `contract.value`,
    `contract.inconsistent`, `contract.placeholder`, `contract.uncovered_criterion`,
    `contract.unknown_criterion`, and those of `strict_json.parse` and `companions.companion`.

    Raises:
        BadParameterError: `name` is missing or names no contract, or `covers` is given for another than Plan.
    """
    name = context.params.get("name")
    if not isinstance(name, str):
        raise BadParameterError("the parameter `name` must name a contract", "add `name: Plan` to the check")
    covers = text_parameter(context.params, "covers", "") if "covers" in context.params else ""
    if covers and name != Plan.__name__:
        raise BadParameterError("`covers` is a parameter of the contract `Plan`", "take it out")
    found = contract_findings(name, artifact)
    return found if found or not covers else tuple(_coverage(artifact, context, covers))


def _coverage(artifact: Artifact, context: Context, covers: str) -> Iterator[Finding]:
    plan = Plan.model_validate_json(artifact.content, strict=True)
    try:
        spec = ProblemSpec.model_validate_json(context.companions.get(covers, b""), strict=True)
    except ValidationError:
        yield malformed(artifact.name, covers, "it is not there, or does not fulfil `ProblemSpec`")
        return
    wanted = [criterion.id for criterion in spec.acceptance_criteria]
    named = {criterion for item in plan.items for criterion in item.criteria}
    for criterion in wanted:
        if criterion not in named:
            message = f"no item covers the acceptance criterion `{criterion}`"
            remedy = f"name `{criterion}` under `criteria` of the item that fulfils it"
            yield Finding("contract.uncovered_criterion", artifact.name, "/items", message, remedy)
    for criterion in sorted(named.difference(wanted)):
        message = f"`{criterion}` is named under `criteria`, and {quoted(covers)} does not have it"
        remedy = "correct the id, or add the criterion there"
        yield Finding("contract.unknown_criterion", artifact.name, "/items", message, remedy)


def contract_findings(name: str, artifact: Artifact) -> tuple[Finding, ...]:
    """Return what keeps an artifact from fulfilling the contract `name`.

    Raises:
        BadParameterError: there is no such contract.
    """
    model = contract_model(name)
    try:
        # The model's own reader takes duplicate keys and huge numbers; this one does not.
        parse(artifact.content)
        model.model_validate_json(artifact.content, strict=True)
    except MalformedJsonError as error:
        return (Finding(error.code, artifact.name, error.place, str(error), error.remedy),)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        told = [detail for detail in details if not _follows(detail, details)]
        return tuple(_finding(artifact.name, detail) for detail in told[: LIMITS.max_findings])
    return ()


def _follows(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether a list only is too short because items in it were refused, which is told of them already."""
    loc = detail["loc"]
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in details
    )


def _finding(artifact: str, detail: ErrorDetails) -> Finding:
    kind = detail["type"]
    is_type = kind.endswith(("_type", "_parsing", "_attributes_type"))
    code = _CODE_OF.get(kind, "contract.type" if is_type else "contract.value")
    message = printable(detail["msg"].removeprefix("Value error, "), 400)
    place = pointer(list(detail["loc"]))
    return Finding(code, artifact, place, message[:1].lower() + message[1:], _REMEDY_OF[code])
