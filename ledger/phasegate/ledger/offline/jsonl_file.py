"""A ledger as JSON lines: one entry a line, its very bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phasegate.ledger.canonical import MAX_ENTRY_BYTES
from phasegate.ledger.errors import ExportError
from phasegate.ledger.offline.found import Content, failed
from phasegate.ledger.offline.rows import verify_entries
from phasegate.ledger.verify import Problem

if TYPE_CHECKING:
    from typing import BinaryIO

CHECKED: Final = (
    "every entry: canonical bytes, fields, order, link to the one before, time, one ledger",
    "the tree over the entries, computed from their bytes",
)


def read_jsonl(path: Path, *, ledger: str | None, sizes: Collection[int]) -> Content:
    """Read and verify a file of JSON lines.

    Codes beyond those of `verify_chain`: ``cut_line`` (the last line does not end), ``line_too_long``.

    Raises:
        ExportError: The file cannot be read.
    """
    lines = _Lines()
    try:
        with path.open("rb") as file:
            chain, _ = verify_entries(lines.of(file), ledger=ledger, sizes=sizes)
    except OSError as error:
        raise ExportError(
            "unreadable", f"cannot read `{path}`: {error.strerror}; check its permissions"
        ) from None
    if chain.ok and lines.problem is not None:
        chain = failed(lines.problem, chain)
    return Content("jsonl", chain, CHECKED)


class _Lines:
    """The lines of a file, each within the bounds of an entry, up to the first that is not one."""

    def __init__(self) -> None:
        self.problem: Problem | None = None

    def of(self, file: BinaryIO) -> Iterator[bytes]:
        place = 0
        while line := file.readline(MAX_ENTRY_BYTES + 2):
            place += 1
            if not line.endswith(b"\n"):
                self._note(place, len(line))
                return
            yield line[:-1]

    def _note(self, place: int, length_bytes: int) -> None:
        if length_bytes > MAX_ENTRY_BYTES:
            message = f"line {place} has more than the {MAX_ENTRY_BYTES} bytes of an entry"
            self.problem = Problem(place, "line_too_long", f"{message}; something else stands there")
        else:
            message = f"line {place} does not end with a newline: the file was cut off; fetch it again"
            self.problem = Problem(place, "cut_line", message)
