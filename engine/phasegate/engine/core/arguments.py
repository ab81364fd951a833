"""Arguments of a tool call, read: their values, their names and their digest. Pure; nothing is raised."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson

DEPTH_MAX: Final = 32
VALUES_MAX: Final = 20_000
BYTES_MAX: Final = 8 * 1024 * 1024
_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


Leaf = tuple[tuple[str, ...], Any]
"""A value that is no object and no list, after the names on the way to it."""


class Place(NamedTuple):
    """Where a path leads, from the root of the task's repository.

    Attributes:
        written: as it is written, without following links.
        real: with every link followed.
    """

    written: str
    real: str


Places = Mapping[str, Place]
"""Where texts that are paths lead; one that leads out of the repository is not in it."""

NOWHERE: Final[Places] = MappingProxyType({})


class Arguments(NamedTuple):
    """The arguments of one call, read.

    Attributes:
        leaves: every value in them.
        names: every name in them.
        size: bytes of their JSON.
        digest: SHA-256 of their canonical JSON, in hex; empty where they cannot be read.
        unreadable: why they cannot be read; empty if they can.
    """

    leaves: Sequence[Leaf] = ()
    names: Sequence[str] = ()
    size: int = 0
    digest: str = ""
    unreadable: str = ""


def read_arguments(value: object) -> Arguments:
    """Read arguments as they came; what is wrong with them stands in `unreadable`, and nothing is raised."""
    if type(value) is not dict:
        return Arguments(unreadable="they are no object")
    leaves: list[Leaf] = []
    names: list[str] = []
    problem = _walk(value, (), leaves, names)
    if problem:
        return Arguments(unreadable=problem)
    try:
        data = orjson.dumps(value, option=_OPTIONS)
    except (TypeError, ValueError):
        return Arguments(unreadable="they hold text or numbers that JSON cannot carry")
    if len(data) > BYTES_MAX:
        return Arguments(unreadable=f"they have {len(data)} bytes, and {BYTES_MAX} are read")
    return Arguments(leaves, names, len(data), hashlib.sha256(data).hexdigest())


def _walk(value: Any, path: tuple[str, ...], leaves: list[Leaf], names: list[str]) -> str:
    """Collect leaves and names; what keeps them from being read, or nothing."""
    if len(leaves) + len(names) > VALUES_MAX:
        return f"they hold more than {VALUES_MAX} values"
    if len(path) > DEPTH_MAX:
        return f"they are more than {DEPTH_MAX} levels deep"
    kind = type(value)
    if kind is dict:
        return _walk_object(value, path, leaves, names)
    if kind is list:
        # A list counts as a level, under a name that no argument has.
        return next((found for it in value if (found := _walk(it, (*path, ""), leaves, names))), "")
    if kind is float and not math.isfinite(value):
        return "a number in them is none"
    if kind not in {str, int, float, bool, type(None)}:
        return "a value in them is nothing that JSON has"
    leaves.append((path, value))
    return ""


def _walk_object(value: dict[Any, Any], path: tuple[str, ...], leaves: list[Leaf], names: list[str]) -> str:
    for name, inner in value.items():
        if type(name) is not str:
            return "a name in them is no text"
        names.append(name)
        if type(inner) is str:
            leaves.append(((*path, name) if path else (name,), inner))
        elif problem := _walk(inner, (*path, name), leaves, names):
            return problem
    return ""
