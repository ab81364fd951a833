"""The errors of the phase runners: one root, closed kinds, each with what to do about it."""

from __future__ import annotations

from phasegate.engine.core.errors import BadInput


class RunnerError(BadInput):
    """Root of everything a runner refuses.

    Attributes:
        message: what is wrong, lowercase, the user's input in backticks.
        remedy: what to do next.
    """

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message, remedy)


class DataError(RunnerError):
    """A file of rows (a suite, a recording) is not what it should be; nothing of it was used."""


class SuiteError(DataError):
    """A suite cannot be found, or a row of it is malformed."""


class ModelError(RunnerError):
    """A model is unknown, or cannot give the completion asked for."""


class TargetsError(RunnerError):
    """A targets file cannot be found or is malformed."""


class EstimateError(RunnerError):
    """Figures were asked for that the outcomes cannot give."""


class MissingExtraError(RunnerError):
    """A package that only an extra installs is needed and absent."""


class ReportError(RunnerError):
    """A report was asked for from data that does not hold together, such as a figure without its entry."""
