r"""The input of policy packs: one document about a change of a task, or about a tool call.

All of it is here, so that a rule reads the same fields wherever it is asked; `input.json` is its schema.
Paths are percent-encoded where they are not printable ASCII, and so are `%`, `"` and `\`; in lines a tab is a
space and other control characters are U+FFFD: interpreters of Rego do not agree on how such text is matched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import quote

from phasegate.policies.rego.licences import licence_rows
from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.interface import Artifact
from phasegate.validators.lean_jsonschema import Draft202012Validator
from phasegate.validators.markdown import sections_of
from phasegate.validators.patch_reader import FileChange, Patch
from phasegate.validators.placeholders import is_placeholder, words_in
from phasegate.validators.sections import fill_finding
from phasegate.validators.strict_json import parse
from phasegate.validators.text import read_text

VERSION: Final = 1
LINES_MAX: Final = 20_000
"""Lines of a change, added and removed together, that packs look at."""
PIECE_CHARS: Final = 2_000
"""A longer line is given in pieces of so many characters, each with the end of the one before."""
OVERLAP_CHARS: Final = 200
ROLLBACK_WORDS_MIN: Final = 5
LICENCES: Final = "licences.json"

_PLAIN_IN_PATHS: Final = " !#$&'()*+,/:;<=>?@[]^`{|}~"
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class InputTooLarge(ValueError):
    """A change that is larger than packs look at."""


def change_document(
    patch: Patch | None,
    facts: Mapping[str, Any],
    companions: Mapping[str, bytes],
    parameters: Mapping[str, Any],
    licences: str = LICENCES,
) -> dict[str, Any]:
    """The input about a change.

    Args:
        patch: the change; None where there is none yet, which leaves every rule on it undefined.
        facts: `task` and `process` as in the schema.
        companions: current artifacts of the task by name.
        parameters: what the process gives the pack.
        licences: artifact that lists licences.

    Raises:
        InputTooLarge: the change has more lines than packs look at.
    """
    document: dict[str, Any] = {"version": VERSION, **facts, "parameters": dict(parameters)}
    if patch is not None:
        document["change"] = _change(patch)
    document["documents"] = {
        name: list(_sections(name, content))
        for name, content in sorted(companions.items())
        if name.endswith(".md")
    }
    rows = _licences(companions.get(licences))
    if rows is not None:
        document["licences"] = rows
    return document


def document_fault(document: Mapping[str, Any]) -> str:
    """What keeps a document from being an input, in words; empty for nothing."""
    error = next(_validator().iter_errors(document), None)
    if error is None:
        return ""
    place = "/".join(str(part) for part in error.absolute_path)
    return f"the input is none: `/{place}` {error.message[:200]}"


@cache
def schema() -> dict[str, Any]:
    """JSON schema of the input."""
    loaded: dict[str, Any] = json.loads(
        (resources.files("phasegate.policies.rego") / "input.json").read_text(encoding="utf-8")
    )
    return loaded


def encoded(path: str) -> str:
    """A path as rules see it."""
    return quote(path, safe=_PLAIN_IN_PATHS, errors="replace")


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def _change(patch: Patch) -> dict[str, Any]:
    lines = sum(len(file.added) + len(file.removed) for file in patch.files)
    if lines > LINES_MAX:
        raise InputTooLarge(f"the change has {lines} lines, and policy packs look at {LINES_MAX} at most")
    return {
        "files": [_file(file) for file in patch.files],
        "paths": sorted(encoded(path) for path in patch.paths),
        "lines": lines,
    }


def _file(file: FileChange) -> dict[str, Any]:
    added = [text for _, text in file.added]
    return {
        "path": encoded(file.path),
        "old_path": encoded(file.old_path),
        "status": str(file.change),
        "mode": file.mode,
        "binary": file.binary,
        "added": list(_lines(file.added)),
        "removed": list(_lines(file.removed)),
        "changed": len(file.added) + len(file.removed),
        "words": 0 if is_placeholder(added) else len(words_in(added)),
    }


def _lines(lines: tuple[tuple[int, str], ...]) -> Iterator[dict[str, Any]]:
    for number, text in lines:
        plain = _CONTROL.sub("\ufffd", text.replace("\t", " "))
        for start in range(0, max(len(plain) - OVERLAP_CHARS, 1), PIECE_CHARS - OVERLAP_CHARS):
            yield {"line": number, "text": plain[start : start + PIECE_CHARS]}


def _sections(name: str, content: bytes) -> Iterator[dict[str, Any]]:
    text, findings = read_text(Artifact(name, content))
    if findings:
        return
    for section in sections_of(text):
        filled = fill_finding(name, section, ROLLBACK_WORDS_MIN, may_be_none=False) is None
        yield {"title": section.key, "filled": filled}


def _licences(content: bytes | None) -> list[dict[str, Any]] | None:
    if content is None:
        return None
    try:
        return licence_rows(parse(content))
    except (MalformedJsonError, ValueError):
        return None
