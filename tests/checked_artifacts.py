"""What a validator finds in its valid artifact, or in another in its place, beside valid companions."""

from __future__ import annotations

from typing import Any

from valid_artifacts import VALID, as_bytes, companions

from phasegate.validators.interface import Artifact, Finding
from phasegate.validators.registry import Check, run


def found(
    validator: str, content: Any = None, params: dict[str, Any] | None = None, **others: Any
) -> tuple[Finding, ...]:
    """The findings, with these parameters beside the valid ones."""
    return found_under(validator, {**VALID[validator].params, **(params or {})}, content, **others)


def found_under(
    validator: str, params: dict[str, Any], content: Any = None, **others: Any
) -> tuple[Finding, ...]:
    """The findings, with these parameters and no others."""
    valid = VALID[validator]
    content = valid.content if content is None else content
    raw = content if isinstance(content, bytes) else as_bytes(content)
    return run([Check(validator, params)], Artifact(valid.name, raw), companions(**others))
