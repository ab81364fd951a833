"""The JSON schemas that ship with the package: the one part of it that reads files."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from phasegate.validators.errors import BadParameterError
from phasegate.validators.quoting import quoted

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_SUFFIX = ".json"


@cache
def schema_names() -> tuple[str, ...]:
    """Return the names of all schemas, sorted."""
    folder = resources.files("phasegate.validators") / "schemas"
    names = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the draft 2020-12 schema called `name`.

    Raises:
        BadParameterError: there is no such schema.
    """
    if name not in schema_names():
        known = ", ".join(f"`{known}`" for known in schema_names())
        raise BadParameterError(f"there is no schema {quoted(name)}; there are {known}", "name one of them")
    file = resources.files("phasegate.validators") / "schemas" / (name + _SUFFIX)
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


@cache
def compiled(name: str) -> Draft202012Validator:
    """Return a validator of the schema called `name`; kept, because building one costs milliseconds.

    Raises:
        BadParameterError: there is no such schema.
    """
    from phasegate.validators.lean_jsonschema import (  # noqa: PLC0415 - costs 100 ms, and hooks never need it
        Draft202012Validator,
    )

    return Draft202012Validator(schema(name))
