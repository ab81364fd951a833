"""What can change the outcome of tests besides the tests: their configuration, plugins, and the command.

Pure: it is given paths, bytes and arguments, and says which of them can change outcomes.
"""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.strict_json import parse

DEFAULT_CONFIGURATION = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "setup.cfg",
    "pyproject.toml", "sitecustomize.py", "usercustomize.py", "pytest_*.py", "*.pth", "noxfile.py",
    ".coveragerc", "package.json", "jest.config.*", "vitest.config.*", "vitest.workspace.*", "karma.conf.*",
    ".mocharc.*", "jest.setup.*", "vitest.setup.*",
)  # fmt: skip

_INI_SECTIONS = re.compile(r"(?:tool:)?pytest|pytest|coverage:.*|testenv.*|tox|unittest")
_PACKAGE_FIELDS = ("scripts", "jest", "vitest", "mocha", "ava", "nyc", "c8")
_RUNNERS = re.compile(r"(?:.*/)?(?:pytest|py[.]test)(?:-?[0-9.]{0,6})?(?:[.]exe)?")
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]{0,99})=")
_SELECTION = (
    "-k", "-m", "--deselect", "--ignore", "--ignore-glob", "--lf", "--last-failed", "--sw", "--stepwise",
    "--stepwise-skip", "--sw-skip", "--co", "--collect-only", "--setup-only", "--setup-plan", "--fixtures",
    "--markers", "--version", "--help", "-h", "--last-failed-no-failures", "--lfnf",
)  # fmt: skip
_CONFIGURATION = ("-c", "--config-file", "-o", "--override-ini", "--rootdir", "--confcutdir")
_SHELL_MARKS = " ;&|\n"
_NOTHING = ("/dev/null", ".", "")
_SEPARATORS = frozenset({";", "&&", "||", "|", "&", "(", ")", "{", "}", "\n", "!"})
_BEFORE_COMMANDS = frozenset(
    {"env", "exec", "time", "nice", "command", "sudo", "xvfb-run", "uv", "run", "poetry"}
)
_INTERPRETERS = re.compile(
    r"python[0-9.]{0,6}|pypy[0-9.]{0,6}|node|deno|bun|ruby|perl|sh|bash|dash|zsh|coverage"
)
_MAKES = {"make": ("Makefile", "makefile", "GNUmakefile"), "just": ("justfile", "Justfile")}


class Risk(NamedTuple):
    """An argument that can change outcomes: `plugin`, `selection`, `configuration` or `environment`."""

    kind: str
    argument: str


def outcome_part(path: str, content: bytes) -> Any:
    """The part of a configuration file that can change outcomes; two files with equal parts do the same.

    Of files that hold other things too it is the sections of test tools; of others, or when a file cannot be
    read, all of it.
    """
    name = path.rpartition("/")[2]
    try:
        if name == "pyproject.toml":
            return _of_pyproject(tomllib.loads(content.decode()))
        if name in {"setup.cfg", "tox.ini"}:
            return _of_ini(content.decode())
        if name == "package.json":
            value = parse(content)
            return {key: value[key] for key in _PACKAGE_FIELDS if key in value}
    except (ValueError, TypeError, configparser.Error, MalformedJsonError, RecursionError):
        return content
    return content


def _of_pyproject(value: dict[str, Any]) -> dict[str, Any]:
    tool, project = value.get("tool", {}), value.get("project", {})
    found = {name: tool[name] for name in ("pytest", "coverage", "tox", "hatch") if name in tool}
    plugins = project.get("entry-points", {}).get("pytest11")
    return {**found, **({"pytest11": plugins} if plugins else {})}


def _of_ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections() if _INI_SECTIONS.fullmatch(name)}


def command_risks(argv: Sequence[str], is_dropped: Callable[[str], bool]) -> tuple[Risk, ...]:
    """The arguments of a test command that choose tests, load plugins, or configure the runner.

    What stands in one argument for a shell is looked into as well.

    Args:
        argv: the command.
        is_dropped: whether a variable is one that changes outcomes and is kept from commands.
    """
    return tuple(dict.fromkeys(_risks(list(argv), is_dropped, depth=0)))


def command_programs(argv: Sequence[str]) -> tuple[str, ...]:
    """Files that a command runs, as it names them: programs, scripts of interpreters, modules, makefiles.

    What stands in one argument for a shell is looked into as well.
    """
    found = list(_programs(list(argv)))
    for argument in argv:
        if any(mark in argument for mark in _SHELL_MARKS):
            found.extend(_programs(_words(argument)))
    return tuple(dict.fromkeys(name for name in found if "\0" not in name))


def _programs(words: list[str]) -> Iterator[str]:
    awaited = "command"
    for word in words:
        name = word.rpartition("/")[2]
        if word in _SEPARATORS:
            awaited = "command"
        elif awaited == "command":
            if _ASSIGNMENT.match(word) or name in _BEFORE_COMMANDS or word.startswith("-"):
                continue
            yield from (word, *_MAKES.get(name, ()))
            awaited = "script" if _INTERPRETERS.fullmatch(name) else ""
        elif awaited == "module":
            path = word.replace(".", "/")
            yield from (f"{path}.py", f"{path}/__main__.py", f"{path}/__init__.py")
            awaited = ""
        elif awaited == "script" and word in {"-m", "--module"}:
            awaited = "module"
        elif awaited == "script" and not word.startswith("-") and word != "run":
            yield word
            awaited = ""


def _risks(argv: list[str], is_dropped: Callable[[str], bool], *, depth: int) -> Iterator[Risk]:
    runner = False
    place = 0
    while place < len(argv):
        argument = argv[place]
        following = argv[place + 1] if place + 1 < len(argv) else ""
        place += 1
        if depth == 0 and any(mark in argument for mark in _SHELL_MARKS):
            yield from _risks(_words(argument), is_dropped, depth=1)
            continue
        assigned = _ASSIGNMENT.match(argument)
        if not runner and assigned and is_dropped(assigned["name"]) and assigned["name"] != "PYTHONPATH":
            yield Risk("environment", argument)
        if _RUNNERS.fullmatch(argument):
            runner = True
        elif runner:
            yield from _of_argument(argument, following)
            place += argument in {"-p", "-c", "-o", "-k", "-m"}


def _words(text: str) -> list[str]:
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        return list(lexer)
    except ValueError:
        return text.split()


def _of_argument(argument: str, following: str) -> Iterator[Risk]:
    option, joined, value = argument.partition("=")
    shown = f"{argument} {following}".strip() if not joined else argument
    if argument.startswith("-p") and not argument.startswith("--"):
        plugin = argument[2:] or following
        if not plugin.lstrip("=").startswith("no:"):
            yield Risk("plugin", f"-p {plugin}")
        return
    short = argument[:2] if argument[:1] == "-" and argument[:2] != "--" else option
    if short in _SELECTION or "::" in argument:
        yield Risk("selection", argument if "::" in argument else shown)
    elif short in _CONFIGURATION:
        given = value if joined else (argument[2:] if short not in {argument, option} else following)
        if given not in _NOTHING:
            yield Risk("configuration", shown)
