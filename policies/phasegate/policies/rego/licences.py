"""Manifests of licences, as their tools write them, read into rows.

[{"Name": ..., "Version": ..., "License": "A; B"}]              pip-licenses --format json
{"bomFormat": "CycloneDX", "components": [{"licenses": ...}]}   CycloneDX 1.x
[{"name": ..., "version": ..., "licences": ["A"]}]              rows as they are
"""

from __future__ import annotations

from typing import Any, Final

ROWS_MAX: Final = 10_000
_AND: Final = " AND "


def licence_rows(value: Any) -> list[dict[str, Any]]:
    """Rows of `name`, `version` and `licences`; all licences of a row apply, `A OR B` in one is a choice.

    Raises:
        ValueError: it is no manifest.
    """
    if isinstance(value, dict) and value.get("bomFormat") == "CycloneDX":
        value = value.get("components")
        rows = [_component(item) for item in value] if isinstance(value, list) else None
    elif isinstance(value, list):
        rows = [_row(item) for item in value]
    else:
        rows = None
    if rows is None or len(rows) > ROWS_MAX:
        raise ValueError("it is no manifest of licences")
    return rows


def _row(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ValueError("a row is no object")  # noqa: TRY004 - bad data, not misuse
    if "licences" in item:
        licences = item["licences"] if isinstance(item["licences"], list) else []
        return _made(item.get("name"), item.get("version"), licences)
    return _made(item.get("Name"), item.get("Version"), str(item.get("License", "")).split(";"))


def _component(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ValueError("a component is no object")  # noqa: TRY004 - bad data, not misuse
    given = item.get("licenses")
    licences = []
    for choice in given if isinstance(given, list) else []:
        said = choice if isinstance(choice, dict) else {}
        named = said.get("license")
        licence = named if isinstance(named, dict) else {}
        licences.append(said.get("expression") or licence.get("id") or licence.get("name") or "")
    return _made(item.get("name"), item.get("version"), licences)


def _made(name: Any, version: Any, licences: list[Any]) -> dict[str, Any]:
    parts = [part.strip() for licence in licences for part in str(licence).split(_AND)]
    return {"name": str(name or ""), "version": str(version or ""), "licences": parts}
