"""What the proxy changes in answers of servers: tools left out, names prefixed, several answers made one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from phasegate.engine.mcp.proxy.guard import lists
from phasegate.engine.mcp.proxy.messages import Message
from phasegate.policies.tool_names import ToolSet

SEPARATOR: Final = "__"
LISTS: Final[Mapping[str, str]] = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""Methods that list, and the field of their answer."""
NAMED: Final = frozenset({"tools", "prompts"})
"""What has names of its own, which are prefixed; resources have URIs."""


def prefixed(server: str, name: str) -> str:
    """The name by which the client knows a server's tool or prompt."""
    return f"{server}{SEPARATOR}{name}" if server else name


def listed(field: str, parts: Iterable[tuple[str, Message]], passing: ToolSet) -> list[Message]:
    """The items of one list: of all servers, prefixed, each name once, and of tools those that pass.

    Args:
        field: the field of the answers.
        parts: each server's name and answer.
        passing: the tools that pass.
    """
    found: dict[str, Message] = {}
    for server, answer in parts:
        for item in _items(answer, field):
            key = item.get("name") if field in NAMED else item.get("uri", item.get("uriTemplate"))
            if not isinstance(key, str):
                continue
            name = prefixed(server, key) if field in NAMED else key
            if name not in found and (field != "tools" or lists(passing, name)):
                found[name] = {**item, "name": name} if field in NAMED else item
    return list(found.values())


def _items(answer: Message, field: str) -> list[Message]:
    items = answer.get(field)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def uris(answer: Message) -> list[str]:
    """Where the resources of a list are."""
    return [item["uri"] for item in _items(answer, "resources") if isinstance(item.get("uri"), str)]


def with_items(answer: Message, field: str, items: list[Message]) -> Message:
    """An answer with other items; nobody keeps a list of tools, for the next phase has another."""
    changed = {**answer, field: items}
    if field == "tools" and "ttlMs" in changed:
        changed |= {"ttlMs": 0, "cacheScope": "private"}
    return changed


def greeting(answers: Sequence[Message]) -> Message:
    """One answer to `initialize` or `server/discover` from those of all servers.

    Of versions, the oldest that one of them speaks is spoken, and those are told that all of them know.
    """
    first = dict(answers[0])
    capabilities: dict[str, Any] = {}
    for answer in answers:
        capabilities = _joined(capabilities, _mapping(answer.get("capabilities")))
    if "tools" in capabilities:
        capabilities["tools"] = {**_mapping(capabilities["tools"]), "listChanged": True}
    first["capabilities"] = capabilities
    versions = [version for answer in answers if isinstance(version := answer.get("protocolVersion"), str)]
    if versions:
        first["protocolVersion"] = min(versions)
    known = [answer.get("supportedVersions") for answer in answers]
    if isinstance(known[0], list):
        first["supportedVersions"] = [
            version for version in known[0] if all(isinstance(it, list) and version in it for it in known)
        ]
    texts = [text for answer in answers if isinstance(text := answer.get("instructions"), str) and text]
    if texts:
        first["instructions"] = "\n\n".join(texts)
    return first


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    found = dict(one)
    for key, value in other.items():
        found[key] = _joined(_mapping(found.get(key)), value) if isinstance(value, dict) else value
    return found


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
