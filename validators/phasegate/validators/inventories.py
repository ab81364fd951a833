"""What software is made of, read from a bill of materials or a list of licences.

CycloneDX 1.4 to 1.6 (JSON; `components`, `purl`, `licenses`), syft's own JSON (`artifacts`), pip-licenses
(`--format json`). Package URLs follow the purl specification, "Rules for each purl component".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from phasegate.validators.errors import MalformedJsonError, MalformedReportError
from phasegate.validators.limits import LIMITS
from phasegate.validators.quoting import quoted
from phasegate.validators.strict_json import parse

_REMEDY = "let the tool write its json report and hand it on unchanged"
_PURL = re.compile(r"pkg:/{0,2}(?P<type>[A-Za-z0-9.+-]+)/(?P<path>[^@?#]+)(?:@(?P<version>[^?#]+))?")
_ECOSYSTEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pypi": "PyPI",
        "npm": "npm",
        "golang": "Go",
        "cargo": "crates.io",
        "maven": "Maven",
        "gem": "RubyGems",
        "nuget": "NuGet",
        "composer": "Packagist",
        "hex": "Hex",
        "pub": "Pub",
    }
)
"""Names that OSV gives to what a package URL calls a type (OSV schema, "Defined ecosystems")."""


class Component(NamedTuple):
    """One package.

    Attributes:
        name: as its ecosystem writes it, `group:artifact` for Maven.
        version: empty where none is named.
        ecosystem: as OSV calls it; empty where it is not known.
        licences: expressions or names, as they are told.
    """

    name: str
    version: str
    ecosystem: str
    licences: tuple[str, ...] = ()


def read_inventory(name: str, report: bytes) -> tuple[Component, ...]:
    """The packages that a report lists, without the software itself.

    Args:
        name: the format, a key of `INVENTORIES`.
        report: the bytes.

    Raises:
        MalformedReportError: there is no such format, or it is not what that format demands.
    """
    reader = INVENTORIES.get(name)
    if reader is None:
        known = ", ".join(sorted(INVENTORIES))
        raise MalformedReportError(f"there is no format {quoted(name)}", f"use one of {known}")
    try:
        return tuple(reader(parse(report, LIMITS.max_report_bytes, LIMITS.max_report_values)))
    except MalformedJsonError as error:
        raise MalformedReportError(f"the report cannot be read: {error}", error.remedy) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise MalformedReportError(f"this is no report of {name}: {quoted(str(error))}", _REMEDY) from error


def _cyclonedx(report: Any) -> Iterator[Component]:
    if report["bomFormat"] != "CycloneDX":
        raise ValueError("`bomFormat` is not CycloneDX")
    for one in _nested(report.get("components") or []):
        if one["type"] == "file":
            continue
        named = component_of(one["purl"]) if one.get("purl") else None
        licences = tuple(_cyclonedx_licences(one.get("licenses") or []))
        version = _pinned(str(one.get("version") or ""))
        if named is None:
            yield Component(_name(one), version, "", licences)
        else:
            yield named._replace(version=_pinned(named.version) or version, licences=licences)


def _pinned(version: str) -> str:
    """A version; empty for a pattern of several, such as `1.*`."""
    return "" if "*" in version else version


def _nested(components: Any) -> Iterator[Any]:
    """Components, and those that they are made of (CycloneDX, `component.components`)."""
    waiting = list(reversed(_list(components)))
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(_list(one.get("components") or []))


def _cyclonedx_licences(listed: Any) -> Iterator[str]:
    for item in _list(listed):
        licence = item.get("license") or {}
        text = item.get("expression") or licence.get("id") or licence.get("name")
        if text:
            yield str(text)


def _syft(report: Any) -> Iterator[Component]:
    for one in _list(report["artifacts"]):
        named = component_of(one["purl"]) if one.get("purl") else None
        told = [
            item if isinstance(item, str) else item.get("value") for item in _list(one.get("licenses") or [])
        ]
        licences = tuple(str(text) for text in told if text)
        found = named or Component(_name(one), "", "")
        yield found._replace(version=str(one["version"] or ""), licences=licences)


def _pip_licenses(report: Any) -> Iterator[Component]:
    for one in _list(report):
        told = [part.strip() for part in str(one["License"]).split(";")]
        yield Component(_name({"name": one["Name"]}), str(one["Version"]), "PyPI", tuple(filter(None, told)))


def component_of(purl: str) -> Component | None:
    """The package that a package URL names; None where it is none."""
    found = _PURL.match(str(purl))
    if found is None:
        return None
    kind, path = found["type"].lower(), unquote(found["path"]).strip("/")
    name = path.replace("/", ":") if kind == "maven" else path
    return Component(name, unquote(found["version"] or ""), _ECOSYSTEMS.get(kind, ""))


def plain_name(ecosystem: str, name: str) -> str:
    """What spellings of one package's name have in common (for PyPI: PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower() if ecosystem == "PyPI" else name


def _name(item: Any) -> str:
    name = item["name"]
    if not isinstance(name, str) or not name:
        raise ValueError("a package has no name")
    return name


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return value


INVENTORIES: Final[Mapping[str, Callable[[Any], Iterator[Component]]]] = MappingProxyType(
    {"cyclonedx": _cyclonedx, "pip-licenses": _pip_licenses, "syft": _syft}
)
