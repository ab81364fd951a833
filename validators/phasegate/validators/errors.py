"""Everything that can go wrong in this package, under one root.

Bad content of an artifact is not here: it is a `Finding`, because a gate wants all of them at once.
"""

from __future__ import annotations


class ValidatorError(Exception):
    """Root of this package's errors.

    Attributes:
        remedy: what whoever sees the error should do next.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class UnknownValidatorError(ValidatorError):
    """A process definition or caller named a validator that does not exist."""


class BadParameterError(ValidatorError):
    """A process definition gave a validator parameters it cannot work with."""


class MalformedJsonError(ValidatorError):
    """Bytes are not the strict JSON this package reads.

    Attributes:
        code: stable dotted identifier, such as `json.duplicate_key`.
        place: where in the bytes, as far as it is known.
    """

    def __init__(self, message: str, remedy: str, *, code: str, place: str) -> None:
        super().__init__(message, remedy)
        self.code = code
        self.place = place


class MalformedReportError(ValidatorError):
    """A tool's report cannot be converted, or contradicts itself."""
