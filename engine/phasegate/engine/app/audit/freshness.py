"""Freshness of documents: none may be older than the code it describes by more than a set time.

Which document describes which file is told by a map in the policy file (`docs`: pattern of code to documents
in the repository), and by the file maps of tasks: a task's documents stand for its files as of the last gate
that was passed over them. Times of files are those of the commits that last changed them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from phasegate.validators.globs import Globs
from phasegate.validators.interface import Artifact, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.quoting import quoted

STALE: Final = "freshness.stale"
MISSING: Final = "freshness.document_missing"
FILE_MAP: Final = "file_map.json"
MAX_AGE_HOURS: Final = 24
_HOUR_S: Final = 3_600


class Description(NamedTuple):
    """A document that describes a file.

    Attributes:
        file: path of the code.
        document: what describes it, for messages.
        at: when it was last changed or confirmed, in seconds since 1970; None when it is not there.
    """

    file: str
    document: str
    at: int | None


def mapped_by_policy(
    docs: Mapping[str, Sequence[str]], times: Mapping[str, int], files: Iterable[str]
) -> Iterator[Description]:
    """Descriptions by the policy's map.

    Args:
        docs: patterns of code, and the documents of each.
        times: when each path last changed.
        files: the files there are.
    """
    present = frozenset(files)
    for pattern, documents in docs.items():
        globs = Globs((pattern,))
        for file in sorted(present):
            for document in documents if globs.matches(file) else ():
                if file != document:
                    yield Description(file, document, times.get(document) if document in present else None)


def mapped_by_task(task: str, file_map: bytes, at: int) -> Iterator[Description]:
    """Descriptions by a task's file map; none where it is not one.

    Args:
        task: the task.
        file_map: bytes of its `file_map.json`.
        at: when the last gate was passed over its documents.
    """
    value, findings = read(Artifact(FILE_MAP, file_map), "file_map")
    for item in () if findings else value["files"]:
        yield Description(item["path"].removeprefix("./"), f"the documents of {task}", at)


def freshness_findings(
    descriptions: Iterable[Description], times: Mapping[str, int], max_age_hours: int = MAX_AGE_HOURS
) -> tuple[Finding, ...]:
    """Compare every description with the file; of several tasks' documents the newest counts.

    Findings: `freshness.stale`, `freshness.document_missing`.
    """
    newest: dict[tuple[str, str], Description] = {}
    for item in descriptions:
        # Documents of tasks stand for each other, those of the policy each for itself.
        key = (item.file, "" if item.document.startswith("the documents of ") else item.document)
        known = newest.get(key)
        if known is None or (item.at or 0) > (known.at or 0):
            newest[key] = item
    found = (_finding(item, times, max_age_hours) for item in sorted(newest.values(), key=_order))
    return tuple(finding for finding in found if finding is not None)


def _order(item: Description) -> tuple[str, str]:
    return item.file, item.document


def _finding(item: Description, times: Mapping[str, int], max_age_hours: int) -> Finding | None:
    place = f"{item.file}:1"
    if item.at is None:
        text = f"{quoted(item.document)} is to describe {quoted(item.file)} and is not there"
        return Finding(MISSING, item.file, place, text, "write it, or correct `docs` in the policy file")
    late_s = times.get(item.file, 0) - item.at
    if late_s <= max_age_hours * _HOUR_S:
        return None
    hours = late_s // _HOUR_S
    text = (
        f"{quoted(item.file)} changed {hours} h after {quoted(item.document)}; {max_age_hours} h are allowed"
    )
    remedy = "bring the document up to date, or take the file through the process again"
    return Finding(STALE, item.file, place, text, remedy)
