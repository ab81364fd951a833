"""Reads personas: shipped ones by name, others by file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from phasegate.ledger.errors import CanonicalError
from phasegate.policies.errors import PersonaNotFound, ProcessInvalid
from phasegate.policies.loader import refusal
from phasegate.policies.persona import PersonaSpec
from phasegate.policies.yaml_lines import FILE_BYTES_MAX, read_yaml

_SUFFIXES = (".yaml", ".yml")


def shipped_personas() -> tuple[str, ...]:
    """Names of the personas that come with the package."""
    folder = resources.files("phasegate.policies") / "personas"
    return tuple(
        sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))
    )


def load_persona(name_or_file: str) -> PersonaSpec:
    """Load a shipped persona by name, or one from a YAML file.

    Raises:
        PersonaNotFound: neither a shipped name nor a readable file.
        ProcessInvalid: it is refused; the message has file and line.
    """
    if name_or_file.endswith(_SUFFIXES):
        path = Path(name_or_file)
        try:
            with path.open("rb") as opened:
                text = opened.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise PersonaNotFound(f"cannot read `{name_or_file}`: {error.strerror}") from error
        except ValueError as error:
            raise PersonaNotFound(f"cannot read `{name_or_file}`: {error}") from error
        return parse_persona(text, path.name)
    if name_or_file not in shipped_personas():
        known = ", ".join(shipped_personas())
        raise PersonaNotFound(
            f"there is no persona `{name_or_file[:80]}`", f"use one of {known}, or a file ending in .yaml"
        )
    file = resources.files("phasegate.policies") / "personas" / f"{name_or_file}.yaml"
    return parse_persona(file.read_bytes(), f"{name_or_file}.yaml")


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
