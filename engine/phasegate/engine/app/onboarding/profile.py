"""A process as lines with reasons: data changed at paths, and written as YAML with the reasons.

Pure. What is written is read back before anybody is given it, so that the loader takes every profile.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from phasegate.engine.app.onboarding.manifests import Place

WIDTH: Final = 110
SHORT: Final = 70
"""How long a mapping may be that stands on one line."""
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a profile that is another than in the process it is made from.

    Attributes:
        path: where it stands in the definition; phases and evidence by name.
        value: what it says now; None where it was taken out.
        why: the reason.
        places: what shows it.
    """

    path: Path
    value: Any
    why: str
    places: tuple[Place, ...] = ()

    @property
    def where(self) -> str:
        """The path with dots."""
        return ".".join(str(part) for part in self.path)

    @property
    def reason(self) -> str:
        """The reason with its places, on one line."""
        shown = ", ".join(str(place) for place in self.places)
        return f"{self.why} ({shown})" if shown else self.why


@dataclass(slots=True)
class Profile:
    """A definition being tailored: its data, and the lines that were changed, with their reasons."""

    data: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    reasons: dict[Path, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Profile:
        """A profile that begins as a copy of a definition."""
        return cls(copy.deepcopy(dict(data)))

    def at(self, path: Path) -> Any:
        """What stands at a path, which is as in `put`."""
        return _step(self.data, self._resolved(path))

    def put(self, path: Path, value: Any, why: str, places: Sequence[Place] = ()) -> None:
        """Set a value; parts that are text find items of lists by their `name` or `use`."""
        at = self._resolved(path[:-1])
        _step(self.data, at)[path[-1]] = value
        self._note(path, (*at, path[-1]), value, why, places)

    def add(self, path: Path, values: Sequence[Any], why: str, places: Sequence[Place] = ()) -> None:
        """Append to a list what it does not have yet; nothing is noted where it has it all."""
        at = self._resolved(path)
        listed = _step(self.data, at)
        new = [value for value in values if value not in listed]
        if new:
            listed += new
            self._note(path, at, new, why, places)

    def drop(self, path: Path, why: str, places: Sequence[Place] = ()) -> None:
        """Take a value or an item out; its reason stands above what it was part of."""
        at = self._resolved(path)
        del _step(self.data, at[:-1])[at[-1]]
        self._note(path, at[:-1], None, why, places)

    def _note(self, path: Path, at: Path, value: Any, why: str, places: Sequence[Place]) -> None:
        line = Line(path, value, why, tuple(places))
        self.lines.append(line)
        self.reasons.setdefault(at, []).append(line.reason)

    def _resolved(self, path: Path) -> Path:
        found: list[str | int] = []
        node: Any = self.data
        for part in path:
            index: str | int = part
            if isinstance(node, list) and isinstance(part, str):
                index = next(i for i, item in enumerate(node) if part in {item.get("name"), item.get("use")})
            node = node[index]
            found.append(index)
        return tuple(found)


def _step(node: Any, path: Path) -> Any:
    for part in path:
        node = node[part]
    return node


# -- as YAML ------------------------------------------------------------------------------------------------


def as_yaml(profile: Profile, head: Sequence[str]) -> str:
    """The definition as YAML, each changed line below its reason."""
    lines = [f"# {line}".rstrip() for line in head]
    lines += _mapping(profile.data, (), profile.reasons, "")
    return "\n".join(lines) + "\n"


def _mapping(data: Mapping[str, Any], path: Path, reasons: Mapping[Path, list[str]], pad: str) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        at = (*path, key)
        lines += _comments(at, reasons, pad)
        lines += _entry(f"{pad}{_scalar(key)}:", value, at, reasons, pad)
    return lines


def _entry(head: str, value: Any, path: Path, reasons: Mapping[Path, list[str]], pad: str) -> list[str]:
    if isinstance(value, Mapping) and value and not _is_short(value, path, reasons):
        return [head, *_mapping(value, path, reasons, f"{pad}  ")]
    if isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        return [head, *_items(value, path, reasons, f"{pad}  ")]
    return _flow(head, value)


def _items(values: Sequence[Any], path: Path, reasons: Mapping[Path, list[str]], pad: str) -> list[str]:
    lines: list[str] = []
    for index, value in enumerate(values):
        at = (*path, index)
        lines += _comments(at, reasons, pad)
        if isinstance(value, Mapping) and not _is_short(value, at, reasons):
            inner = _mapping(value, at, reasons, f"{pad}  ")
            first = next(i for i, line in enumerate(inner) if not line.lstrip().startswith("#"))
            # Reasons of an item's first line stand above its dash.
            lines += [line[2:] for line in inner[:first]]
            lines += [f"{pad}- {inner[first].lstrip()}", *inner[first + 1 :]]
        else:
            lines += _flow(f"{pad}-", value)
    return lines


def _comments(path: Path, reasons: Mapping[Path, list[str]], pad: str) -> Iterator[str]:
    for reason in reasons.get(path, ()):
        yield f"{pad}# why: {_printable(reason)}"


def _is_short(value: Mapping[str, Any], path: Path, reasons: Mapping[Path, list[str]]) -> bool:
    """Whether a mapping fits on one line and no reason stands inside it."""
    if any(at[: len(path)] == path and len(at) > len(path) for at in reasons):
        return False
    return all(not isinstance(item, Mapping) for item in value.values()) and len(_inline(value)) <= SHORT


def _flow(head: str, value: Any) -> list[str]:
    """A scalar or flow collection, a long list broken after commas."""
    text = f"{head} {_inline(value)}"
    if len(text) <= WIDTH or not isinstance(value, list):
        return [text]
    indent = " " * (len(head) - len(head.lstrip()) + 2)
    lines, current = [f"{head}"], indent + "["
    for index, item in enumerate(value):
        piece = _inline(item) + ("," if index < len(value) - 1 else "]")
        if len(current) + len(piece) + 1 > WIDTH and current.strip() != "[":
            lines.append(current)
            current = f"{indent} {piece}"
        else:
            current += piece if current.endswith("[") else f" {piece}"
    return [*lines, current]


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """A scalar; text that is no plain word, or that YAML could read otherwise, is quoted as in JSON."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=True)


def _printable(text: str) -> str:
    """Text that a comment can hold on one line."""
    return "".join(char if char.isprintable() and not "\ud800" <= char <= "\udfff" else "?" for char in text)
