"""What a validator is: a named, pure check of one artifact's content.

A validator sees bytes and parameters and answers with findings. It opens no file, reads no clock and starts
no process (`policy_pack` alone asks one, which has no state); whoever calls it has read the artifact once and
records the digest of those very bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a finding weighs: an `error` blocks its gate, a `warning` is shown and recorded.

    `not_evaluated` says that a check could not run; it blocks like an error, because a check that did not
    run proves nothing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOT_EVALUATED = "not_evaluated"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check has to say about one artifact.

    Attributes:
        code: stable dotted identifier, such as `sections.missing`.
        artifact: name of the artifact, such as `spec.md`; empty when the finding is about the phase.
        place: where in the artifact: a line (`line 12`), a JSON pointer (`/results/0`) or a section title.
        message: what is wrong, lowercase, the author's input in backticks.
        remedy: what to do next.
        severity: whether it blocks.
    """

    code: str
    artifact: str
    place: str
    message: str
    remedy: str
    severity: Severity = Severity.ERROR

    @property
    def blocks(self) -> bool:
        """Whether a gate with this finding stays shut."""
        return self.severity is not Severity.WARNING


@dataclass(frozen=True, slots=True)
class Artifact:
    """The bytes under check and the name they were offered under."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Context:
    """What a validator may know besides the artifact itself.

    Attributes:
        params: the validator's parameters from the process definition.
        companions: content of the task's other artifacts by name, for checks across documents.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    companions: Mapping[str, bytes] = field(default_factory=dict)


Validator = Callable[[Artifact, Context], tuple[Finding, ...]]
