"""The file a bundle is: an uncompressed tar (POSIX.1-1988 "ustar") with one possible form for given content.

Why tar: every system can list and unpack it, and there is nothing to decompress, so a small file cannot turn
into a large one. Why one form: members in the order of their names, every header computed from name and size
alone, padding of zeros, two zero blocks at the end and nothing behind. Reading computes the same headers and
compares bytes, so links, folders, long names, duplicates, other encodings and stray bytes are all refused by
one rule, and equal content is an equal file.

Nothing is ever written under a name that a bundle gives; names are compared with what a bundle may hold.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from phasegate.ledger.errors import ExportError, ExportMismatch

BUNDLE_BYTES_MAX: Final = 512 * 1024 * 1024
MEMBERS_MAX: Final = 100_000

_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)
_NAME_BYTES: Final = 100
_SIZE: Final = slice(124, 136)
_MODE: Final = 0o644
_is_name = re.compile(
    r"README\.md|SHA256SUMS|manifest\.json|keys/(?:engine|checkpoint)\.(?:vkey|pem)"
    r"|ledger/(?:checkpoint|entries\.jsonl|head\.json)|proofs/[1-9][0-9]{0,15}\.tlog-proof"
    r"|objects/[0-9a-f]{64}|(?:processes|statements|states)/[0-9a-f]{64}\.json"
).fullmatch
_is_size = re.compile(rb"[0-7]{11}\0").fullmatch


def pack(members: Mapping[str, bytes]) -> bytes:
    """The archive of these members.

    Raises:
        ExportError: ``too_large``: there are too many, or they are too large.
    """
    if len(members) > MEMBERS_MAX or sum(map(len, members.values())) > BUNDLE_BYTES_MAX // 2:
        raise ExportError(
            "too_large",
            f"the bundle would have more than {MEMBERS_MAX} members or {BUNDLE_BYTES_MAX // 2} bytes; "
            "export one task, or tiles, or validate it where the home is: `validate_checkpoint --home DIR`",
        )
    parts: list[bytes] = []
    for name, content in sorted(members.items()):
        parts += [_header(name, len(content)), content, _padding(len(content))]
    return b"".join([*parts, _END])


def unpack(data: bytes) -> dict[str, bytes]:
    """The members of an archive, by name.

    Raises:
        ExportError: ``not_a_bundle``: it is no bundle at all.
        ExportMismatch: ``bad_bundle``: it is damaged, or holds what no bundle holds.
    """
    if len(data) < _BLOCK or not _is_name(_name(data[:_BLOCK])):
        raise ExportError(
            "not_a_bundle",
            "the file is not a bundle; make one: `engine task export TASK --format bundle FILE`",
        )
    members: dict[str, bytes] = {}
    last = ""
    for name, content in _members(data):
        if name <= last:
            _refuse(f"member `{name}` stands twice or out of order")
        if len(members) >= MEMBERS_MAX:
            _refuse(f"it has more than {MEMBERS_MAX} members")
        members[name] = content
        last = name
    return members


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    while data[place : place + 2 * _BLOCK] != _END:
        header = data[place : place + _BLOCK]
        if len(header) < _BLOCK:
            _refuse(f"it is cut off at byte {len(data)}")
        name, size = _read_header(header, place)
        start, end = place + _BLOCK, place + _BLOCK + size
        place = end + len(_padding(size))
        if place > len(data):
            _refuse(f"member `{name}` is cut off")
        if data[end:place].strip(b"\0"):
            _refuse(f"there are bytes between member `{name}` and the next")
        yield name, data[start:end]
    if len(data) != place + len(_END):
        _refuse("there are bytes behind its end")


def _read_header(header: bytes, place: int) -> tuple[str, int]:
    name, digits = _name(header), header[_SIZE]
    if not _is_name(name):
        _refuse(f"byte {place} begins a member that no bundle has")
    if not _is_size(digits):
        _refuse(f"the size of member `{name}` is not written as tar writes it")
    size = int(digits[:-1], 8)
    if _header(name, size) != header:
        _refuse(f"the header of member `{name}` is not the one of a bundle")
    return name, size


def _name(header: bytes) -> str:
    return header[:_NAME_BYTES].rstrip(b"\0").decode("ascii", "replace")


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, _MODE, 0
    return member.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _refuse(what: str) -> NoReturn:
    raise ExportMismatch(
        "bad_bundle", f"the bundle does not hold: {what}; fetch it again, or export it again"
    )
