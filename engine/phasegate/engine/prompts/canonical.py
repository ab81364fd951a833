r"""The canonical form of a prompt, and the hash of its header.

One prompt has one form, whichever editor, terminal or transport it passed through:

1. UTF-8 without errors; one byte order mark in front is dropped.
2. `\r\n` and `\r` become `\n`.
3. Unicode normalisation form C (UAX #15).
4. White space at the end of a line and blank lines at the end of the text are dropped.
5. The text ends in one `\n`.

Refused: surrogates, control characters other than tab and newline, a prompt without text, and more than
`PROMPT_BYTES_MAX` bytes. White space within a line and blank lines between paragraphs stay: they can carry
meaning, as in code.

The header is what stands before the line `HEADER_END`, which the compiler writes; without such a line it is
empty. Core rules and the phase's role stand in it, so that its hash is the same for every task in a phase.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from typing import Final, NamedTuple

from phasegate.engine.core.errors import BadInput

PROMPT_BYTES_MAX: Final = 1024 * 1024
HEADER_END: Final = "<!-- phasegate:header-end -->"

_BYTE_ORDER_MARK: Final = "\ufeff"
# General categories Cc, but for tab and newline, and Cs.
_refused_in = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]").search


class CanonicalPrompt(NamedTuple):
    """A prompt in canonical form.

    Attributes:
        content: its bytes.
        digest: SHA-256 of them, in hex.
        header_digest: SHA-256 of its header, in hex.
    """

    content: bytes
    digest: str
    header_digest: str

    @property
    def text(self) -> str:
        """The prompt as text."""
        return self.content.decode()


@functools.lru_cache(maxsize=8)
def canonical_prompt(raw: bytes | str) -> CanonicalPrompt:
    """Bring a prompt into canonical form. One is seen at every turn of an agent, so the latest are kept.

    Raises:
        BadInput: it is empty, too large, no UTF-8, or holds surrogates or control characters.
    """
    content = canonical_text(raw).encode()
    if len(content) > PROMPT_BYTES_MAX:
        raise _too_large(len(content))
    return CanonicalPrompt(content, sha256(content), sha256(header_of(content.decode()).encode()))


def canonical_text(raw: bytes | str) -> str:
    """The canonical form as text; raises BadInput, see `canonical_prompt`."""
    text = (_decode(raw) if isinstance(raw, bytes) else raw).removeprefix(_BYTE_ORDER_MARK)
    if len(text) > PROMPT_BYTES_MAX:
        raise _too_large(len(text))
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    _refuse_controls(text)
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise BadInput("the prompt is empty", "give the text the agent works under")
    return "\n".join(lines) + "\n"


def header_of(text: str) -> str:
    """The header of a canonical text: what stands before the first line `HEADER_END`; empty without one."""
    if text.startswith(f"{HEADER_END}\n"):
        return ""
    before, marker, _ = text.partition(f"\n{HEADER_END}\n")
    return f"{before}\n" if marker else ""


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def _decode(raw: bytes) -> str:
    if len(raw) > PROMPT_BYTES_MAX:
        raise _too_large(len(raw))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"the prompt is no UTF-8 text: byte {error.start} is wrong", "save it as UTF-8"
        ) from None


def _refuse_controls(text: str) -> None:
    found = _refused_in(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise BadInput(
            f"the prompt holds the control character U+{ord(found[0]):04X} in line {line}",
            "remove it: a prompt is plain text",
        )


def _too_large(size: int) -> BadInput:
    return BadInput(
        f"the prompt has {size} bytes or more", f"keep it within {PROMPT_BYTES_MAX} bytes; refer to files"
    )
