"""Annotations of rules in Rego: blocks of comments under `# METADATA`, in YAML.

As in the documentation of OPA, "Annotations". A rule's `custom.id` is the id it decides under,
`custom.remedy` what to do about what it finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from phasegate.policies.errors import PolicyError

_MARK: Final = re.compile(r"#\s*METADATA\s*")
_CLOSES: Final = ("}", ")", "]")


class AnnotationInvalid(PolicyError):
    """A block of annotations that is no YAML, or lacks what a rule must have."""

    default_remedy = "write `title`, and under `custom` the `id` and `remedy` of the rule"


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a block of annotations says, and what it stands over.

    Attributes:
        line: one-based line of the block.
        said: its YAML.
        first: one-based line of the statement below it.
        last: one-based last line of that statement.
    """

    line: int
    said: dict[str, Any]
    first: int
    last: int


def annotations_of(text: str, source: str) -> Iterator[Annotation]:
    """The annotations of a module, in order.

    Raises:
        AnnotationInvalid: a block is no mapping, or stands over nothing.
    """
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        if not _MARK.fullmatch(lines[at]):
            at += 1
            continue
        end = at + 1
        while end < len(lines) and lines[end].startswith("#"):
            end += 1
        if end >= len(lines) or not lines[end].strip():
            raise AnnotationInvalid(f"{source}:{at + 1}: the annotation stands over no rule")
        yield Annotation(at + 1, _read(lines[at + 1 : end], source, at + 1), end + 1, last_of(lines, end) + 1)
        at = end


def _read(comments: list[str], source: str, line: int) -> dict[str, Any]:
    try:
        said = yaml.safe_load("\n".join(comment[1:].removeprefix(" ") for comment in comments))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AnnotationInvalid(f"{source}:{line}: the annotation is no YAML: {reason}") from error
    if not isinstance(said, dict):
        raise AnnotationInvalid(f"{source}:{line}: the annotation is no mapping")
    return said


def last_of(lines: list[str], first: int) -> int:
    """Index of the last line of the statement that begins at `first`; its closing bracket stands alone."""
    at = first
    if lines[first].rstrip().endswith(("{", "(", "[")):
        while at + 1 < len(lines) and not lines[at].startswith(_CLOSES):
            at += 1
    return at
