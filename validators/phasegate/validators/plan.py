"""Does a plan break the work into items that can be done in an order, and does it reach every criterion?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phasegate.validators.companions import malformed, text_companion
from phasegate.validators.criteria import acceptance_criteria
from phasegate.validators.entries import Entry, named_entries
from phasegate.validators.interface import Artifact, Context, Finding, Severity
from phasegate.validators.markdown import sections_of
from phasegate.validators.parameters import text_parameter
from phasegate.validators.plan_references import (
    NAMING,
    covered,
    criterion_key,
    mentioned,
    waited_for,
    without_names,
)
from phasegate.validators.quoting import quoted
from phasegate.validators.sections import find_sections
from phasegate.validators.text import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEFAULT_SPEC = "spec.md"

_TITLES = ("work items", "work item", "items", "tasks", "work breakdown")


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One work item.

    Attributes:
        name: canonical id, such as `W-1`.
        text: what it says, its lines joined.
        number: its line from 1.
        depends_on: canonical ids of the items it depends on.
        criteria: keys of the acceptance criteria it covers: `1` for `AC-1`.
        mentioned: keys of all criteria it names, covered or not.
    """

    name: str
    text: str
    number: int
    depends_on: tuple[str, ...]
    criteria: frozenset[str]
    mentioned: frozenset[str]


def plan(artifact: Artifact, context: Context) -> tuple[Finding, ...]:
    """Check a plan's work items and that they cover the specification.

    Items stand under "Work items" and begin with an id, `W1` or `WI-1`; "depends on W1, W2" or "needs W1"
    names what they wait for; `(AC-1)`, `covers AC-1 to AC-3` or a column "Criteria" what they cover. A
    criterion named in passing, or to say that it is not covered, is none (`plan_references`). Parameters:
    `spec` (default `spec.md`), the companion with the acceptance criteria.

    Findings: `plan.no_items`, `plan.empty_item`, `plan.duplicate_item`, `plan.unknown_dependency`,
    `plan.cycle`, `plan.unclear_reference` (a warning: an item is named, and not whether it is waited for),
    `plan.uncovered_criterion`, `plan.unknown_criterion`, and those of `text.read_text` and
    `companions.companion`.

    Raises:
        BadParameterError: `spec` is not a name.
    """
    spec_name = text_parameter(context.params, "spec", DEFAULT_SPEC)
    text, findings = read_text(artifact)
    if findings:
        return findings
    items = work_items(text)
    if not items:
        message = "no work item with an id stands under `Work items`"
        remedy = "add a heading `Work items` and begin each item with an id, such as `- W1: ...`"
        return (Finding("plan.no_items", artifact.name, "work items", message, remedy),)
    own = (*_item_faults(artifact.name, items), *_order_faults(artifact.name, items))
    spec, findings = text_companion(artifact, context, spec_name)
    if findings:
        return (*own, *findings)
    wanted = tuple(criterion_key(criterion.name) for criterion in acceptance_criteria(spec))
    if not wanted:
        return (*own, malformed(artifact.name, spec_name, "it has no numbered acceptance criterion"))
    return (*own, *_coverage_faults(artifact.name, items, wanted))


def work_items(text: str) -> tuple[WorkItem, ...]:
    """Return the work items of a plan, in order."""
    present = sections_of(text)
    section = next((found for title in _TITLES for found in find_sections(title, present)), None)
    return () if section is None else tuple(_item(entry) for entry in named_entries(section, present, NAMING))


def find_cycle(edges: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the nodes of a cycle, the first repeated at the end, or nothing; without recursion."""
    done: set[str] = set()
    for root in edges:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif node in on_path:
                return (*path[path.index(node) :], node)
            elif node not in done:
                path.append(node)
                on_path.add(node)
                stack.append((node, True))
                stack.extend((other, False) for other in reversed(edges.get(node, ())))
    return ()


def _item(entry: Entry) -> WorkItem:
    text = entry.text
    return WorkItem(entry.name, text, entry.number, waited_for(text), covered(text), mentioned(text))


def _item_faults(artifact: str, items: tuple[WorkItem, ...]) -> Iterator[Finding]:
    seen: set[str] = set()
    for item in items:
        place, shown = f"line {item.number}", quoted(item.name)
        if item.name in seen:
            message = f"the work item {shown} stands twice"
            yield Finding("plan.duplicate_item", artifact, place, message, "give it an id of its own")
        seen.add(item.name)
        if not Entry(item.name, without_names(item.text), item.number).says_something:
            message = f"the work item {shown} does not say what is to be done"
            yield Finding("plan.empty_item", artifact, place, message, f"write what {shown} delivers")


def _order_faults(artifact: str, items: tuple[WorkItem, ...]) -> Iterator[Finding]:
    waiting = {item.name: item.depends_on for item in items}
    waits = {name: frozenset(others) for name, others in waiting.items()}
    known = set(waiting)
    for item in items:
        for name in item.depends_on:
            if name not in known:
                message = f"{quoted(item.name)} depends on {quoted(name)}, which is no item of the plan"
                remedy = f"add {quoted(name)} or correct the dependency"
                yield Finding("plan.unknown_dependency", artifact, f"line {item.number}", message, remedy)
        for name in NAMING.found_in(item.text):
            related = name == item.name or name in waits[item.name] or item.name in waits.get(name, ())
            if name in known and not related:
                message = f"{quoted(item.name)} names {quoted(name)} without saying whether it waits for it"
                remedy = f"write `depends on {name}` if it does"
                place = f"line {item.number}"
                yield Finding("plan.unclear_reference", artifact, place, message, remedy, Severity.WARNING)
    cycle = find_cycle(waiting)
    if cycle:
        line = next(item.number for item in items if item.name == cycle[0])
        message = f"these items wait for each other: {quoted(' -> '.join(cycle))}"
        yield Finding("plan.cycle", artifact, f"line {line}", message, "take one of the dependencies out")


def _coverage_faults(
    artifact: str, items: tuple[WorkItem, ...], wanted: tuple[str, ...]
) -> Iterator[Finding]:
    covered = frozenset[str]().union(*(item.criteria for item in items))
    for key in dict.fromkeys(wanted):
        if key not in covered:
            message = f"no work item covers the acceptance criterion `AC-{key}`"
            remedy = f"write `(AC-{key})` or `covers AC-{key}` in the item that fulfils it, or add one"
            yield Finding("plan.uncovered_criterion", artifact, "work items", message, remedy)
    for item in items:
        for key in sorted(item.mentioned - set(wanted)):
            message = f"{quoted(item.name)} names `AC-{key}`, which the specification does not have"
            remedy = "correct the number, or go back and add the criterion to the specification"
            yield Finding("plan.unknown_criterion", artifact, f"line {item.number}", message, remedy)
