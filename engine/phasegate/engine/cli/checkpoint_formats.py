"""A checkpoint in the formats that CI systems read: SARIF, JUnit XML, GitHub annotations, Markdown.

Sources: SARIF 2.1.0 (OASIS standard, sections 3.13, 3.27), the JUnit XML of Ant and its readers, "Workflow
commands for GitHub Actions". None of them can say "not evaluated"; it is told as an error, never as a pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET

from phasegate.engine.app.audit.checkpoint import Checkpoint
from phasegate.validators.interface import Finding, Severity

WORDS: Final = {
    0: "pass",
    1: "fail",
    2: "usage",
    3: "not evaluated",
    4: "integrity",
    5: "conflict",
    70: "internal error",
}
INTEGRITY: Final = "ledger.integrity"
NOTHING: Final = "checkpoint.nothing_claimed"
SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
CELL_CHARS_MAX: Final = 300

_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOT_EVALUATED: "error"}
_at_line = re.compile(r"(.+):([0-9]{1,9})").fullmatch
# What XML 1.0 cannot hold at all (section 2.2).
_NOT_XML: Final = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


class Item(NamedTuple):
    """One thing to tell.

    Attributes:
        task: the task it is about; empty for none.
        level: `error` or `warning`.
        file: path in the repository under review; empty when it is about none.
        line: line in it; 0 for none.
        where: what it is about, for people.
    """

    code: str
    level: str
    task: str
    file: str
    line: int
    where: str
    message: str
    remedy: str


def items(found: Checkpoint) -> list[Item]:
    """Everything there is to tell; never empty unless the checkpoint passed."""
    told = [_fault(task, text) for task, text in found.all_faults()]
    told.extend(_item(task, finding) for task, finding in found.all_findings())
    if found.exit_code and not told:
        text, remedy = "no phase is claimed complete, so nothing can be concluded", "do the work first"
        told.append(Item(NOTHING, "error", "", "", 0, "", text, remedy))
    return told


def sarif(found: Checkpoint) -> dict[str, Any]:
    """A SARIF log with one run."""
    told = items(found)
    codes = sorted({item.code for item in told})
    rules = [
        {"id": code, "shortDescription": {"text": code.replace(".", ": ").replace("_", " ")}}
        for code in codes
    ]
    driver = {"name": "phasegate", "version": version("phasegate"), "rules": rules}
    results = [
        {
            "ruleId": item.code,
            "ruleIndex": codes.index(item.code),
            "level": item.level,
            "message": {"text": f"{item.message}; {item.remedy}"},
            "locations": [_location(item)],
        }
        for item in told
    ]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "invocations": [{"executionSuccessful": found.exit_code in {0, 1}, "exitCode": found.exit_code}],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def junit(found: Checkpoint) -> str:
    """JUnit XML: a case for each claimed phase, for ledger and history, and for each other finding."""
    told = items(found)
    suite = ET.Element("testsuite", name="validate_checkpoint")
    cases = [*_phase_cases(found)]
    placed: set[int] = set()
    for name, classname, of_case in cases:
        case = ET.SubElement(suite, "testcase", name=name, classname=classname)
        own = [(index, item) for index, item in enumerate(told) if of_case(item) and index not in placed]
        placed.update(index for index, _ in own)
        for _, item in own:
            _add_item(case, item)
    for index, item in enumerate(told):
        if index not in placed:
            name = f"{item.code} {item.where}".strip()
            case = ET.SubElement(suite, "testcase", name=_xml(name), classname=item.task or "repository")
            _add_item(case, item)
    failing = sum(1 for case in suite if case.find("failure") is not None)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failing))
    suite.set("errors", "0")
    suite.set("skipped", "0")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def github(found: Checkpoint) -> Iterator[str]:
    """Annotations, one a line, and the result as a notice."""
    for item in items(found):
        place = [f"file={_property(item.file)}", f"line={item.line or 1}"] if item.file else []
        properties = ",".join([*place, f"title={_property(item.code)}"])
        about = f"{item.task}: " if item.task else ""
        yield f"::{item.level} {properties}::{_data(f'{about}{item.message}; {item.remedy}')}"
    yield f"::notice title=validate_checkpoint::{_data(_summary_line(found))}"


def markdown(found: Checkpoint) -> str:
    """A step summary."""
    lines = [f"## Checkpoint: {WORDS[found.exit_code]}", "", _summary_line(found), ""]
    tasks = found.audit.tasks if found.audit else ()
    if tasks:
        lines += ["| task | status | claimed | holds |", "|---|---|---|---|"]
        for task in tasks:
            claimed = ", ".join(task.claimed) or "nothing"
            holds = "yes" if task.holds else "**no**"
            lines.append(f"| {_cell(task.task)} | {_cell(task.status)} | {claimed} | {holds} |")
        lines.append("")
    told = items(found)
    if told:
        lines += ["| level | code | where | what | remedy |", "|---|---|---|---|---|"]
        for item in told:
            cells = item.level, item.code, f"{item.task} {item.where}".strip(), item.message, item.remedy
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        lines.append("")
    for about in found.abouts:
        same = "the commit under review" if about.same else "**another commit**"
        lines.append(
            f"- `{about.artifact}` of {about.task} is about {same}: `{(about.tree or about.commit)[:12]}`"
        )
    lines += [
        f"- run again: `{_cell(' '.join(ran.again.argv))}` ended with {ran.exit_code}" for ran in found.reran
    ]
    lines += [f"- not enforced: {_cell(flag)}" for task in tasks for flag in task.not_enforced]
    lines += [f"- not covered: {found.audit.not_covered}"] if found.audit and found.audit.not_covered else []
    lines += [f"- not looked at: {text}" for text in found.not_looked_at]
    return "\n".join(lines).rstrip("\n") + "\n"


def _fault(task: str, text: str) -> Item:
    remedy = "restore a good copy, or export the bundle again from a home whose ledger holds"
    return Item(INTEGRITY, "error", task, "", 0, "ledger", text, remedy)


def _item(task: str, finding: Finding) -> Item:
    at = _at_line(finding.place)
    in_file = bool(at) and at is not None and at[1] == finding.artifact
    file, line = (finding.artifact, int(at[2])) if in_file and at else ("", 0)
    where = finding.place if in_file or not finding.artifact else f"{finding.artifact} {finding.place}"
    level = _LEVELS[finding.severity]
    return Item(finding.code, level, task, file, line, where, finding.message, finding.remedy)


def _location(item: Item) -> dict[str, Any]:
    logical = [
        {
            "name": item.where or item.code,
            "fullyQualifiedName": f"{item.task}/{item.where}".strip("/") or item.code,
        }
    ]
    if not item.file:
        return {"logicalLocations": logical}
    physical = {
        "artifactLocation": {
            "uri": quote(item.file.encode("utf-8", "surrogateescape")),
            "uriBaseId": "%SRCROOT%",
        },
        "region": {"startLine": max(item.line, 1)},
    }
    return {"physicalLocation": physical, "logicalLocations": logical}


def _phase_cases(found: Checkpoint) -> Iterator[tuple[str, str, Any]]:
    """Name, class and a test of which items belong to it."""
    if found.audit is None:
        return
    yield "ledger", "ledger", lambda item: item.code == INTEGRITY and not item.task
    for task in found.audit.tasks:
        yield "history", task.task, lambda item, task=task: item.code == INTEGRITY and item.task == task.task
        for phase in task.claimed:
            yield (
                phase,
                task.task,
                lambda item, task=task, phase=phase: item.task == task.task and _is_of_phase(item, phase),
            )


def _is_of_phase(item: Item, phase: str) -> bool:
    return f"/{phase}/" in item.where or item.where == phase or item.where.endswith(f" {phase}")


def _add_item(case: ET.Element, item: Item) -> None:
    text = _xml(f"{item.where}\n{item.message}\nremedy: {item.remedy}")
    if item.level == "error":
        ET.SubElement(case, "failure", message=_xml(item.message), type=item.code).text = text
    else:
        ET.SubElement(case, "system-out").text = f"warning {item.code}\n{text}"


def _summary_line(found: Checkpoint) -> str:
    told = items(found)
    errors = sum(1 for item in told if item.level == "error")
    parts = [f"{errors} errors, {len(told) - errors} warnings"]
    if found.audit is not None:
        parts.append(f"{found.audit.ledger.entries} entries, head {found.audit.ledger.head.hash}")
    if found.commit:
        parts.append(f"commit {found.commit}")
    return f"{WORDS[found.exit_code]}: {'; '.join(parts)}"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _data(text: str) -> str:
    """Escaped as a workflow command's message must be."""
    return _printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escaped as a workflow command's property must be."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _cell(text: str) -> str:
    """Text that stays within a cell and is shown as it is, not as markup."""
    short = _printable(text)[:CELL_CHARS_MAX]
    return re.sub(r"([\\|<>*_`\[\]#!])", r"\\\1", " ".join(short.split()))
