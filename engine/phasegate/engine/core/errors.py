"""Errors of the engine: one root, closed kinds, each with a remedy.

A refused command is not an error: it is a decision, recorded in the ledger and returned as a result. Errors
are what keeps a command from being decided at all.
"""

from __future__ import annotations

from typing import ClassVar


class EngineError(Exception):
    """Root of the engine's errors.

    Attributes:
        message: what is wrong, lowercase, the user's input in backticks.
        remedy: what to do about it, as one sentence.
        exit_code: process exit code of a command that ends with this error.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy


class BadInput(EngineError):
    """The caller's data is malformed or names something that does not exist."""

    exit_code = 2


class Unknown(BadInput):
    """What is named does not exist."""


class HomeMissing(BadInput):
    """No initialised home was found."""


class NotEvaluated(EngineError):
    """A check could not run, so nothing may be concluded."""

    exit_code = 3


class IntegrityError(EngineError):
    """The ledger or an object in the store does not hold."""

    exit_code = 4


class Conflict(EngineError):
    """Another process acts on the same task."""

    exit_code = 5


class Outdated(Conflict):
    """The task is at another version than the one the caller decided from."""
