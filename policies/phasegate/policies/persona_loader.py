"""Reads personas: shipped ones by name, others by file."""

from __future__ import annotations

from pydantic import ValidationError

from phasegate.ledger.errors import CanonicalError
from phasegate.policies.definition_files import read_definition, shipped
from phasegate.policies.errors import PersonaNotFound, ProcessInvalid
from phasegate.policies.loader import refusal
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.yaml_lines import read_yaml


def shipped_personas() -> tuple[str, ...]:
    """Names of the personas that come with the package."""
    return shipped("personas")


def load_persona(name_or_file: str) -> PersonaSpec:
    """Load a shipped persona by name, or one from a YAML file.

    Raises:
        PersonaNotFound: neither a shipped name nor a readable file.
        ProcessInvalid: it is refused; the message has file and line.
    """
    return parse_persona(*read_definition(name_or_file, "personas", "persona", PersonaNotFound))


def is_shipped(persona: PersonaSpec) -> bool:
    """Whether a persona is, word for word, one that comes with the package."""
    return persona.name in shipped_personas() and load_persona(persona.name).digest == persona.digest


def parse_persona(text: bytes, source: str) -> PersonaSpec:
    """Parse and check one persona; raises ProcessInvalid with file and line."""
    lined = read_yaml(text, source)
    try:
        persona = PersonaSpec.model_validate(lined.data)
    except ValidationError as error:
        raise refusal(lined, error, "a persona") from error
    _check_hashable(persona, lined.source)
    return persona


def stored_persona(canonical: bytes) -> PersonaSpec:
    """Rebuild a persona from its canonical JSON; raises ProcessInvalid when it is none."""
    try:
        return PersonaSpec.model_validate_json(canonical)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise ProcessInvalid("stored persona", 1, reason) from error


def _check_hashable(persona: PersonaSpec, source: str) -> None:
    try:
        persona.canonical()
    except CanonicalError as error:
        raise ProcessInvalid(source, 1, f"the persona cannot be hashed: {error}") from error
