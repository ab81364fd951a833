"""Checks of what the software is made of: bill of materials, known vulnerabilities, licences."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phasegate.engine.app.gates.outcome import Outcome, Problem, ToolRun, Unable
from phasegate.engine.app.gates.programs import command_of, report_of
from phasegate.engine.app.gates.scanning import read_outside
from phasegate.engine.app.gates.subject import Subject
from phasegate.validators.errors import MalformedJsonError, MalformedReportError
from phasegate.validators.inventories import Component, plain_name, read_inventory
from phasegate.validators.limits import LIMITS
from phasegate.validators.osv import NotComparable, affected_packages, affects, key_of
from phasegate.validators.parameters import strings, text_parameter
from phasegate.validators.quoting import printable, quoted
from phasegate.validators.strict_json import parse

SNAPSHOT_BYTES_MAX: Final = 512 * 1024 * 1024
RECORD_BYTES_MAX: Final = 16 * 1024 * 1024
_PINNED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~;@].*)?$")
_OPERATORS = re.compile(r"\s+(?:OR|AND|WITH)\s+|[()]", re.IGNORECASE)


def inventory(subject: Subject, params: Mapping[str, Any]) -> tuple[tuple[Component, ...], ToolRun]:
    """The components that a tool lists.

    Parameters of every check here: `format`, a key of `inventories.INVENTORIES`; `command`, or `report`, a
    file that was made elsewhere. The command runs in an empty folder, for settings that lie in the working
    tree could leave packages out; `{tree}` is the copy of the tree, `{root}` the tree itself, `{report}` a
    file it writes.

    Raises:
        Unable: the tool did not run, its report cannot be read, or it lists nothing and was told no tree.
    """
    kind = text_parameter(params, "format", "cyclonedx")
    if "report" in params:
        content = read_outside(subject, text_parameter(params, "report", ""), LIMITS.max_report_bytes)
        tool = ToolRun(kind, "", hashlib.sha256(content).hexdigest())
    else:
        report = subject.scratch / "inventory"
        report.unlink(missing_ok=True)
        argv = command_of(subject, params, report=report)
        if not argv:
            raise Unable("neither `command` nor `report` is set", "set one of them at the rule")
        if argv not in subject.reports:
            empty = subject.scratch / "empty"
            empty.mkdir(exist_ok=True)
            subject.reports[argv] = report_of(subject, {"exits": [0], **params}, argv, report, empty)
        content, tool = subject.reports[argv]
    try:
        components = read_inventory(kind, content)
    except MalformedReportError as error:
        raise Unable(f"the inventory cannot be used: {error}", error.remedy) from error
    if not components and "report" not in params and not _names_a_tree(strings(params, "command")):
        raise Unable("the tool ran in an empty folder, and found nothing", "name `{tree}` in the `command`")
    return components, tool


def _names_a_tree(command: Sequence[str]) -> bool:
    return any(place in argument for argument in command for place in ("{tree}", "{root}"))


def sbom(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether there is a bill of materials that names every package with its version.

    Parameters: those of `inventory`; `declared`, a requirements file each of whose packages it must list.

    Raises:
        Unable: there is none.
    """
    components, tool = inventory(subject, params)
    problems = [
        Problem(printable(one.name), f"{quoted(one.name)} has no version", "pin it to one version")
        for one in components
        if not one.version
    ]
    listed = {plain_name("PyPI", one.name) for one in components}
    problems += [
        Problem(
            printable(name), f"{quoted(name)} is required and not listed", "let the tool see all packages"
        )
        for name in _declared(subject, params)
        if plain_name("PyPI", name) not in listed
    ]
    return Outcome(tuple(problems), tools=(tool,), notes=(f"{len(components)} components",))


def _declared(subject: Subject, params: Mapping[str, Any]) -> Iterator[str]:
    if "declared" not in params:
        return
    name = text_parameter(params, "declared", "")
    text = subject.text(name)
    if text is None:
        raise Unable(f"there is no file {quoted(name)}", "name the file that lists what is required")
    for line in text.splitlines():
        found = _PINNED.fullmatch(line.partition("#")[0])
        if found:
            yield found[1]


