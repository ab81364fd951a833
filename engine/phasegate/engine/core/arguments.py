"""Arguments of a tool call, judged by the argument rules of a process.

Pure: where a path leads is handed in by whoever asked the file system. Fails closed: what cannot be read,
what was not resolved and what no allowlist names is refused.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from phasegate.policies.argument_rules import ArgumentKind, ArgumentRule
from phasegate.policies.model import Process
from phasegate.policies.tool_names import tool_set
from phasegate.validators.globs import Globs

DEPTH_MAX: Final = 32
VALUES_MAX: Final = 20_000
BYTES_MAX: Final = 8 * 1024 * 1024
PATH_CHARS_MAX: Final = 4_096
PATTERN_CHARS_MAX: Final = 4_096
UNREADABLE: Final = "arguments"

_SHELL: Final = re.compile(r"[;&|<>$`(){}\[\]*?!~#'\"\\\x00-\x1f\x7f\x85\u2028\u2029]")
# `%` encodes, `:` stands in `file://`, drives and streams: some reader takes each of these for another path.
# What nobody sees is left out of names by some file systems.
_NOT_IN_PATH: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\\%:;~$`*?\"<>|\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_ODD_PART: Final = re.compile(r"(?:^|/)(?:[^/]*[\s.]|\s[^/]*)(?:/|$)|//")
_GIT_FOLDERS: Final = frozenset({".git", "git~1"})
_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


class Leaf(NamedTuple):
    """A value that is no object and no list, with the names on the way to it."""

    names: tuple[str, ...]
    value: Any


class Place(NamedTuple):
    """Where a path leads, from the root of the task's repository.

    Attributes:
        written: as it is written, without following links.
        real: with every link followed.
    """

    written: str
    real: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one call, read.

    Attributes:
        leaves: every value in them.
        names: every name in them.
        places: where the texts that are paths lead; one that leads out of the repository is not in it.
        digest: SHA-256 of their canonical JSON, in hex; empty where they cannot be read.
        unreadable: why they cannot be read; empty if they can.
    """

    leaves: tuple[Leaf, ...] = ()
    names: tuple[str, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    digest: str = ""
    unreadable: str = ""


class ArgumentFault(NamedTuple):
    """What is wrong with arguments: the rule that decided, why, and what to do."""

    rule: str
    message: str
    remedy: str


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
    return Arguments(tuple(leaves), tuple(names), digest=hashlib.sha256(data).hexdigest())


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
    leaves.append(Leaf(path, value))
    return ""


def _walk_object(value: dict[Any, Any], path: tuple[str, ...], leaves: list[Leaf], names: list[str]) -> str:
    for name, inner in value.items():
        if type(name) is not str:
            return "a name in them is no text"
        names.append(name)
        if type(inner) is str:
            leaves.append(Leaf((*path, name), inner))
        elif problem := _walk(inner, (*path, name), leaves, names):
            return problem
    return ""


def path_fault(text: object) -> str:
    """What is wrong with a path before anybody looks where it leads; empty for nothing."""
    if type(text) is not str or not text:
        return "is no path"
    if len(text) > PATH_CHARS_MAX:
        return "is longer than a path can be"
    if _NOT_IN_PATH.search(text):
        return "has a character that is read in more than one way"
    if _ODD_PART.search(text.removeprefix("./")):
        return "has an empty part, or one that leads up or begins or ends with a blank or a dot"
    return ""


def rules_for(process: Process, tool: str) -> Iterator[ArgumentRule]:
    """The rules of a process that are about a tool."""
    for rule in process.argument_rules:
        if not rule.tools or tool_set(rule.tools).allows(tool):
            yield rule


def paths_in(process: Process, tool: str, arguments: Arguments) -> frozenset[str]:
    """The texts that rules of the process take for paths, for whoever looks where they lead."""
    return frozenset(
        leaf.value
        for rule in rules_for(process, tool)
        if rule.kind is ArgumentKind.PATH_IN_ALLOWLIST
        for leaf in _concerned(rule, arguments)
        if not path_fault(leaf.value)
    )


def argument_fault(process: Process, phase: str, tool: str, arguments: Arguments) -> ArgumentFault | None:
    """What the process has against the arguments of a call; None for nothing.

    Args:
        process: the definition with the rules.
        phase: the phase whose path allowlist counts; empty where there is none.
        tool: the tool.
        arguments: the arguments, with where their paths lead.
    """
    if arguments.unreadable:
        text = f"the arguments cannot be read: {arguments.unreadable}"
        return ArgumentFault(UNREADABLE, text, "give one JSON object, within bounds")
    for rule in rules_for(process, tool):
        concerned = _concerned(rule, arguments)
        if rule.arguments and not concerned:
            text = f"none of the arguments that `{rule.id}` judges is there"
            return ArgumentFault(rule.id, text, f"name it as one of: {', '.join(rule.arguments)}")
        judge = _judge(rule, process, phase, arguments)
        for leaf in concerned:
            message = judge(leaf.value)
            if message:
                named = leaf.names[-1] or next((it for it in reversed(leaf.names) if it), "")
                return _fault(rule, f"the argument `{_shown(named)}` {message}")
        if not rule.arguments and rule.kind in _OF_NAMES:
            for name in arguments.names:
                message = judge(name)
                if message:
                    return _fault(rule, f"the name `{_shown(name)}` {message}")
    return None


_OF_NAMES: Final = frozenset({ArgumentKind.NO_SHELL_METACHARACTERS, ArgumentKind.MAX_BYTES})
_REMEDIES: Final = {
    ArgumentKind.PATH_IN_ALLOWLIST: "name, plainly, a path in the repository that the phase may change",
    ArgumentKind.NO_SHELL_METACHARACTERS: "leave out what a shell would interpret",
    ArgumentKind.MAX_BYTES: "hand less over in one call",
    ArgumentKind.ONE_OF: "give one of the values that the rule lists",
    ArgumentKind.PATTERN: "give a value that the rule's pattern matches",
}


def _fault(rule: ArgumentRule, message: str) -> ArgumentFault:
    return ArgumentFault(rule.id, f"{message} (`{rule.id}`)", _REMEDIES[rule.kind])


def _concerned(rule: ArgumentRule, arguments: Arguments) -> list[Leaf] | tuple[Leaf, ...]:
    if not rule.arguments:
        return arguments.leaves
    wanted = _plain_names(rule.arguments)
    return [leaf for leaf in arguments.leaves if any(_plain(name) in wanted for name in leaf.names)]


def _plain(name: str) -> str:
    """A name without case and separators: readers of `file_path` may take `filePath` as well."""
    return name.lower().replace("_", "").replace("-", "")


@lru_cache(maxsize=256)
def _plain_names(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(_plain, names))


def _judge(rule: ArgumentRule, process: Process, phase: str, arguments: Arguments) -> Callable[[object], str]:
    """What the rule says of one value: what is wrong with it, or nothing."""
    if rule.kind is ArgumentKind.PATH_IN_ALLOWLIST:
        lists = (*_phase_lists(process, phase), _lists(rule.allow or ("**",), rule.deny))
        return lambda value: _path_message(value, arguments.places, lists)
    if rule.kind is ArgumentKind.MAX_BYTES:
        return lambda value: _size_message(value, rule.max_bytes or 0)
    if rule.kind is ArgumentKind.ONE_OF:
        return lambda value: (
            "" if value in rule.values and type(value) is str else "is none of the values admitted"
        )
    if rule.kind is ArgumentKind.PATTERN:
        return lambda value: _pattern_message(value, rule.pattern)
    return _shell_message


def _size_message(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) * 4 <= most:
        return ""
    size = len(value.encode("utf-8", "surrogatepass"))
    return "" if size <= most else f"has {size} bytes, and at most {most} are admitted"


def _shell_message(value: object) -> str:
    return "has what a shell would interpret" if isinstance(value, str) and _SHELL.search(value) else ""


def _pattern_message(value: object, pattern: str) -> str:
    matches = isinstance(value, str) and len(value) <= PATTERN_CHARS_MAX and re.fullmatch(pattern, value)
    return "" if matches else "does not match the pattern"


class _Lists(NamedTuple):
    allow: Globs
    deny: Globs
    deny_lower: Globs


@lru_cache(maxsize=256)
def _lists(allow: tuple[str, ...], deny: tuple[str, ...]) -> _Lists:
    return _Lists(Globs(allow), Globs(deny), Globs(tuple(pattern.lower() for pattern in deny)))


def _phase_lists(process: Process, phase: str) -> tuple[_Lists, ...]:
    """The path allowlist of a phase; where it looks at no repository, only the rule's own counts."""
    rules = process.git_rules(phase) if phase else None
    if rules is None:
        return ()
    return (_lists(tuple(rules.get("allow", ())), tuple(rules.get("deny", ()))),)


def _path_message(value: object, places: Mapping[str, Place], lists: tuple[_Lists, ...]) -> str:
    fault = path_fault(value)
    if fault:
        return fault
    place = places.get(str(value))
    if place is None:
        return "leads out of the task's repository, or nobody can tell where"
    for path in {place.written, place.real}:
        if any(part.lower() in _GIT_FOLDERS for part in path.split("/")):
            return "leads into git's own folder"
        for allow, deny, deny_lower in lists:
            # A file system that ignores case reaches what is denied by another spelling.
            if not allow.matches(path) or deny.matches(path) or deny_lower.matches(path.lower()):
                return "leads where the phase may change nothing"
    return ""


def _shown(text: str) -> str:
    return ascii(text[:60])[1:-1][:80]
