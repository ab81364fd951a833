"""Validators: named, pure checks of what artifacts say. See `interface` for what a validator is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegate.validators.errors import (
        BadParameterError,
        MalformedJsonError,
        MalformedReportError,
        UnknownValidatorError,
        ValidatorError,
    )
    from phasegate.validators.interface import Artifact, Context, Finding, Severity, Validator
    from phasegate.validators.registry import REGISTRY, Check, resolve, run

_HOMES = {
    "errors": (
        "BadParameterError",
        "MalformedJsonError",
        "MalformedReportError",
        "UnknownValidatorError",
        "ValidatorError",
    ),
    "interface": ("Artifact", "Context", "Finding", "Severity", "Validator"),
    "registry": ("REGISTRY", "Check", "resolve", "run"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "REGISTRY",
    "Artifact",
    "BadParameterError",
    "Check",
    "Context",
    "Finding",
    "MalformedJsonError",
    "MalformedReportError",
    "Severity",
    "UnknownValidatorError",
    "Validator",
    "ValidatorError",
    "resolve",
    "run",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
