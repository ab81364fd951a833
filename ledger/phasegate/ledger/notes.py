"""Signed notes as C2SP `signed-note` defines them: a text, and lines of signatures under it.

    TEXT                       one or more lines, each ended by a newline
    <empty line>
    — NAME BASE64(key hash || signature)      one or more

Pure. A note is read strictly: whatever could be read in two ways is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final, NamedTuple

from phasegate.ledger.errors import NoteError

MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100
HASH_BYTES: Final = 4
_SIGNED_BY: Final = "\u2014 "


class Signature(NamedTuple):
    """One signature line: who, the key's hash (4 bytes), and what the algorithm makes of the rest."""

    name: str
    key_hash: bytes
    data: bytes

    def line(self) -> str:
        """The line as it stands in the note, with its newline."""
        return f"{_SIGNED_BY}{self.name} {base64.b64encode(self.key_hash + self.data).decode()}\n"


class Note(NamedTuple):
    """A text with its signatures; none of them is checked by reading it."""

    text: str
    signatures: tuple[Signature, ...]

    def encoded(self) -> str:
        """The whole note."""
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)

    def signed(self, more: Sequence[Signature]) -> Note:
        """The note with more signatures; one that it has already is not repeated."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *more))))


def check_text(text: str) -> str:
    """Return a note's text if it can stand in a note.

    Raises:
        NoteError: It is empty, does not end with a newline, or holds a control character.
    """
    if not text.endswith("\n") or text == "\n":
        raise NoteError("the text of a note is one or more lines, each ended by a newline")
    if any((char < " " and char != "\n") or char == "\x7f" for char in text):
        raise NoteError("the text of a note holds a control character")
    return text


def parse_note(data: bytes) -> Note:
    """Read a note.

    Raises:
        NoteError: It is not one.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise NoteError(f"a note has at most {MAX_NOTE_BYTES} bytes, not {len(data)}")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NoteError("a note is UTF-8 text, and this is not") from None
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise NoteError("a note ends with an empty line and lines of signatures, and this does not")
    lines = signatures.split("\n")[:-1]
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"a note has at most {MAX_SIGNATURES} signatures, not {len(lines)}")
    return Note(check_text(text + "\n"), tuple(map(_signature, lines)))


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_SIGNED_BY).partition(" ")
    if not line.startswith(_SIGNED_BY) or not space or not _is_name(name):
        raise NoteError("a signature line is `\u2014 NAME BASE64`, and one is not")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(f"the signature of `{name}` is not base64") from None
    if base64.b64encode(data).decode() != encoded or len(data) <= HASH_BYTES:
        raise NoteError(f"the signature of `{name}` is spelled in another way than the format allows")
    return Signature(name, data[:HASH_BYTES], data[HASH_BYTES:])


def _is_name(text: str) -> bool:
    return bool(text) and "+" not in text and not any(char.isspace() for char in text) and text.isprintable()
