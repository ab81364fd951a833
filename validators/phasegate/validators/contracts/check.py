"""Does a document fulfil its contract, strictly: no unknown key, no coerced type?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from phasegate.validators.contracts.catalog import contract_model
from phasegate.validators.errors import BadParameterError, MalformedJsonError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import printable
from phasegate.validators.strict_json import parse, pointer

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_CODE_OF = {
    "missing": "contract.missing",
    "extra_forbidden": "contract.unknown_key",
    "value_error": "contract.inconsistent",
}
_REMEDY_OF = {
    "contract.missing": "add the key",
    "contract.unknown_key": "take the key out, or correct its name",
    "contract.inconsistent": "correct the values that contradict each other",
    "contract.type": "write the value with the type the schema names",
    "contract.value": "correct the value as the schema says",
}


def contract(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check a document against the contract that the parameter `name` names.

    Findings: `contract.missing`, `contract.unknown_key`, `contract.type`, `contract.value`,
    `contract.inconsistent`, and the codes of `strict_json.parse`.

    Raises:
        BadParameterError: `name` is missing or names no contract.
    """
    name = context.params.get("name")
    if not isinstance(name, str):
        raise BadParameterError("the parameter `name` must name a contract", "add `name: Plan` to the check")
    return contract_findings(name, artifact)


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
