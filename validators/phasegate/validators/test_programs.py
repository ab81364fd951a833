"""The programs a test command starts: commands, scripts of interpreters, modules, and code given inline.

Pure: it is given arguments. What stands in one argument for a shell is read as a shell would begin to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from phasegate.validators.shell_words import SEPARATORS, is_assignment, words_of

KNOWN_COMMANDS = frozenset(
    {
        *(
            "pytest",
            "py.test",
            "tox",
            "nox",
            "coverage",
            "hatch",
            "pdm",
            "poetry",
            "uv",
            "pipenv",
            "trial",
            "nose2",
        ),
        *(
            "node",
            "deno",
            "bun",
            "npm",
            "npx",
            "yarn",
            "pnpm",
            "jest",
            "vitest",
            "mocha",
            "ava",
            "c8",
            "nyc",
            "tsc",
        ),
        *(
            "go",
            "gotestsum",
            "cargo",
            "cargo-nextest",
            "rustc",
            "mvn",
            "gradle",
            "ant",
            "sbt",
            "java",
            "javac",
        ),
        *("dotnet", "ruby", "rake", "rspec", "bundle", "perl", "prove", "php", "phpunit", "composer"),
        *("make", "gmake", "ninja", "cmake", "ctest", "meson", "bazel", "bazelisk", "just", "swift", "mix"),
        *("env", "time", "nice", "timeout", "xvfb-run", "mkdir", "echo"),
    }
)
"""Interpreters, runners of tests and builders, and what prepares a folder for them."""
KNOWN_MODULES = frozenset(
    {
        "pytest",
        "unittest",
        "coverage",
        "tox",
        "nox",
        "nose2",
        "xmlrunner",
        "twisted.trial",
        "compileall",
        "build",
    }
)
"""Modules that an interpreter may be started with by `-m`."""
BUILTINS = frozenset(
    {":", "cd", "command", "echo", "exec", "exit", "export", "set", "true", "umask", "unset", "wait"}
)
_BEFORE_COMMANDS = frozenset(
    {"env", "exec", "time", "nice", "command", "timeout", "xvfb-run", "npx", "uv", "poetry", "pdm", "hatch",
     "pipenv", "bundle", "run"}
)  # fmt: skip
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]{0,6}(?:[.]exe)?")
_SHELL = re.compile(r"(?:sh|bash|dash|zsh)(?:[.]exe)?")
_PYTHON_OPTION = re.compile(r"-[bBdEhiIOPqsSuvVx]*(?P<letter>[cmWX])(?P<rest>.*)", re.DOTALL)
_OTHERS = frozenset({"node", "deno", "bun", "ruby", "perl", "php", "coverage"})
_INLINE = frozenset({"-e", "--eval", "-p", "--print", "-r", "--require", "--import", "-"})
_NUMBER = re.compile(r"[0-9.]+[smhd]?")
_REDIRECTION = re.compile(r"[0-9]*[<>]+[&|]?")
_DEPTH_MAX = 4


class Program(NamedTuple):
    """Something that runs: `command`, `script`, `module` or `inline` (code in an argument)."""

    kind: str
    name: str


def is_known_command(name: str) -> bool:
    """Whether a command of this name interprets, tests or builds."""
    return name in KNOWN_COMMANDS or any(kind.fullmatch(name) for kind in (_PYTHON, _SHELL))


def programs_of(argv: Sequence[str]) -> tuple[Program, ...]:
    """What a command starts, as far as its arguments tell."""
    return tuple(dict.fromkeys(_Reading(list(argv), 0).programs()))


class _Reading:
    """Words read from left to right."""

    def __init__(self, words: list[str], depth: int) -> None:
        self._words = words
        self._place = 0
        self._depth = depth

    def programs(self) -> Iterator[Program]:
        while self._place < len(self._words):
            yield from self._command()

    def _next(self) -> str:
        """The next word of this command; empty at its end."""
        while self._place < len(self._words):
            word = self._words[self._place]
            if word in SEPARATORS:
                return ""
            self._place += 1
            if not _REDIRECTION.fullmatch(word):
                return word or "''"
            self._place += 1
        return ""

    def _command(self) -> Iterator[Program]:
        while word := self._next():
            if is_assignment(word) or word.startswith("-") or _NUMBER.fullmatch(word):
                continue
            name = word.rpartition("/")[2]
            if word != "run":
                yield Program("command", word)
            if name not in _BEFORE_COMMANDS:
                yield from self._arguments(name)
                break
        while self._next():
            pass
        self._place += 1

    def _arguments(self, name: str) -> Iterator[Program]:
        if _PYTHON.fullmatch(name):
            yield from self._of_python()
        elif _SHELL.fullmatch(name):
            yield from self._of_shell()
        elif name in _OTHERS:
            yield from self._of_other()

    def _of_python(self) -> Iterator[Program]:
        while word := self._next():
            option = _PYTHON_OPTION.fullmatch(word)
            if word == "-" or (option and option["letter"] == "c"):
                yield Program("inline", word)
                return
            if option and option["letter"] == "m":
                yield from self._module(option["rest"] or self._next())
                return
            if option:
                self._next() if not option["rest"] else None
            elif not word.startswith("-"):
                yield Program("script", word)
                return

    def _module(self, name: str) -> Iterator[Program]:
        yield Program("module", name)
        if name == "coverage":
            yield from self._of_other()

    def _of_shell(self) -> Iterator[Program]:
        while word := self._next():
            if word.startswith("-") and not word.startswith("--") and "c" in word:
                text = self._next()
                if self._depth >= _DEPTH_MAX:
                    yield Program("inline", text)
                    return
                yield from _Reading(words_of(text), self._depth + 1).programs()
                return
            if word == "-s":
                yield Program("inline", word)
                return
            if not word.startswith(("-", "+")):
                yield Program("script", word)
                return

    def _of_other(self) -> Iterator[Program]:
        while word := self._next():
            if word == "-m":
                yield Program("module", self._next())
                return
            if word in _INLINE:
                yield Program("inline", word)
                return
            if word in {"report", "xml", "json", "html", "combine", "erase", "lcov", "test"}:
                return
            if not word.startswith("-") and word != "run":
                yield Program("script", word)
                return
