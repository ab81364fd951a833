"""Processes made of others: `extends` a shipped one, and `gates` names bundles.

Worked on as plain data, before a definition is parsed: what comes of it is a whole definition, and its digest
pins every bundle, check and parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from phasegate.ledger.errors import CanonicalError
from phasegate.policies.definition_files import read_definition, shipped
from phasegate.policies.errors import ProcessInvalid, ProcessNotFound
from phasegate.policies.gate_model import GateBundle
from phasegate.policies.yaml_lines import Lined, read_yaml

FOLDER: Final = "gates"
EXTENDS, GATES = "extends", "gates"
VALIDATOR: Final = "gate_bundle"


def shipped_bundles() -> tuple[GateBundle, ...]:
    """The bundles that come with the package, by number."""
    bundles = (GateBundle.model_validate(_shipped_data(name)) for name in shipped(FOLDER))
    return tuple(sorted(bundles, key=lambda bundle: bundle.gate))


def expand(lined: Lined) -> None:
    """Put what a definition extends, and the bundles it names, into its data.

    Raises:
        ProcessInvalid: there is no such process or bundle, or a change of one names nothing in it.
    """
    if not isinstance(lined.data, dict):
        return
    if EXTENDS in lined.data:
        lined.data = {**_extended(lined), **{key: lined.data[key] for key in lined.data if key != EXTENDS}}
    if GATES in lined.data:
        _add_gates(lined)


def _extended(lined: Lined) -> dict[str, Any]:
    name = lined.data[EXTENDS]
    known = [other for other in shipped("processes") if f"{other}.yaml" != lined.source]
    if name not in known:
        raise ProcessInvalid(
            lined.source, lined.line((EXTENDS,)), f"{EXTENDS}: `{name}` is no shipped process",
            f"extend one of {', '.join(known)}",
        )  # fmt: skip
    text, source = read_definition(name, "processes", "process", ProcessNotFound)
    base = read_yaml(text, source)
    if EXTENDS in base.data:
        base.data = {**_extended(base), **{key: base.data[key] for key in base.data if key != EXTENDS}}
    return dict(base.data)


def _add_gates(lined: Lined) -> None:
    named = lined.data[GATES]
    if not isinstance(named, list):
        raise ProcessInvalid(lined.source, lined.line((GATES,)), "gates: must be a list")
    phases = lined.data.get("phases")
    if not isinstance(phases, list) or not all(isinstance(phase, dict) for phase in phases):
        return  # whoever parses the definition says what is wrong with its phases
    bundles = [_bundle(lined, index, item) for index, item in enumerate(named)]
    for index, bundle in enumerate(bundles):
        if bundle.gate in {other.gate for other in bundles[:index]}:
            raise ProcessInvalid(
                lined.source, lined.line((GATES, index)), f"gates: gate {bundle.gate} stands twice"
            )
        if bundle.leaving not in {phase.get("name") for phase in phases}:
            raise ProcessInvalid(
                lined.source, lined.line((GATES, index)), f"gates: there is no phase `{bundle.leaving}`"
            )
    lined.data = {
        **lined.data,
        GATES: [bundle.model_dump(mode="json", exclude_defaults=True) for bundle in bundles],
        "phases": list(_with_reports(phases, bundles)),
    }


def _bundle(lined: Lined, index: int, item: Any) -> GateBundle:
    """A bundle as it is named: by itself, with changes (`use`, `set`), or written out."""
    line = lined.line((GATES, index))
    data = item
    if isinstance(item, str) or (isinstance(item, dict) and "use" in item):
        name = item if isinstance(item, str) else item["use"]
        if name not in shipped(FOLDER):
            raise ProcessInvalid(
                lined.source, line, f"gates: there is no bundle `{name}`",
                f"use one of {', '.join(shipped(FOLDER))}, or write one out",
            )  # fmt: skip
        data = _shipped_data(name)
        if isinstance(item, dict):
            data = _changed(lined, line, data, item)
    try:
        bundle = GateBundle.model_validate(data)
        bundle.digest  # noqa: B018 - what cannot be hashed cannot be pinned
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in reason["loc"])
        text = reason["msg"].removeprefix("Value error, ")
        raise ProcessInvalid(lined.source, line, f"gates.{index}{place and '.'}{place}: {text}") from error
    except CanonicalError as error:
        raise ProcessInvalid(lined.source, line, f"gates.{index}: {error}") from error
    return bundle


def _changed(lined: Lined, line: int, data: dict[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """A shipped bundle with the mode and parameters of some of its rules changed."""
    changes = item.get("set", {})
    rules = {check["rule"] for check in data["checks"]}
    unknown = set(item) - {"use", "set"}
    if unknown or not isinstance(changes, dict):
        raise ProcessInvalid(lined.source, line, "gates: beside `use` there is only `set`, by rule")
    for rule, change in changes.items():
        if rule not in rules:
            raise ProcessInvalid(
                lined.source, line, f"gates: `{item['use']}` has no rule `{rule}`",
                f"its rules are {', '.join(sorted(rules))}",
            )  # fmt: skip
        if not isinstance(change, dict) or set(change) - {"mode", "params"}:
            raise ProcessInvalid(lined.source, line, f"gates: `{rule}` takes `mode` and `params`")
    return {**data, "checks": [_checked(check, changes.get(check["rule"], {})) for check in data["checks"]]}


def _checked(check: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    params = {**check.get("params", {}), **(change.get("params") or {})}
    mode = {"mode": change["mode"]} if "mode" in change else {}
    return {**check, **({"params": params} if params else {}), **mode}


def _with_reports(phases: list[dict[str, Any]], bundles: list[GateBundle]) -> Iterator[dict[str, Any]]:
    """The phases, each with the report that its bundle asks for as one more piece of evidence."""
    documents: list[str] = []
    for phase in phases:
        evidence = list(phase.get("evidence") or [])
        documents += [str(rule.get("name")) for rule in evidence if isinstance(rule, dict)]
        own = [bundle for bundle in bundles if bundle.leaving == phase.get("name")]
        yield (
            {**phase, "evidence": [*evidence, *(_report_rule(one, documents) for one in own)]}
            if own
            else phase
        )


def _report_rule(bundle: GateBundle, documents: list[str]) -> dict[str, Any]:
    params = {
        "gate": bundle.gate,
        "bundle": bundle.digest,
        "rules": {check.rule: check.mode for check in bundle.checks},
        "documents": list(documents),
    }
    checks = [{"use": VALIDATOR, "params": params}]
    return {"name": bundle.report, "origin": "witnessed", "witness": "gate", "checks": checks}


def _shipped_data(name: str) -> dict[str, Any]:
    lined = read_yaml(*read_definition(name, FOLDER, "bundle", ProcessNotFound))
    return dict(lined.data)
