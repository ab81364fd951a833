"""Does a file map name files inside the repository, for work items that exist?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phasegate.validators.companions import malformed, text_companion
from phasegate.validators.interface import Artifact, Context, Finding
from phasegate.validators.json_schema import read
from phasegate.validators.parameters import flag, text_parameter
from phasegate.validators.plan import work_items
from phasegate.validators.plan_references import NAMING
from phasegate.validators.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_PLAN = "plan.md"


def file_map(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check a file map against its schema and against the plan's work items.

    Parameters: `plan` (default `plan.md`), the companion with the items; `every_item`, whether each item must
    have a file.

    Findings: `file_map.duplicate`, `file_map.no_item`, `file_map.unknown_item`, `file_map.item_without_file`,
    and those of `json_schema.read` and `companions.companion`.

    Raises:
        BadParameterError: a parameter is of the wrong shape.
    """
    plan_name = text_parameter(context.params, "plan", DEFAULT_PLAN)
    every_item = flag(context.params, "every_item")
    value, findings = read(artifact, "file_map")
    if findings:
        return findings
    own = tuple(duplicates(artifact.name, value["files"]))
    text, findings = text_companion(artifact, context, plan_name)
    if findings:
        return (*own, *findings)
    known = tuple(item.name for item in work_items(text))
    if not known:
        return (*own, malformed(artifact.name, plan_name, "it has no work item with an id"))
    return (*own, *_item_faults(artifact.name, value["files"], known, every_item=every_item))


def duplicates(artifact: str, files: list[dict[str, Any]]) -> Iterator[Finding]:
    """What is wrong with the paths of a map's files: `file_map.duplicate` for each that stood before."""
    seen: set[str] = set()
    for index, file in enumerate(files):
        path = file["path"].removeprefix("./")
        if path in seen:
            message = f"{quoted(path)} stands twice"
            remedy = "keep one entry and name all its items there"
            yield Finding("file_map.duplicate", artifact, f"/files/{index}/path", message, remedy)
        seen.add(path)


def _item_faults(
    artifact: str, files: list[dict[str, Any]], known: tuple[str, ...], *, every_item: bool
) -> Iterator[Finding]:
    named: set[str] = set()
    for index, file in enumerate(files):
        items = file.get("items", [])
        if not items:
            message = f"{quoted(file['path'])} belongs to no work item"
            remedy = "name the items it is touched for, such as `items: [W1]`"
            yield Finding("file_map.no_item", artifact, f"/files/{index}", message, remedy)
        for position, item in enumerate(items):
            names = NAMING.found_in(item)
            named.update(names)
            if len(names) != 1 or names[0] not in known:
                message = f"{quoted(item)} is no item of the plan"
                remedy = "name an item of the plan, or go back and add it there"
                place = f"/files/{index}/items/{position}"
                yield Finding("file_map.unknown_item", artifact, place, message, remedy)
    for name in known if every_item else ():
        if name not in named:
            message = f"the work item {quoted(name)} touches no file"
            remedy = "name the files it touches"
            yield Finding("file_map.item_without_file", artifact, "/files", message, remedy)
