"""The file's own rules: its version, tables, triggers and indices, its pages, and its log."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phasegate.ledger.fsck.finding import Finding, Step, damage, derived
from phasegate.ledger.fsck.stored import Unreadable

if TYPE_CHECKING:
    from phasegate.ledger.fsck.raw_file import RawFile

VERSION: Final = "5"
"""Written here a second time, so that fsck does not follow the writer where that is wrong."""

CHECKED_MAX: Final = 100
_EVERY: Final = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_autoindex%'"
_INDEX: Final = re.compile(r"index (\w+)")
_WORDS: Final = re.compile(r"CREATE (?:UNIQUE )?(TABLE|INDEX|TRIGGER) (\w+)")
_HEADER, _FRAME = 32, 24
_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}


@cache
def shipped() -> Mapping[str, tuple[str, str]]:
    """Kind and text of every object that a ledger file has, by name."""
    found = {}
    for file in resources.files("phasegate.ledger").joinpath("sql").iterdir():
        if file.name.endswith(".sql"):
            text = file.read_text("ascii").strip()
            said = _WORDS.match(text)
            if said is None:
                raise ValueError(f"`{file.name}` creates nothing")
            found[said[2]] = (said[1].lower(), text)
    return found


def schema_findings(file: RawFile) -> Iterator[Finding]:
    """Objects that are missing, altered or foreign. A table can only be restored, the rest be made anew."""
    stored = {str(name): (str(kind), str(sql)) for kind, name, sql in file.rows(_EVERY)}
    for name, (kind, text) in sorted(shipped().items()):
        place, found = f"{kind} {name}", stored.pop(name, None)
        if found == (kind, text):
            continue
        if kind == "table":
            yield damage("schema", place, text, found[1] if found else "nothing")
        elif found is None:
            yield derived("schema_missing", place, text, "nothing", Step(text))
        elif found[0] == kind:
            drop = Step(f"DROP {kind} IF EXISTS {name}")
            yield derived("schema_altered", place, text, found[1], drop, Step(text))
        else:
            yield damage("schema", place, text, found[1])
    for name, (kind, text) in sorted(stored.items()):
        if kind in {"trigger", "index", "view"}:
            quoted = name.replace('"', '""')
            yield derived(
                "schema_foreign", f"{kind} {name}", "nothing", text, Step(f'DROP {kind} "{quoted}"')
            )
        else:
            yield damage("schema_foreign", f"{kind} {name}", "nothing", text)


def structure_findings(file: RawFile) -> Iterator[Finding]:
    """What SQLite's own check of pages, rows and indices says."""
    reported: set[str] = set()
    try:
        for (line,) in file.rows(f"PRAGMA integrity_check({CHECKED_MAX})"):
            if line == "ok":
                return
            said = _INDEX.search(str(line))
            name = said[1] if said else ""
            if name.startswith("sqlite_autoindex") or shipped().get(name, ("",))[0] == "index":
                if name not in reported:
                    text = str(line).lower()
                    yield derived("index_content", f"index {name}", "its rows", text, Step(f"REINDEX {name}"))
                reported.add(name)
            else:
                yield damage("structure", "the database's pages", "ok", str(line).lower())
    except Unreadable as error:
        yield damage("structure", "the database's pages", "ok", str(error))


def log_findings(path: Path) -> Iterator[Finding]:
    """Commits in the write-ahead log that SQLite passes over, because something before them is damaged.

    SQLite reads the log up to the first frame that does not hold and ignores the rest without a word
    (https://sqlite.org/fileformat2.html#walformat). A frame that breaks off at the end is what a loss
    of power leaves; whole ones of the same generation behind it, one of which ends a commit, are not.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        yield damage("log", path.name, "a log that can be read", str(error.strerror).lower())
        return
    if len(data) < _HEADER + _FRAME:
        return
    magic, _, page_bytes = struct.unpack(">III", data[:12])
    order = _MAGIC.get(magic, ">")
    sums = _checksum(data[:24], (0, 0), order)
    if magic not in _MAGIC or sums != struct.unpack(">II", data[24:32]):
        yield damage("log", path.name, "a header that holds", "a damaged header: the whole log is not read")
        return
    lost = _lost_commit(data, _FRAME + (page_bytes or 65_536), sums, order)
    if lost is not None:
        found = f"frame {lost[0]} is damaged, and frame {lost[1]} behind it ends a commit that is not read"
        yield damage("log", path.name, "frames that hold up to the last commit", found)


def _lost_commit(data: bytes, size: int, sums: tuple[int, int], order: str) -> tuple[int, int] | None:
    """The first frame of a log that does not hold, and one of the same generation behind it that commits."""
    salts, broken = data[16:24], 0
    for number, start in enumerate(range(_HEADER, len(data) - size + 1, size), 1):
        head = data[start : start + _FRAME]
        same = head[8:16] == salts
        if same and not broken:
            sums = _checksum(data[start + _FRAME : start + size], _checksum(head[:8], sums, order), order)
        if not broken and not (same and sums == struct.unpack(">II", head[16:24])):
            broken = number
        elif broken and same and struct.unpack(">I", head[4:8])[0]:
            return broken, number
    return None


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
