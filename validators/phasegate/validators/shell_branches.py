"""Ways through a shell's text: whether what runs can depend on how something before it ended.

Runs at the base commit and with the change have to be of the same tests. Where one command of several is
left out, or runs instead, the change decides which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phasegate.validators.known_programs import BUILTINS, is_known_command
from phasegate.validators.shell_words import SEPARATORS, is_assignment

_ENDING = frozenset({"true", ":", "exit", "echo", "wait"})
"""Commands that change nothing for those after them."""
_IN_ORDER = frozenset({";", "\n", "&", ";;"})


def branches(words: Sequence[str]) -> Iterator[str]:
    """Where programs of a shell's text run or not by how another ended, or where it might be so.

    A chain of `&&` alone is none: if its last part does not run there is no report. `A || B` is one, and so
    is a program that runs whether or not the chain before it went to its end: `A && B; C`.
    """
    chained = False
    around: list[bool] = []
    for place, word in enumerate(words):
        program = _program(words[place + 1 :]) if word in SEPARATORS else ""
        if word in {"(", "{"}:
            around.append(chained)
            chained = False
        elif word in {")", "}"}:
            chained = chained or (bool(around) and around.pop())
        elif (word == "||" or (chained and word in _IN_ORDER)) and _matters(program):
            yield f"{word} {program}"
        chained = chained or word == "&&"


def _program(words: Sequence[str]) -> str:
    """The program a command begins with; empty for none."""
    named = (word for word in words if not is_assignment(word) and word not in {"(", "{", "!", "\n", ";"})
    first = next(named, "")
    return "" if first in SEPARATORS else first


def _matters(program: str) -> bool:
    name = program.rpartition("/")[2]
    return program not in _ENDING and ("/" in program or name in BUILTINS or is_known_command(name))
