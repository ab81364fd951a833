"""The contracts by name, and their JSON schemas as they ship."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from phasegate.validators.contracts.documents import ChangeSet, Plan, ProblemSpec, PRSummary, RiskReport
from phasegate.validators.errors import BadParameterError
from phasegate.validators.quoting import quoted

CONTRACTS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {model.__name__: model for model in (ProblemSpec, Plan, ChangeSet, PRSummary, RiskReport)}
)


def contract_model(name: str) -> type[BaseModel]:
    """Return the model of the contract called `name`.

    Raises:
        BadParameterError: there is none.
    """
    if name not in CONTRACTS:
        known = ", ".join(f"`{known}`" for known in CONTRACTS)
        raise BadParameterError(f"there is no contract {quoted(name)}; there are {known}", "name one of them")
    return CONTRACTS[name]


@cache
def contract_schema(name: str) -> dict[str, Any]:
    """Return the JSON schema that ships for the contract called `name` (draft 2020-12).

    Raises:
        BadParameterError: there is no such contract.
    """
    contract_model(name)
    file = resources.files("phasegate.validators") / "contracts" / "schemas" / f"{name}.json"
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def drawn_schema(name: str) -> str:
    """Return the text of the schema as the model says it, which the shipped file must equal.

    Raises:
        BadParameterError: there is no such contract.
    """
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:phasegate:contract:{name}:v1",
    }
    return json.dumps({**head, **contract_model(name).model_json_schema()}, indent=2) + "\n"
