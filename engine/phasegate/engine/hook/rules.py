"""Argument rules, judged as `engine.core.argument_rules` judges them, from the definition as it is stored."""

from __future__ import annotations

import re

from phasegate.engine.hook.places import Places, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from phasegate.engine.hook.arguments import Arguments

    Judge = Callable[[Any], str]

PATH_CHARS_MAX = 4_096
PATTERN_CHARS_MAX = 4_096
SHELL = r"[;&|<>$`(){}\[\]*?!~#'\"\\\x00-\x1f\x7f\x85\u2028\u2029]"
NOT_IN_PATH = (
    r"[\x00-\x1f\x7f-\x9f\\%:;~$`*?\"<>|\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
ODD_PART = r"(?:^|/)(?:[^/]*[\s.]|\s[^/]*)(?:/|$)|//"
# The root as well, which holds it.
GIT_FOLDER = r"(?:(?:.*/)?(?:\.git|git~1)(?:/.*)?)?"
_EVERYTHING = ("**",)
_TOKEN = r"\*\*/|/\*\*$|\*\*|\*|\?|[^*?]+"  # noqa: S105 - a part of a pattern
_REGEX_OF = {"**/": r"(?:[^/]+/)*", "/**": r"/.+", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
_OF_NAMES = ("no_shell_metacharacters", "max_bytes")
REMEDIES = {
    "path_in_allowlist": "name, plainly, a path in the repository that the phase may change",
    "no_shell_metacharacters": "leave out what a shell would interpret",
    "max_bytes": "hand less over in one call",
    "one_of": "give one of the values that the rule lists",
    "pattern": "give a value that the rule's pattern matches",
}


def argument_fault(
    rules: list[dict[str, Any]], of_phase: dict[str, Any] | None, arguments: Arguments, places: Places
) -> tuple[str, str, str] | None:
    """Rule, message and remedy of what is wrong with the arguments of a call; None for nothing.

    Args:
        rules: those of the process that are about the tool, as stored.
        of_phase: what the phase may change in a repository; None where nobody looks.
        arguments: its arguments, readable.
        places: tells where paths lead.
    """
    for rule in rules:
        message = _judged(rule, of_phase, arguments, places)
        if message is None:
            text = f"none of the arguments that `{rule['id']}` judges is there"
            return rule["id"], text, f"name it as one of: {', '.join(rule['arguments'])}"
        if message:
            return rule["id"], f"{message} (`{rule['id']}`)", REMEDIES[rule["kind"]]
    return None


def _judged(
    rule: dict[str, Any], of_phase: dict[str, Any] | None, arguments: Arguments, places: Places
) -> str | None:
    """What is wrong; empty for nothing, None where what it judges is not there."""
    names = {_made_plain(name) for name in rule.get("arguments", ())}
    concerned = [
        (path, value)
        for path, value in arguments.leaves
        if not names or any(_made_plain(name) in names for name in path)
    ]
    if names and not concerned:
        return None
    judge = _judge(rule, of_phase, places)
    for path, value in concerned:
        if message := judge(value):
            named = next((name for name in reversed(path) if name), "")
            return f"the argument `{_shown(named)}` {message}"
    if not names and rule["kind"] in _OF_NAMES:
        for name in arguments.names:
            if message := judge(name):
                return f"the name `{_shown(name)}` {message}"
    return ""


def _judge(rule: dict[str, Any], of_phase: dict[str, Any] | None, places: Places) -> Judge:
    kind = rule["kind"]
    if kind == "path_in_allowlist":
        return _path_judge(rule, of_phase, places)
    if kind == "max_bytes":
        return lambda value: _size_message(value, rule["max_bytes"])
    if kind == "one_of":
        return lambda value: (
            "" if type(value) is str and value in rule["values"] else "is none of the values admitted"
        )
    if kind == "pattern":
        return lambda value: _pattern_message(value, rule["pattern"])
    if kind == "no_shell_metacharacters":
        return _shell_message
    raise Unknown(f"the process has a rule of a kind that this hook does not know, `{kind}`")


def _size_message(value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) * 4 <= most:
        return ""
    size = len(value.encode("utf-8", "surrogatepass"))
    return "" if size <= most else f"has {size} bytes, and at most {most} are admitted"


def _shell_message(value: object) -> str:
    return "has what a shell would interpret" if isinstance(value, str) and re.search(SHELL, value) else ""


def _pattern_message(value: object, pattern: str) -> str:
    matches = isinstance(value, str) and len(value) <= PATTERN_CHARS_MAX and re.fullmatch(pattern, value)
    return "" if matches else "does not match the pattern"


def path_fault(text: object) -> str:
    """What is wrong with a path before anybody looks where it leads; empty for nothing."""
    if type(text) is not str or not text:
        return "is no path"
    if len(text) > PATH_CHARS_MAX:
        return "is longer than a path can be"
    if re.search(NOT_IN_PATH, text):
        return "has a character that is read in more than one way"
    if re.search(ODD_PART, text.removeprefix("./")):
        return "has an empty part, or one that leads up or begins or ends with a blank or a dot"
    return ""


def _path_judge(rule: dict[str, Any], of_phase: dict[str, Any] | None, places: Places) -> Judge:
    """The phase's path allowlist, if it looks at a repository, and the rule's own."""
    own = tuple(rule.get("allow", ()))
    lists = [tuple(of_phase.get("allow", ())), own] if of_phase is not None else [own]
    if not own:
        lists[-1] = _EVERYTHING
    allowed = [patterns for patterns in lists if "**" not in patterns]
    denied = (*(of_phase or {}).get("deny", ()), *rule.get("deny", ()))
    # Whoever moves or removes a folder below which everything is denied touches all of it.
    everything = (pattern for pattern in denied if pattern.endswith(("/**", "/")))
    denied += tuple(f"/{pattern.removesuffix('**').strip('/')}" for pattern in everything)

    def judge(value: object) -> str:
        fault = path_fault(value)
        if fault:
            return fault
        place = places.of(str(value))
        if place is None:
            return "leads out of the task's repository, or nobody can tell where"
        for path in set(place):
            if _denies(denied, path) or not all(matches(patterns, path) for patterns in allowed):
                return "leads where the phase may change nothing"
        return ""

    return judge


def _denies(patterns: tuple[str, ...], path: str) -> bool:
    # A file system that ignores case reaches what is denied by another spelling.
    flags = re.DOTALL | re.IGNORECASE
    return bool(re.fullmatch(GIT_FOLDER, path, flags)) or matches(patterns, path, flags)


def matches(patterns: tuple[str, ...], path: str, flags: int = re.DOTALL) -> bool:
    """Whether any of the patterns matches a path, as `validators.globs` has it."""
    return any(re.fullmatch(regex_of(pattern), path, flags) for pattern in patterns)


def regex_of(pattern: str) -> str:
    """A path pattern as a regular expression."""
    below = pattern + "**" if pattern.endswith("/") else pattern
    anchored = below if "/" in below else f"**/{below}"
    tokens = re.findall(_TOKEN, anchored.removeprefix("/"))
    return "".join(_REGEX_OF.get(token) or re.escape(token) for token in tokens)


def _made_plain(name: str) -> str:
    """A name without case and separators: readers of `file_path` may take `filePath` as well."""
    return name.lower().replace("_", "").replace("-", "")


def _shown(text: str) -> str:
    return ascii(text[:60])[1:-1][:80]
