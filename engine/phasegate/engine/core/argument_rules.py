"""Argument rules, judged: what a process has against the arguments of a tool call.

Pure: where a path leads is handed in by whoever asked the file system. Fails closed: what cannot be read,
what was not resolved and what no allowlist names is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from phasegate.engine.core.arguments import Arguments, Leaf, Place, Places
from phasegate.policies.argument_rules import ArgumentKind, ArgumentRule
from phasegate.policies.model import Process
from phasegate.policies.tool_names import tool_set
from phasegate.validators.globs import alternation

UNREADABLE: Final = "arguments"
PATH_CHARS_MAX: Final = 4_096
PATTERN_CHARS_MAX: Final = 4_096

_SHELL: Final = re.compile(r"[;&|<>$`(){}\[\]*?!~#'\"\\\x00-\x1f\x7f\x85\u2028\u2029]")
# `%` encodes, `:` stands in `file://`, drives and streams: some reader takes each of these for another path.
# What nobody sees is left out of names by some file systems.
_NOT_IN_PATH: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\\%:;~$`*?\"<>|\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_ODD_PART: Final = re.compile(r"(?:^|/)(?:[^/]*[\s.]|\s[^/]*)(?:/|$)|//")
# Most paths: none of what the two above look for is in them.
_SURELY_PLAIN: Final = re.compile(r"/?(?:[\w.@+,=-]*[\w@+,=-]/)*[\w.@+,=-]*[\w@+,=-]", re.ASCII)
# The root as well, which holds it.
_GIT_FOLDER: Final = r"(?:(?:.*/)?(?:\.git|git~1)(?:/.*)?)?"
_EVERYTHING: Final = ("**",)
_NAME_KEPT_CHARS: Final = 128

_Judge = Callable[[Any, Places], str]


class ArgumentFault(NamedTuple):
    """What is wrong with arguments: the rule that decided, why, and what to do."""

    rule: str
    message: str
    remedy: str


class Judgement(NamedTuple):
    """A rule, compiled for a phase.

    Attributes:
        rule: the rule.
        names: names of the arguments it is about, plain; empty for all.
        judge: what is wrong with a value; empty for nothing.
        enough: bytes of all arguments together up to which nothing can be wrong.
    """

    rule: ArgumentRule
    names: frozenset[str]
    judge: _Judge
    enough: int


def path_fault(text: object) -> str:
    """What is wrong with a path before anybody looks where it leads; empty for nothing."""
    if type(text) is not str or not text:
        return "is no path"
    if len(text) > PATH_CHARS_MAX:
        return "is longer than a path can be"
    if _SURELY_PLAIN.fullmatch(text):
        return ""
    if _NOT_IN_PATH.search(text):
        return "has a character that is read in more than one way"
    if _ODD_PART.search(text.removeprefix("./")):
        return "has an empty part, or one that leads up or begins or ends with a blank or a dot"
    return ""


def judgements(process: Process, phase: str, tool: str) -> tuple[Judgement, ...]:
    """The rules that are about a tool, compiled for a phase; an empty `phase` stands for none."""
    rules = (rule for rule in process.argument_rules if not rule.tools or tool_set(rule.tools).allows(tool))
    return tuple(_compiled(rule, process, phase) for rule in rules)


def paths_in(rules: Iterable[Judgement], arguments: Arguments) -> frozenset[str]:
    """The texts that the rules take for paths, for whoever looks where they lead."""
    return frozenset(
        value
        for rule, names, _, _ in rules
        if rule.kind is ArgumentKind.PATH_IN_ALLOWLIST
        for _, value in _concerned(names, arguments)
        if not path_fault(value)
    )


def argument_fault(rules: Iterable[Judgement], arguments: Arguments, places: Places) -> ArgumentFault | None:
    """What the rules have against the arguments of a call; None for nothing.

    Args:
        rules: those of the process that are about the tool.
        arguments: the arguments.
        places: where those lead that the rules take for paths, see `paths_in`.
    """
    if arguments.unreadable:
        text = f"the arguments cannot be read: {arguments.unreadable}"
        return ArgumentFault(UNREADABLE, text, "give one JSON object, within bounds")
    for judgement in rules:
        if arguments.size > judgement.enough and (fault := _judged(judgement, arguments, places)):
            return fault
    return None


def _judged(judgement: Judgement, arguments: Arguments, places: Places) -> ArgumentFault | None:
    rule, names, judge, _ = judgement
    concerned = _concerned(names, arguments)
    if names and not concerned:
        text = f"none of the arguments that `{rule.id}` judges is there"
        return ArgumentFault(rule.id, text, f"name it as one of: {', '.join(rule.arguments)}")
    for path, value in concerned:
        if message := judge(value, places):
            named = next((name for name in reversed(path) if name), "")
            return _fault(rule, f"the argument `{_shown(named)}` {message}")
    if not names and rule.kind in _OF_NAMES:
        for name in arguments.names:
            if message := judge(name, places):
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


def _concerned(names: frozenset[str], arguments: Arguments) -> Sequence[Leaf]:
    if not names:
        return arguments.leaves
    found = []
    for leaf in arguments.leaves:
        for name in leaf[0]:
            if (_plain(name) if len(name) <= _NAME_KEPT_CHARS else _made_plain(name)) in names:
                found.append(leaf)
                break
    return found


def _made_plain(name: str) -> str:
    """A name without case and separators: readers of `file_path` may take `filePath` as well."""
    return name.lower().replace("_", "").replace("-", "")


_plain: Final = lru_cache(maxsize=1024)(_made_plain)


def _compiled(rule: ArgumentRule, process: Process, phase: str) -> Judgement:
    names = frozenset(map(_made_plain, rule.arguments))
    enough = (rule.max_bytes or 0) if not names else -1
    return Judgement(rule, names, _judge(rule, process, phase), enough if rule.max_bytes else -1)


def _judge(rule: ArgumentRule, process: Process, phase: str) -> _Judge:
    """What the rule says of one value: what is wrong with it, or nothing."""
    if rule.kind is ArgumentKind.PATH_IN_ALLOWLIST:
        return _path_judge(rule, process, phase)
    if rule.kind is ArgumentKind.MAX_BYTES:
        most = rule.max_bytes or 0
        return lambda value, _: _size_message(value, most)
    if rule.kind is ArgumentKind.ONE_OF:
        admitted = frozenset(rule.values)
        return lambda value, _: (
            "" if type(value) is str and value in admitted else "is none of the values admitted"
        )
    if rule.kind is ArgumentKind.PATTERN:
        pattern = re.compile(rule.pattern)
        return lambda value, _: _pattern_message(value, pattern)
    return _shell_message


def _size_message(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) * 4 <= most:
        return ""
    size = len(value.encode("utf-8", "surrogatepass"))
    return "" if size <= most else f"has {size} bytes, and at most {most} are admitted"


def _shell_message(value: object, _: Places) -> str:
    return "has what a shell would interpret" if isinstance(value, str) and _SHELL.search(value) else ""


def _pattern_message(value: object, pattern: re.Pattern[str]) -> str:
    matches = isinstance(value, str) and len(value) <= PATTERN_CHARS_MAX and pattern.fullmatch(value)
    return "" if matches else "does not match the pattern"


def _path_judge(rule: ArgumentRule, process: Process, phase: str) -> _Judge:
    """The phase's path allowlist, if it looks at a repository, and the rule's own."""
    of_phase = process.git_rules(phase) if phase else None
    lists = [tuple(of_phase.get("allow", ())), rule.allow] if of_phase is not None else [rule.allow]
    if not rule.allow:
        lists[-1] = _EVERYTHING
    allowed = [_matcher(patterns) for patterns in lists if "**" not in patterns]
    denied = (*(of_phase or {}).get("deny", ()), *rule.deny)
    # A file system that ignores case reaches what is denied by another spelling.
    patterns = alternation((*denied, *_folders_of(denied)))
    deny = re.compile("|".join((_GIT_FOLDER, *patterns)), re.DOTALL | re.IGNORECASE)

    def judge(value: object, places: Places) -> str:
        fault = path_fault(value)
        if fault:
            return fault
        place = places.get(value)  # type: ignore[call-overload]
        if place is None:
            return "leads out of the task's repository, or nobody can tell where"
        return _place_message(place, allowed, deny)

    return judge


def _folders_of(patterns: Iterable[str]) -> Iterable[str]:
    """The folders below which everything is denied: whoever moves or removes one touches all of it."""
    everything = (pattern for pattern in patterns if pattern.endswith(("/**", "/")))
    return (f"/{pattern.removesuffix('**').strip('/')}" for pattern in everything)


def _matcher(patterns: Iterable[str]) -> re.Pattern[str]:
    # Without a pattern nothing matches.
    return re.compile("|".join(alternation(patterns)) or r"(?!)", re.DOTALL)


def _place_message(place: Place, allowed: Sequence[re.Pattern[str]], deny: re.Pattern[str]) -> str:
    written, real = place
    for path in (written,) if written == real else (written, real):
        if deny.fullmatch(path) or not all(pattern.fullmatch(path) for pattern in allowed):
            return "leads where the phase may change nothing"
    return ""


def _shown(text: str) -> str:
    return ascii(text[:60])[1:-1][:80]
