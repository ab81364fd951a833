"""The JSON schemas of the predicate types, shipped with the package: the one part of it that reads files."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Final

from phasegate.engine.statements.errors import Fault, StatementError
from phasegate.engine.statements.predicate import PREDICATE_ROOT
from phasegate.validators.quoting import quoted

SCHEMA_NAMES: Final = ("approval", "head", "transition", "witness")


@cache
def predicate_schema(predicate_type: str) -> dict[str, Any]:
    """The draft 2020-12 schema of a predicate type, such as `https://phasegate.dev/predicates/witness/v1`.

    Raises:
        StatementError: `unknown_predicate`.
    """
    name = predicate_type.removeprefix(PREDICATE_ROOT).removesuffix("/v1")
    if predicate_type != f"{PREDICATE_ROOT}{name}/v1" or name not in SCHEMA_NAMES:
        known = ", ".join(f"`{PREDICATE_ROOT}{known}/v1`" for known in SCHEMA_NAMES)
        raise StatementError(
            Fault.UNKNOWN_PREDICATE,
            f"there is no schema for {quoted(predicate_type)}",
            f"name one of {known}",
        )
    file = resources.files("phasegate.engine.statements") / "schemas" / f"{name}.json"
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded
