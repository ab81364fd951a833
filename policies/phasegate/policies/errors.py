"""What can be wrong with the definition of a process or persona."""

from __future__ import annotations


class PolicyError(Exception):
    """Root of this package's errors."""


class ProcessNotFound(PolicyError):
    """No process of that name is shipped and no file of that name exists."""


class PersonaNotFound(PolicyError):
    """No persona of that name is shipped and no file of that name exists."""


class ProcessInvalid(PolicyError):
    """A definition of a process or persona that is refused, with the line where it is wrong.

    Attributes:
        source: name of the file.
        line: one-based line of the offending node.
        reason: what is wrong there.
    """

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(f"{source}:{line}: {reason}")
        self.source = source
        self.line = line
        self.reason = reason
