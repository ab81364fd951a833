"""The programs a test command starts: commands, scripts of interpreters, modules, and code given inline.

Pure: it is given arguments. What stands in one argument for a shell is read as a shell would begin to.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from phasegate.validators.known_programs import (
    BEFORE_COMMANDS,
    CODE_OPTIONS,
    INLINE_OF,
    INTERPRETERS,
    MAKES,
    PYTHON,
    PYTHON_OPTION,
    SHELL,
    STARTING_OF,
    is_known_command,
)
from phasegate.validators.shell_words import (
    ASSIGNMENT,
    REDIRECTION,
    SEPARATORS,
    is_assignment,
    starts_others,
    words_of,
)

_MAKE_OPTION = re.compile(r"-[bBdeiknpqrRsStvw]*(?P<letter>[fCIEjlodW])(?P<rest>.*)", re.DOTALL)
_MAKE_LONG = {
    **dict.fromkeys(("--file", "--makefile", "--justfile"), "f"),
    **dict.fromkeys(("--include-dir", "--working-directory"), "I"),
    **dict.fromkeys(("--eval", "--set", "--shell", "--shell-arg"), "E"),
    "--directory": "C",
}
_OF_MAKE = re.compile(r"[$][({]\s*(?:shell|guile|eval|file|call|foreach|let|if|or|and|value)\b")
"""A function of make in a value, such as `$(shell ./own)`."""
_OF_ENV = re.compile(r"-[a-zA-Z0]*[SC].*|--[sc].*", re.DOTALL)
_OF_OTHERS = re.compile(
    r"--(?:call|python|with|directory|project|from|env-file)[^=]*(?:=.*)?|-c.*", re.DOTALL
)
_STARTUP = re.compile(r"--(?:rc|init-)file(?:=.*)?", re.DOTALL)
_NUMBER = re.compile(r"[0-9.]+[smhd]?")
_ENDS_AT_ONCE = frozenset({"--version", "-V", "-VV", "--help"})
_WITHOUT_SCRIPT = frozenset({"report", "xml", "json", "html", "combine", "erase", "lcov", "test", "--test"})
_SOURCE_LIKE = re.compile(
    r".*[.](?:py|pth|pyc|js|mjs|cjs|jsx|ts|mts|cts|tsx|go|rs|java|kt|kts|rb|c|cc|cpp|cxx|h|hh|hpp|cs|php|swift"
    r"|scala|sh|bash|pl|toml|cfg|ini|mk|gradle)|(?:.*/)?(?:[Mm]akefile|GNUmakefile|[Jj]ustfile|package[.]json"
    r"|[.]coveragerc)",
    re.DOTALL,
)
_DEPTH_MAX = 4


class Program(NamedTuple):
    """Something that runs, or brings in what does.

    Attributes:
        kind: `command`, `script`, `module`; `inline` (code in an argument or from the input), `value` (of a
            variable, which may name a program), `makefile` (the folder of one), `written` (a source that the
            shell is told to write).
        name: as the command names it.
        folder: where `cd` led before, from the command's own folder.
    """

    kind: str
    name: str
    folder: str = ""


def programs_of(argv: Sequence[str]) -> tuple[Program, ...]:
    """What a command starts, as far as its arguments tell."""
    return tuple(dict.fromkeys(_Reading(list(argv), 0, "").programs()))


class _Reading:
    """Words read from left to right."""

    def __init__(self, words: list[str], depth: int, folder: str) -> None:
        self._words = words
        self._place = 0
        self._depth = depth
        self._folder = folder
        self._before: list[str] = []
        self._written: list[Program] = []

    def programs(self) -> Iterator[Program]:
        while self._place < len(self._words):
            for program in self._command():
                yield program._replace(folder=program.folder or self._folder)
            while self._next():
                pass
            self._separated()
        yield from self._written

    def _separated(self) -> None:
        """Step over a separator; what `cd` did within brackets ends with them."""
        word = self._words[self._place] if self._place < len(self._words) else ""
        self._place += 1
        if word == "(":
            self._before.append(self._folder)
        elif word == ")" and self._before:
            self._folder = self._before.pop()

    def _next(self) -> str:
        """The next word of this command; empty at its end."""
        while self._place < len(self._words):
            word = self._words[self._place]
            if word in SEPARATORS:
                return ""
            self._place += 1
            if not REDIRECTION.fullmatch(word):
                return word or "''"
            target = self._words[self._place] if self._place < len(self._words) else ""
            if ">" in word and _SOURCE_LIKE.fullmatch(target):
                self._written.append(Program("written", f"> {target}", self._folder))
            self._place += 1
        return ""

    def _command(self) -> Iterator[Program]:
        name = ""
        while word := self._next():
            assigned = ASSIGNMENT.fullmatch(word)
            if assigned:
                yield Program("inline" if _OF_MAKE.search(word) else "value", assigned["value"])
            elif name and (_OF_ENV if name == "env" else _OF_OTHERS).fullmatch(word):
                yield Program("inline", word)
            elif not word.startswith("-") and not _NUMBER.fullmatch(word):
                name = word.rpartition("/")[2]
                if word != "run":
                    yield Program("command", word)
                if name not in BEFORE_COMMANDS:
                    yield from self._arguments(name)
                    return

    def _arguments(self, name: str) -> Iterator[Program]:
        if name == "cd":
            yield from self._of_cd()
        elif PYTHON.fullmatch(name):
            yield from self._of_python(name)
        elif SHELL.fullmatch(name):
            yield from self._of_shell(name)
        elif name in MAKES:
            yield from self._of_make()
        elif name in INTERPRETERS:
            yield from self._of_interpreter(name)
        elif name == "export" or (is_known_command(name) and name not in {"pytest", "py.test", "echo"}):
            yield from self._of_runner(name)

    def _of_cd(self) -> Iterator[Program]:
        where = self._next()
        self._folder = posixpath.join(self._folder, where or "$HOME")
        following = self._words[self._place] if self._place < len(self._words) else ""
        if following in {"|", "||", "&", "|&"}:
            yield Program("inline", f"cd {where} {following}")  # whether it takes effect is not known

    def _of_python(self, name: str) -> Iterator[Program]:
        while word := self._next():
            option = PYTHON_OPTION.fullmatch(word)
            if word in _ENDS_AT_ONCE:
                return
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
        yield Program("inline", name)  # code from its input

    def _module(self, name: str) -> Iterator[Program]:
        yield Program("module", name)
        if name == "coverage":
            yield from self._of_interpreter(name)

    def _of_shell(self, name: str) -> Iterator[Program]:
        while word := self._next():
            if word in _ENDS_AT_ONCE:
                return
            if _STARTUP.fullmatch(word):
                yield Program("inline", word)
            elif word.startswith("-") and not word.startswith("--") and "c" in word:
                yield from self._of_text(self._next())
                return
            elif not word.startswith(("-", "+")):
                yield Program("script", word)
                return
        yield Program("inline", name)

    def _of_text(self, text: str) -> Iterator[Program]:
        if self._depth >= _DEPTH_MAX or starts_others(text):
            yield Program("inline", text)
        if self._depth < _DEPTH_MAX:
            yield from _Reading(words_of(text), self._depth + 1, self._folder).programs()

    def _of_make(self) -> Iterator[Program]:
        folder, file = ".", ""
        while word := self._next():
            long, joined, value = word.partition("=")
            option = _MAKE_OPTION.fullmatch(word)
            letter = _MAKE_LONG.get(long, "") or (option["letter"] if option else "")
            if is_assignment(word) and not _OF_MAKE.search(value):
                yield Program("value", value)
            elif letter in {"I", "E"} or (joined and not word.startswith("-")):
                yield Program("inline", word)
            elif letter in {"f", "C"}:
                rest = value if long in _MAKE_LONG and joined else option["rest"] if option else ""
                given = rest or self._next()
                folder, file = (posixpath.join(folder, given), file) if letter == "C" else (folder, given)
        yield Program("script", posixpath.join(folder, file)) if file else Program("makefile", folder)

    def _of_interpreter(self, name: str) -> Iterator[Program]:
        while word := self._next():
            if word == "-m" and name == "coverage":
                yield Program("module", self._next())
                return
            if INLINE_OF[name].fullmatch(word):
                yield Program("inline", word)
                return
            code = list(self._code(word))
            yield from code
            if word in _WITHOUT_SCRIPT or word in _ENDS_AT_ONCE:
                yield from self._of_runner(name)
                return
            if not code and not word.startswith("-") and word != "run":
                yield Program("script", word)
                return
        if name != "coverage":
            yield Program("inline", name)

    def _of_runner(self, name: str) -> Iterator[Program]:
        starting = STARTING_OF.get(name)
        while word := self._next():
            if is_assignment(word):
                yield Program("value", word.partition("=")[2])
            elif (
                word in {"exec", "x", "dlx"}
                or word.startswith("+")
                or (starting and starting.fullmatch(word))
            ):
                yield Program("inline", word)
            else:
                yield from self._code(word)

    def _code(self, word: str) -> Iterator[Program]:
        """What an option of a runner brings in: only a path counts, since runners have names of their own."""
        option, joined, value = word.partition("=")
        if option not in CODE_OPTIONS and word[:2] == "-r" and word[2:]:
            option, joined, value = "-r", "=", word[2:]
        if option in CODE_OPTIONS:
            following = self._words[self._place] if self._place < len(self._words) else ""
            value = value if joined else following
            if re.search(r"[/.=]", value) and not value.startswith("-"):
                self._place += not joined
                yield Program("script", value)
