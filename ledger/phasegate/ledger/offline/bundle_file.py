"""The bundle of a task, as far as it can be checked without the engine: its bytes, chain and signed head.

Whether the task went through its process is for `validate_checkpoint` to say; the report says that too.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from phasegate.ledger.errors import ExportError
from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.offline.found import Content, Found, failed
from phasegate.ledger.offline.rows import verify_entries
from phasegate.ledger.offline.signed_head import check_head
from phasegate.ledger.verify import Verification

BUNDLE_BYTES_MAX: Final = 512 * 1024 * 1024
_SUMS: Final = "SHA256SUMS"
_ENTRIES: Final = "ledger/entries.jsonl"
_HEAD: Final = "ledger/head.json"
_MANIFEST: Final = "manifest.json"
_END: Final = bytes(1024)
_is_addressed = re.compile(r"(?:objects|processes|statements)/([0-9a-f]{64})(?:\.json)?").fullmatch

CHECKED: Final = (
    "the bundle: its one form, the digest of every member, the digests that name members",
    "every entry: canonical bytes, fields, order, link to the one before, time, one ledger; the end as noted",
    "the tree over the entries, computed from their bytes",
)
UNCHECKED: Final = (
    "the task itself, its evidence and statements against its process: `validate_checkpoint` does"
)
UNSIGNED: Final = "the signature on the head of the ledger: no key was given"


def read_bundle(
    path: Path, *, ledger: str | None, sizes: Collection[int], keys: Sequence[VerifierKey]
) -> Content:
    """Read and verify a task's bundle.

    Codes beyond those of `verify_chain`: ``bad_bundle`` (no bundle, or not in its one form),
    ``digest_mismatch`` (a member is not the one that was packed, or not the one that its name says),
    ``wrong_key``, ``bad_signature`` and ``head_mismatch`` (about the signed head).

    Raises:
        ExportError: The file cannot be read.
    """
    try:
        members = _unpacked(_bytes_of(path))
        _check_digests(members)
        noted = _noted(members[_MANIFEST])
    except Found as found:
        return Content("bundle", failed(found.problem))
    chain = _chain(members[_ENTRIES], noted, ledger, sizes)
    if not chain.ok:
        return Content("bundle", chain)
    try:
        signed = check_head(members[_HEAD], chain, keys) if keys else 0
    except Found as found:
        return Content("bundle", failed(found.problem, chain))
    words = (f"the signed head: it is that of entry {signed}",) if signed else ()
    unchecked = (UNCHECKED,) if signed else (UNCHECKED, UNSIGNED)
    return Content("bundle", chain, (*CHECKED, *words), unchecked, signed=signed)


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        raise ExportError(
            "unreadable", f"cannot read `{path}`: {error.strerror}; check its permissions"
        ) from None
    if len(data) > BUNDLE_BYTES_MAX:
        raise Found(
            "bad_bundle", f"the file is larger than a bundle, which has {BUNDLE_BYTES_MAX} bytes at most"
        )
    return data


def _unpacked(data: bytes) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                # A sparse member can claim to be larger than all that was read.
                if file is None or member.size > len(data):
                    raise Found("bad_bundle", "a member of the bundle is not a plain file; fetch it again")
                members[member.name] = file.read()
    except (tarfile.TarError, ValueError, OSError, EOFError, OverflowError, LookupError):
        raise Found("bad_bundle", "the archive cannot be read; fetch it again") from None
    # A bundle has one form: whatever tar overlooked or read in its own way is a byte that differs here.
    if _packed(members) != data:
        raise Found("bad_bundle", "the archive is not in the one form of a bundle; fetch it again")
    missing = {_SUMS, _ENTRIES, _HEAD, _MANIFEST} - members.keys()
    if missing:
        raise Found("bad_bundle", f"`{min(missing)}` is missing; fetch the bundle again")
    return members


def _packed(members: Mapping[str, bytes]) -> bytes:
    parts = []
    for name, content in sorted(members.items()):
        member = tarfile.TarInfo(name)
        member.size = len(content)
        try:
            header = member.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
        except ValueError:
            return b""
        parts += [header, content, bytes(-len(content) % tarfile.BLOCKSIZE)]
    return b"".join([*parts, _END])


def _check_digests(members: Mapping[str, bytes]) -> None:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    lines = (f"{digest}  {name}\n" for name, digest in sorted(digests.items()) if name != _SUMS)
    if "".join(lines).encode() != members[_SUMS]:
        raise Found("digest_mismatch", f"a member is not what `{_SUMS}` says; fetch the bundle again")
    for name, digest in digests.items():
        named = _is_addressed(name)
        if named is not None and named[1] != digest:
            raise Found("digest_mismatch", f"`{name}` does not have the digest in its name")


def _noted(manifest: bytes) -> dict[int, str]:
    """The ends of the chain that the manifest notes: its head, and where it was before the task."""
    try:
        value: Any = orjson.loads(manifest)
        ends = [value["ledger"]["head"], value["prior"]]
        noted = {end["entries"]: end["hash"] for end in ends}
    except (ValueError, KeyError, TypeError):
        noted = {}
    # A task is opened by an entry, so the chain before it ended earlier.
    if len(noted) != 2 or not all(_is_end(*end) for end in noted.items()):  # noqa: PLR2004 - of two ends
        raise Found(
            "bad_bundle", f"`{_MANIFEST}` does not name the ends of the chain; fetch the bundle again"
        )
    return noted


def _is_end(size: object, digest: object) -> bool:
    return type(size) is int and size >= 0 and type(digest) is str


def _chain(
    lines: bytes, noted: Mapping[int, str], ledger: str | None, sizes: Collection[int]
) -> Verification:
    *datas, rest = lines.split(b"\n")
    chain, _ = verify_entries(datas, ledger=ledger, known=noted, sizes=sizes)
    if not chain.ok:
        return chain
    if rest:
        found = Found("cut_line", f"`{_ENTRIES}` does not end with a line; fetch the bundle again")
        return failed(found.problem, chain)
    if chain.entries != max(noted):
        found = Found(
            "head_mismatch", f"there are {chain.entries} entries, and the manifest says {max(noted)}"
        )
        return failed(found.problem, chain)
    return chain
