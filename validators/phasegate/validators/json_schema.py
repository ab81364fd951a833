"""Does a JSON artifact follow its schema?

Every violation is one finding whose place is the JSON pointer of the offending value (RFC 6901). The schemas
are JSON Schema draft 2020-12; most let extra keys pass, because the files come from real tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from phasegate.validators import schema_store
from phasegate.validators.errors import BadParameterError, MalformedJsonError
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse, pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema.exceptions import ValidationError

_MESSAGES = {
    "type": "must be of type {expected}",
    "enum": "must be one of {expected}",
    "const": "must be {expected}",
    "minimum": "must be at least {expected}",
    "maximum": "must be at most {expected}",
    "exclusiveMinimum": "must be more than {expected}",
    "minItems": "must have at least {expected} items",
    "maxItems": "must have at most {expected} items",
    "minLength": "must have at least {expected} characters",
    "maxLength": "must have at most {expected} characters",
    "minProperties": "must have at least {expected} keys",
    "maxProperties": "must have at most {expected} keys",
    "uniqueItems": "must not hold the same item twice",
}


def json_schema(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check an artifact against the schema that the parameter `schema` names.

    Findings: the codes of `strict_json.parse`, and `schema.<keyword>` such as `schema.required`.

    Raises:
        BadParameterError: the parameter is missing or names no schema.
    """
    name = context.params.get("schema")
    if not isinstance(name, str):
        raise BadParameterError(
            "the parameter `schema` must name a schema", "add `schema: NAME` to the check"
        )
    return read(artifact, name)[1]


def read(artifact: Artifact, schema: str) -> tuple[Any, tuple[Finding, ...]]:
    """Return the parsed artifact and what is wrong with it; the value is None if anything is wrong.

    Raises:
        BadParameterError: there is no such schema.
    """
    validator = schema_store.compiled(schema)
    try:
        value = parse(artifact.content)
    except MalformedJsonError as error:
        return None, (Finding(error.code, artifact.name, error.place, str(error), error.remedy),)
    findings = tuple(_violations(artifact.name, validator.iter_errors(value)))
    return (None, findings) if findings else (value, ())


def _violations(artifact: str, errors: Iterator[ValidationError]) -> Iterator[Finding]:
    count = 0
    listed: set[tuple[str, str]] = set()
    for error in errors:
        place = pointer(list(error.absolute_path))
        keyword = str(error.validator)
        # The library reports one error per missing key; each of them already names all that are missing.
        if keyword == "required" and (place, keyword) in listed:
            continue
        listed.add((place, keyword))
        for finding in _findings_of(artifact, place, keyword, error):
            count += 1
            if count > LIMITS.max_findings:
                return
            yield finding


def _findings_of(artifact: str, place: str, keyword: str, error: ValidationError) -> Iterator[Finding]:
    code = f"schema.{keyword.lower()}"
    if keyword == "required":
        # The stubs allow a keyword without a value; an error that a keyword raised always has one.
        required = cast("list[str]", error.validator_value)
        present = cast("dict[str, Any]", error.instance)
        for name in required:
            if name not in present:
                message = f"the key {quoted(name)} is missing"
                yield Finding(code, artifact, place, message, f"add {quoted(name)}")
        return
    remedy = "correct the value and hand in the file again"
    yield Finding(code, artifact, place, _message(keyword, error), remedy)


def _message(keyword: str, error: ValidationError) -> str:
    rules = cast("dict[str, Any]", error.schema)
    if keyword == "additionalProperties":
        known = rules.get("properties", {})
        extra = [name for name in cast("dict[str, Any]", error.instance) if name not in known]
        return f"unknown keys {quoted(', '.join(extra))}"
    if keyword == "pattern":
        return f"{quoted(error.instance)} must be {rules.get('title', 'of another form')}"
    template = _MESSAGES.get(keyword)
    if template is None:
        return f"{quoted(error.instance)} has none of the allowed shapes"
    expected = error.validator_value
    shown = ", ".join(quoted(item) for item in expected) if isinstance(expected, list) else quoted(expected)
    return f"{quoted(error.instance)} {template.format(expected=shown)}"
