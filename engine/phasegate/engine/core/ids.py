"""Identifiers and their parsers: a string becomes an id once, at the edge."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from typing import NewType

from phasegate.engine.core.errors import BadInput

TaskId = NewType("TaskId", str)
PhaseName = NewType("PhaseName", str)
ArtifactName = NewType("ArtifactName", str)
Digest = NewType("Digest", str)
Actor = NewType("Actor", str)

REASON_CHARS_MAX = 2_000
TITLE_CHARS_MAX = 300

_CONTROLS = frozenset({"Cc", "Cs"})

_TASK = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_PHASE = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ARTIFACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def parse_task_id(text: str) -> TaskId:
    """A task id such as `IMP-27`: a letter, then letters, digits, `_` or `-`, at most 64 in all."""
    if not _TASK.fullmatch(text):
        raise BadInput(
            f"`{text[:80]}` is not a task id", "use a letter, then letters, digits, `-` or `_`, at most 64"
        )
    return TaskId(text)


def parse_phase(text: str) -> PhaseName:
    """A phase name such as `VERIFY`; lower case is accepted and raised."""
    name = text.upper()
    if not _PHASE.fullmatch(name):
        raise BadInput(f"`{text[:80]}` is not a phase name", "use a name that `engine status TASK` lists")
    return PhaseName(name)


def parse_artifact_name(text: str) -> ArtifactName:
    """An artifact name such as `spec.md`: one path component, ASCII, at most 128 characters."""
    if not _ARTIFACT.fullmatch(text):
        raise BadInput(
            f"`{text[:150]}` is not an artifact name", "give it a plain file name with `--as NAME`"
        )
    return ArtifactName(text)


def parse_label(text: str) -> str:
    """A label that keeps workers of one actor apart, such as `worker-3`; empty for none."""
    if text and not _LABEL.fullmatch(text):
        raise BadInput(
            f"`{text[:80]}` cannot be a worker's label", "use letters, digits, `.`, `-` or `_`, at most 64"
        )
    return text


def parse_line(text: str, what: str, chars_max: int) -> str:
    """A line of prose for the ledger: no surrogates, no control characters but newline and tab, bounded."""
    if not text.strip():
        raise BadInput(f"the {what} is empty", f"give a {what} in words")
    if len(text) > chars_max:
        raise BadInput(f"the {what} has {len(text)} characters", f"keep it within {chars_max}")
    if any(unicodedata.category(ch) in _CONTROLS and ch not in "\n\t" for ch in text):
        raise BadInput(f"the {what} contains control characters", "use plain text")
    return text


def parse_choice(text: str, what: str) -> str:
    """A name of one of several, as a refusal can repeat it; empty for none."""
    return parse_line(text, what, TITLE_CHARS_MAX) if text else text


def parse_title(text: str, chars_max: int) -> str:
    """A task's title: one line of prose, which lists and prompts show as it is."""
    title = parse_line(text, "title", chars_max)
    if "\t" in title or title.splitlines() != [title]:
        raise BadInput("the title has more than one line, or a tab", "say it in one line")
    return title


@functools.lru_cache(maxsize=1024)
def trace_id(ledger: str, task: str) -> str:
    """Trace id of a task, 32 hex digits: every span of one task falls into one trace.

    Derived, not stored: the first 16 bytes of SHA-256 over ledger and task id.
    """
    return hashlib.sha256(f"{ledger}\n{task}".encode()).hexdigest()[:32]
