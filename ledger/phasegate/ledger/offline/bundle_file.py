"""A bundle, as far as it can be checked without the engine: its bytes, chain, proofs and signatures.

Whether a task went through its process is for `validate_checkpoint` to say; the report says that too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from phasegate.ledger.entry import parse
from phasegate.ledger.errors import ExportError
from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.offline.archive import BUNDLE_BYTES_MAX, unpack
from phasegate.ledger.offline.bundle_format import (
    CHECKPOINT,
    ENTRIES,
    HEAD,
    MANIFEST,
    README,
    Manifest,
    check_members,
    parse_manifest,
)
from phasegate.ledger.offline.bundle_members import (
    Entries,
    check_keys_named,
    check_named,
    check_proofs,
    check_statements,
    is_engine_known,
    missing_words,
)
from phasegate.ledger.offline.found import Content, Found, failed
from phasegate.ledger.offline.ledger_keys import follow_keys
from phasegate.ledger.offline.rows import verify_entries
from phasegate.ledger.offline.signed import Signed, check_content, read_signed
from phasegate.ledger.offline.signed_head import check_head
from phasegate.ledger.verify import Verification

CHECKED: Final = (
    "the bundle: its one form, the digest of every member, that those named by digest are named by entries",
    "every entry: canonical bytes, fields, order, link to the one before, time, one ledger; ends as noted",
    "the tree over the entries, computed from their bytes",
)
UNCHECKED: Final = (
    "the tasks themselves, their evidence and statements against their process: `validate_checkpoint` does",
    f"`{README}`: nobody signed it",
)
UNSIGNED: Final = "the signature on the head of the ledger: no key was given that the engine signs with"


def read_bundle(
    path: Path, *, ledger: str | None, sizes: Collection[int], keys: Sequence[VerifierKey]
) -> Content:
    """Read and verify a bundle; see `read_members`.

    Raises:
        ExportError: The file cannot be read.
    """
    data = _bytes_of(path)
    try:
        members = unpack(data)
    except ExportError as error:
        return Content("bundle", failed(Found("bad_bundle", str(error)).problem))
    return read_members(members, ledger=ledger, sizes=sizes, keys=keys)


def read_members(
    members: Mapping[str, bytes], *, ledger: str | None, sizes: Collection[int], keys: Sequence[VerifierKey]
) -> Content:
    """Verify the members of a bundle.

    Codes beyond those of `verify_chain`: ``bad_bundle`` (no bundle, or not in its one form),
    ``digest_mismatch`` (a member is not the one that was packed, or not the one that its name says),
    ``surplus_member`` (no entry names it), ``bad_proof``, ``bad_key``, ``bad_statement``; ``wrong_key``,
    ``bad_signature``, ``bad_head`` and ``head_mismatch`` (about the signed head, or the ends as noted).

    Args:
        members: Their content, by name.
        ledger: The id the entries must carry; by default the one they carry.
        sizes: Sizes at which the tree's root is wanted; that of the bundle's checkpoint is found anyway.
        keys: The ledger's keys.
    """
    try:
        check_members(members)
        manifest = parse_manifest(members[MANIFEST])
        stated = read_signed(members[CHECKPOINT], "the checkpoint")
    except Found as found:
        return Content("bundle", failed(found.problem))
    except ExportError as error:
        return Content("bundle", failed(Found(error.code, str(error)).problem))
    *datas, rest = members[ENTRIES].split(b"\n")
    chain, _ = verify_entries(
        datas, ledger=ledger, known=_noted(manifest), sizes={*sizes, stated.checkpoint.size}
    )
    if not chain.ok:
        return Content("bundle", chain)
    entries = Entries(datas, manifest.task)
    try:
        _check_ends(manifest, entries, chain, rest)
        content = _content(members, entries, chain, stated, keys)
    except Found as found:
        return Content("bundle", failed(found.problem, chain))
    return content


def _content(
    members: Mapping[str, bytes],
    entries: Entries,
    chain: Verification,
    stated: Signed,
    keys: Sequence[VerifierKey],
) -> Content:
    followed, size = follow_keys(chain, keys), stated.checkpoint.size
    # What was signed first: it tells what was done, where a member that no entry names only shows it.
    signed, words = 0, list[str]()
    has_head, can_check = HEAD in members, bool(keys) and is_engine_known(members, followed)
    if has_head and can_check:
        signed = check_head(members[HEAD], chain, followed.every, entries.task)
        words.append(f"the signed head: it is that of entry {signed}")
    check_content(stated, chain)
    check_named(members, entries)
    strange = check_keys_named(members, followed)
    proofs = check_proofs(members, entries, chain, size)
    statements, unsigned = check_statements(members, entries, followed)
    unchecked = [UNSIGNED] if has_head and not can_check else []
    if size < chain.entries:
        unchecked.append(f"proofs of the entries after entry {size}: the checkpoint does not cover them")
    return Content(
        "bundle",
        chain,
        (*CHECKED, *proofs, *statements, *words),
        (*UNCHECKED[:1], *unchecked, *unsigned, *missing_words(members, entries), *strange, *UNCHECKED[1:]),
        checkpoint=members[CHECKPOINT],
        signed=signed,
    )


def _noted(manifest: Manifest) -> dict[int, str]:
    return {end.entries: end.hash for end in (manifest.head, manifest.prior)}


def _check_ends(manifest: Manifest, entries: Entries, chain: Verification, rest: bytes) -> None:
    """Check that the manifest tells of these very entries; a task is opened right behind its prior end."""
    if rest:
        raise Found("cut_line", f"`{ENTRIES}` does not end with a line; fetch the bundle again")
    if chain.entries != manifest.head.entries or not chain.entries:
        text = f"there are {chain.entries} entries, and the manifest says {manifest.head.entries}"
        raise Found("head_mismatch", text)
    first = next(entries.own(), None)
    if first is None:
        raise Found("head_mismatch", f"there is no entry of task `{entries.task}`, which the manifest names")
    prior = (first["seq"] - 1, first["prev"])
    said = (manifest.ledger, manifest.created_at, tuple(manifest.prior))
    if said != (chain.ledger, parse(entries.datas[0]).at, prior):
        raise Found("head_mismatch", "the manifest does not tell of this ledger, or of these entries")


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        raise ExportError(
            "unreadable", f"cannot read `{path}`: {error.strerror}; check its permissions"
        ) from None