def vulnerabilities(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether a component has a vulnerability that a pinned snapshot of OSV records tells of.

    Parameters: those of `inventory`; `snapshot`, a zip of OSV records as osv.dev publishes it, or one JSON
        file
    with a list of them, below the home or by its path; `sha256`, the digest it must have; `excused`, ids of
    vulnerabilities that do not count.

    Raises:
        Unable: the snapshot is missing, another one, or cannot be read; a version cannot be compared.
    """
    records, pinned = _snapshot(subject, params)
    components, tool = inventory(subject, params)
    excused = strings(params, "excused") if "excused" in params else ()
    problems, unsure = [], []
    for component in components:
        for record in records.get((component.ecosystem, plain_name(component.ecosystem, component.name)), ()):
            if {record["id"], *record.get("aliases", [])} & set(excused):
                continue
            try:
                if affects(record, component):
                    problems.append(_vulnerable(component, record))
            except NotComparable as error:
                unsure.append(str(error))
            except MalformedReportError as error:
                raise Unable(
                    f"the record {quoted(record['id'])} cannot be read: {error}", error.remedy
                ) from error
    unknown = [one.name for one in components if not one.ecosystem or not one.version]
    if not problems and (unsure or unknown):
        said = unsure[0] if unsure else f"{quoted(unknown[0])} has no version or no known ecosystem"
        raise Unable(said, "pin each package to a version that its ecosystem can compare")
    return Outcome(tuple(problems), tools=(tool, pinned), notes=(f"{len(components)} components",))


def _vulnerable(component: Component, record: Mapping[str, Any]) -> Problem:
    told = printable(str(record.get("summary") or "no summary"))
    named = f"{quoted(component.name)} {printable(component.version)}"
    message = f"{named} is affected by {printable(record['id'])}: {told}"
    return Problem(printable(component.name), message, "take a version that is not affected")


def _snapshot(
    subject: Subject, params: Mapping[str, Any]
) -> tuple[Mapping[tuple[str, str], list[Any]], ToolRun]:
    """The records by the package they are about."""
    if "snapshot" not in params or "sha256" not in params:
        raise Unable("no snapshot of OSV records is pinned", "set `snapshot` and `sha256` at the rule")
    content = read_outside(subject, text_parameter(params, "snapshot", ""), SNAPSHOT_BYTES_MAX)
    digest = hashlib.sha256(content).hexdigest()
    if digest != text_parameter(params, "sha256", "DIGEST"):
        raise Unable(f"the snapshot has the digest {digest}, and another is pinned", "supply the pinned one")
    found: dict[tuple[str, str], list[Any]] = {}
    try:
        for record in _records(content):
            for key in {key_of(item) for item in affected_packages(record)}:
                found.setdefault(key, []).append(record)
    except (
        MalformedJsonError,
        MalformedReportError,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise Unable(f"the snapshot cannot be read: {error}", "supply it as osv.dev publishes it") from error
    if not found:
        raise Unable("the snapshot has no record about a package", "supply one of your ecosystems")
    return found, ToolRun("osv-snapshot", "", digest)


def _records(content: bytes) -> Iterator[Any]:
    if not content.startswith(b"PK"):
        listed = parse(content, SNAPSHOT_BYTES_MAX, LIMITS.max_report_values)
        yield from listed if isinstance(listed, list) else [listed]
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".json"):
                if info.file_size > RECORD_BYTES_MAX:
                    raise MalformedReportError(
                        f"{quoted(info.filename)} is too large", "supply smaller records"
                    )
                yield parse(archive.read(info), RECORD_BYTES_MAX, LIMITS.max_report_values)


def licences(subject: Subject, params: Mapping[str, Any]) -> Outcome:
    """Whether every component has a licence that is allowed.

    Parameters: those of `inventory`; `allow`, licences by name, all that may be: of `A OR B` one must be
    allowed, of `A AND B` both; `excused`, names of packages that are not looked at.

    Raises:
        Unable: the inventory cannot be had, or `allow` is empty.
    """
    allowed = {_plain(name) for name in strings(params, "allow")}
    if not allowed:
        raise Unable("`allow` names no licence", "list the licences that may be")
    components, tool = inventory(subject, params)
    excused = strings(params, "excused") if "excused" in params else ()
    problems = [
        Problem(
            printable(one.name), _said(one), "replace the package, or let whoever owns the policy allow it"
        )
        for one in components
        if one.name not in excused and not _is_allowed(one.licences, allowed)
    ]
    return Outcome(tuple(problems), tools=(tool,), notes=(f"{len(components)} components",))


def _said(component: Component) -> str:
    told = ", ".join(map(quoted, component.licences)) or "no licence"
    return f"{quoted(component.name)} has {told}, which is not allowed"


def _is_allowed(told: tuple[str, ...], allowed: set[str]) -> bool:
    """Whether all licences that are told are allowed; of an expression with OR alone, one."""
    if not told:
        return False
    for expression in told:
        names = [_plain(name) for name in _OPERATORS.split(expression) if name.strip()]
        free = re.search(r"\sOR\s", expression, re.IGNORECASE) and not re.search(
            r"\sAND\s", expression, re.IGNORECASE
        )
        if _plain(expression) not in allowed and not (any if free else all)(
            name in allowed for name in names
        ):
            return False
    return True


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
