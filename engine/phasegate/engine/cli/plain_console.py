"""A console that sends nothing of a task's texts to the terminal as a command.

File names, titles and messages may hold whatever their authors wrote: escape sequences that move the cursor
or hide a line, marks that turn the direction of text. They are shown as escapes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SUSPECT: Final = re.compile(r"[^ -~\n]")


class PlainConsole(Console):
    """Rich's console, whose own control codes are the only ones that reach the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render with every control character but the end of a line escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(escaped(segment.text), segment.style)


def escaped(text: str) -> str:
    """Return text with control and format characters as escapes; ends of lines stay."""
    return _SUSPECT.sub(lambda found: _seen(found[0]), text)


def one_line(text: str) -> str:
    """Return text for a cell: as `escaped`, and ends of lines and tabs as escapes too."""
    return escaped(text).replace("\n", "\\n")


def _seen(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")
