"""Rows of a `.jsonl` or `.jsonl.gz` file, read whole: either every line is an object, or nothing is used.

The digest is that of the uncompressed bytes, so a file is the same file however it was packed.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from phasegate.engine.runners.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class JsonlLimits:
    """How much of a file is taken in before it is refused.

    Attributes:
        file_max_bytes: largest file, uncompressed.
        rows_max_count: most rows.
    """

    file_max_bytes: int = 512 * 1024 * 1024
    rows_max_count: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file.

    Attributes:
        line: line number, from 1.
        fields: the object on that line.
    """

    line: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Jsonl:
    """A file's rows in order.

    Attributes:
        name: the file's name without its folder, as used in messages.
        digest: SHA-256 of the uncompressed bytes, lowercase hex.
        rows: the rows; blank lines are skipped.
    """

    name: str
    digest: str
    rows: tuple[Row, ...]


def read_jsonl(path: Path, limits: JsonlLimits | None = None) -> Jsonl:
    """Read a `.jsonl` or gzip-packed `.jsonl.gz` file; the content decides which it is, not the name.

    Args:
        path: the file.
        limits: when to refuse.

    Returns:
        Every row, and the digest of the uncompressed bytes.

    Raises:
        DataError: the file cannot be read, is too large, or a line is not a JSON object.
    """
    limits = limits or JsonlLimits()
    data = _read(path, limits.file_max_bytes)
    rows = tuple(
        Row(line, _object(path.name, line, text))
        for line, text in enumerate(data.split(b"\n"), start=1)
        if text.strip()
    )
    if len(rows) > limits.rows_max_count:
        raise DataError(
            f"`{path.name}` has {len(rows)} rows and {limits.rows_max_count} are allowed",
            remedy="split the file",
        )
    return Jsonl(path.name, hashlib.sha256(data).hexdigest(), rows)


def field_text(file: Jsonl, row: Row, name: str) -> str:
    """The text under `name` in `row`.

    Raises:
        DataError: the field is missing or not text; the message names file and line.
    """
    if name not in row.fields:
        raise malformed(file, row, f"has no `{name}`")
    value = row.fields[name]
    if not isinstance(value, str):
        raise malformed(file, row, f"has a `{name}` that is not text")
    return value


def malformed(file: Jsonl, row: Row, what: str) -> DataError:
    """The error for a row that is an object, but not the right one."""
    return DataError(f"`{file.name}` line {row.line} {what}", remedy="correct that line and try again")


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            data = _unpack(raw, limit_bytes) if packed else raw.read(limit_bytes + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"`{path.name}` is damaged as a gzip file", remedy="copy or pack it again") from error
    except OSError as error:
        raise DataError(
            f"cannot read `{path}`: {(error.strerror or 'unreadable').lower()}",
            remedy="give the path of a .jsonl or .jsonl.gz file",
        ) from error
    if len(data) > limit_bytes:
        raise DataError(f"`{path.name}` holds more than {limit_bytes} bytes", remedy="split the file")
    return data


def _unpack(raw: BinaryIO, limit_bytes: int) -> bytes:
    with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
        return stream.read(limit_bytes + 1)


def _object(name: str, line: int, text: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DataError(
            f"`{name}` line {line} is not json ({error.msg})", remedy="each line must be one json object"
        ) from error
    if not isinstance(value, dict):
        raise DataError(f"`{name}` line {line} is not an object", remedy="each line must be one json object")
    return value
