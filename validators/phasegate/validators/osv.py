"""Is a version of a package affected by an OSV record?

Follows the OSV schema, "Evaluation": a version is affected if `versions` lists it, or if it lies between an
`introduced` and the `fixed` or `last_affected` after it, below every `limit`. Versions are compared as their
ecosystem does: PyPI by PEP 440 (`packaging`), npm, Go and crates.io by Semantic Versioning 2.0.0, section 11.
Where an ecosystem's order is not known here, or a version cannot be read, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from phasegate.validators.errors import MalformedReportError
from phasegate.validators.inventories import Component, plain_name
from phasegate.validators.quoting import quoted

_SEMVER = re.compile(
    r"v?(0|[1-9]\d*)(?:\.(0|[1-9]\d*))?(?:\.(0|[1-9]\d*))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_SEMVER_ECOSYSTEMS: Final = frozenset({"npm", "Go", "crates.io"})
_REMEDY = "supply the records as osv.dev publishes them"

Order = Callable[[str], Any]


class NotComparable(ValueError):
    """A version or an ecosystem's order that is not known here; the message says which."""


def affects(record: Mapping[str, Any], component: Component) -> bool:
    """Whether a record says that a package is affected.

    Raises:
        NotComparable: it might be, and the versions cannot be compared.
        MalformedReportError: it is no OSV record.
    """
    about = [item for item in affected_packages(record) if _is_about(item, component)]
    if not about or record.get("withdrawn"):
        return False
    if not component.version:
        raise NotComparable(f"{quoted(component.name)} has no version")
    return any(_affected(item, component) for item in about)


def affected_packages(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a record says of each package.

    Raises:
        MalformedReportError: it is no OSV record.
    """
    affected = record.get("affected", []) if isinstance(record, dict) else None
    if not isinstance(affected, list) or not isinstance(record.get("id"), str):
        raise MalformedReportError("a record has no `id`, or `affected` is no list", _REMEDY)
    for item in affected:
        package = item.get("package") if isinstance(item, dict) else None
        # A record may be about commits of a repository alone.
        if isinstance(package, dict) and isinstance(package.get("name"), str):
            yield item


def key_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """Ecosystem, without its release, and plain name of the package that an item of `affected` is about."""
    package = item["package"]
    ecosystem = str(package.get("ecosystem", "")).partition(":")[0]
    return ecosystem, plain_name(ecosystem, package["name"])


def _is_about(item: Mapping[str, Any], component: Component) -> bool:
    return key_of(item) == (component.ecosystem, plain_name(component.ecosystem, component.name))


def _affected(item: Mapping[str, Any], component: Component) -> bool:
    listed, ranges = item.get("versions") or [], item.get("ranges") or []
    if component.version in listed:
        return True
    try:
        compared = [one for one in ranges if one["type"] in {"SEMVER", "ECOSYSTEM"}]
        if ranges and not compared and not listed:
            raise NotComparable("a record names commits alone, which no version can be compared with")
        if not compared and not listed:
            # Nothing is said of versions, so it is said of all.
            return True
        order = order_of(component.ecosystem)
        version = order(component.version)
        same = any(order(one) == version for one in listed)
        return same or any(_in_range(one["events"], version, order) for one in compared)
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedReportError(f"a range cannot be read: {quoted(str(error))}", _REMEDY) from error


def _in_range(events: list[Mapping[str, str]], version: Any, order: Order) -> bool:
    """The schema's own algorithm: the events in order, each opening or closing what is affected.

    Where one range ends at the version at which the next begins, that version is affected.
    """
    if not any("introduced" in event for event in events):
        raise TypeError("it begins nowhere")
    limits = [event["limit"] for event in events if "limit" in event]
    if limits and not any(limit == "*" or version < order(limit) for limit in limits):
        return False
    steps = sorted(
        (order("" if (kind, event[kind]) == ("introduced", "0") else event[kind]), rank, kind)
        for event in events
        for rank, kind in enumerate(("fixed", "last_affected", "introduced"))
        if event.get(kind) is not None
    )
    vulnerable = False
    for at, _, kind in steps:
        if kind == "introduced" and version >= at:
            vulnerable = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            vulnerable = False
    return vulnerable


def order_of(ecosystem: str) -> Order:
    """How versions of an ecosystem are compared: a key for each; an empty version comes before all others.

    Raises:
        NotComparable: the order is not known here.
    """
    if ecosystem == "PyPI":
        return _pep440
    if ecosystem in _SEMVER_ECOSYSTEMS:
        return _semver
    raise NotComparable(f"how {ecosystem or 'an unknown ecosystem'} orders versions is not known here")


def _pep440(text: str) -> tuple[int, Any]:
    try:
        from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise NotComparable("versions of PyPI are compared by `packaging`, of the extra `gates`") from error
    if not text:
        return (0, 0)
    try:
        return (1, Version(text))
    except InvalidVersion as error:
        raise NotComparable(f"{quoted(text)} is no version (PEP 440)") from error


def _semver(text: str) -> tuple[Any, ...]:
    if not text:
        return (-1,)
    found = _SEMVER.fullmatch(text)
    if found is None:
        raise NotComparable(f"{quoted(text)} is no semantic version")
    numbers = tuple(int(part or 0) for part in found.group(1, 2, 3))
    identifiers = found.group(4)
    # A pre-release comes before its release; numbers before letters, fewer identifiers before more.
    before = [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (identifiers or "").split(".")
    ]
    return (*numbers, (0, before) if identifiers else (1, []))
