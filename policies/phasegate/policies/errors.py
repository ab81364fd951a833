"""What can be wrong with the definition of a process or persona."""

from __future__ import annotations

from typing import ClassVar


class PolicyError(Exception):
    """Root of this package's errors.

    Attributes:
        message: what is wrong, the user's input in backticks.
        remedy: what to do about it.
    """

    default_remedy: ClassVar[str] = "correct the definition"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy or self.default_remedy


class ProcessNotFound(PolicyError):
    """No process of that name is shipped and no file of that name exists."""

    default_remedy = "give the path of a file ending in .yaml that can be read"


class PersonaNotFound(PolicyError):
    """No persona of that name is shipped and no file of that name exists."""

    default_remedy = "give the path of a file ending in .yaml that can be read"


class ProcessInvalid(PolicyError):
    """A definition of a process or persona that is refused, with the line where it is wrong.

    Attributes:
        source: name of the file.
        line: one-based line of the offending node.
        reason: what is wrong there.
    """

    def __init__(self, source: str, line: int, reason: str, remedy: str = "") -> None:
        super().__init__(f"{source}:{line}: {reason}", remedy)
        self.remedy = remedy or f"correct line {line} of `{source}`"
        self.source = source
        self.line = line
        self.reason = reason
