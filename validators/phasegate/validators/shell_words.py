"""Words of a shell's text, as far as a command's arguments have to be understood."""

from __future__ import annotations

import re
import shlex

SEPARATORS = frozenset({";", "&&", "||", "|", "&", "(", ")", "{", "}", "\n", "!", ";;", "|&"})
ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]{0,99})=(?P<value>.*)", re.DOTALL)
REDIRECTION = re.compile(r"[0-9]*&?[<>]+[&|]?")
_STARTING = re.compile(r"`|[$]\((?!\()|[<>]\(")


def starts_others(text: str) -> bool:
    """Whether a shell's text may start programs that its words do not show: `$(a)`, `<(a)`, or no words."""
    try:
        list(_lexer(text))
    except ValueError:
        return True
    return _STARTING.search(text) is not None


def is_assignment(word: str) -> bool:
    """Whether a word sets a variable."""
    return ASSIGNMENT.fullmatch(word) is not None


def words_of(text: str) -> list[str]:
    """The words of a shell's text, line ends as separators; what cannot be read is split at blanks."""
    try:
        return [part for word in _lexer(text) for part in _separated(word)]
    except ValueError:
        return text.split()


def _lexer(text: str) -> shlex.shlex:
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""  # a shell's comments begin at fewer places, so what seems to be one is read
    return lexer


def _separated(word: str) -> list[str]:
    """A run of punctuation as its separators: `);` is two of them."""
    if word in SEPARATORS or not word or any(letter not in "();&|" for letter in word):
        return [word]
    return list(word)
