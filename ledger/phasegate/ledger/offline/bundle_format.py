"""What a bundle holds: all that is needed to check one task, or a whole ledger, where there is no home.

    README.md               how to check it with common tools
    SHA256SUMS              digest of every other member, as `sha256sum -c` reads it
    keys/engine.vkey, .pem  the engine's public key, for comparison only: trust comes from elsewhere
    keys/checkpoint.*       the key that signed the checkpoint, where that is another
    ledger/checkpoint       signed note (C2SP tlog-checkpoint): how many entries, and the root over them
    ledger/entries.jsonl    every entry of the ledger from the first, one a line, its very bytes
    ledger/head.json        the engine's signed statement of where the ledger ends; of a task's bundle
    manifest.json           format, task, the ledger's id and head, and the head before the task was opened
    objects/DIGEST          the bytes of evidence
    processes/DIGEST.json   definitions that tasks run under
    proofs/SEQ.tlog-proof   that an entry is under the checkpoint's root (C2SP tlog-proof)
    states/DIGEST.json      where a task stands; its last entry names the digest, a replay must give the same
    statements/DIGEST.json  the signed envelopes that entries name

A task's bundle has evidence, statements and proofs of that task's entries; that of a ledger has those of all.
The whole chain is in both, entries of other tasks included, because only a whole chain can be verified.
Whoever may read the bundle reads their titles and paths, but none of their evidence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

import orjson

from phasegate.ledger.errors import ExportMismatch
from phasegate.ledger.note_keys import VerifierKey
from phasegate.ledger.tlog_proof import PROOF_SUFFIX

README: Final = "README.md"
SUMS: Final = "SHA256SUMS"
ENGINE_KEY: Final = "keys/engine"
CHECKPOINT_KEY: Final = "keys/checkpoint"
VKEY, PEM = ".vkey", ".pem"
CHECKPOINT: Final = "ledger/checkpoint"
ENTRIES: Final = "ledger/entries.jsonl"
HEAD: Final = "ledger/head.json"
MANIFEST: Final = "manifest.json"
OBJECTS: Final = "objects/"
PROCESSES: Final = "processes/"
PROOFS: Final = "proofs/"
STATES: Final = "states/"
STATEMENTS: Final = "statements/"
FORMAT: Final = "phasegate-bundle"
VERSION: Final = 2
REQUIRED: Final = (
    README, SUMS, f"{ENGINE_KEY}{VKEY}", f"{ENGINE_KEY}{PEM}", CHECKPOINT, ENTRIES, MANIFEST,
)  # fmt: skip

_is_digest = re.compile(r"[0-9a-f]{64}").fullmatch
_is_addressed = re.compile(r"(?:objects|processes|statements|states)/([0-9a-f]{64})(?:\.json)?").fullmatch
_ONE_FORM: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


class HeadNoted(NamedTuple):
    """The end of a chain: how many entries, and the hash of the last (64 zeros for none)."""

    entries: int
    hash: str


class Manifest(NamedTuple):
    """What a bundle is about.

    Attributes:
        ledger: The ledger's id.
        created_at: Time of its first entry.
        head: Where it ends.
        prior: Where it ended before the task was opened, to be compared with a head known from elsewhere.
        task: The task; empty for a whole ledger.
    """

    ledger: str
    created_at: str
    head: HeadNoted
    prior: HeadNoted
    task: str

    def encoded(self) -> bytes:
        """The member, in its one form."""
        value = {
            "format": FORMAT,
            "version": VERSION,
            "ledger": {"id": self.ledger, "created_at": self.created_at, "head": self.head._asdict()},
            "prior": self.prior._asdict(),
            "task": self.task,
        }
        return orjson.dumps(value, option=_ONE_FORM)


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest; whether it is true of the entries is not checked.

    Raises:
        ExportMismatch: ``bad_bundle``: it is none of this release, or not in its one form.
    """
    try:
        value: Any = orjson.loads(data)
        ledger = value["ledger"]
        found = Manifest(
            ledger["id"], ledger["created_at"], _head(ledger["head"]), _head(value["prior"]), value["task"]
        )
        good = all(type(text) is str for text in (found.ledger, found.created_at, found.task))
        good = good and (value["format"], value["version"]) == (FORMAT, VERSION)
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        _refuse(f"`{MANIFEST}` is not one of this release")
    if found.encoded() != data:
        _refuse(f"`{MANIFEST}` is not in its one form")
    return found


def key_members(name: str, key: VerifierKey) -> dict[str, bytes]:
    """A public key as two members: as a verifier key, and as openssl reads it."""
    return {f"{name}{VKEY}": f"{key.text}\n".encode(), f"{name}{PEM}": key.pem.encode()}


def proof_name(seq: int) -> str:
    """Name of the member that proves an entry."""
    return f"{PROOFS}{seq}{PROOF_SUFFIX}"


def sums(members: Mapping[str, bytes]) -> bytes:
    """`SHA256SUMS` over all members but itself."""
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(members.items())
        if name != SUMS
    )
    return "".join(lines).encode()


def check_members(members: Mapping[str, bytes]) -> None:
    """Check that the members are those that were packed, and have the digests in their names.

    Raises:
        ExportMismatch: ``bad_bundle`` or ``digest_mismatch``.
    """
    missing = [name for name in REQUIRED if name not in members]
    if missing:
        _refuse(f"`{missing[0]}` is missing")
    if sums(members) != members[SUMS]:
        _refuse(f"`{_differing(members)}` is not what `{SUMS}` says", "digest_mismatch")
    for name, content in members.items():
        named = _is_addressed(name)
        if named is not None and named[1] != hashlib.sha256(content).hexdigest():
            _refuse(f"`{name}` does not have the digest in its name", "digest_mismatch")


def addressed(members: Mapping[str, bytes]) -> dict[str, str]:
    """The digests that name members, by name."""
    found = ((name, _is_addressed(name)) for name in members)
    return {name: match[1] for name, match in found if match is not None}


def _differing(members: Mapping[str, bytes]) -> str:
    """The first member that the sums do not have, else the sums."""
    noted = set(members[SUMS].splitlines())
    for line in sums(members).splitlines():
        if line not in noted:
            return line.decode().partition("  ")[2]
    return SUMS


def _head(value: Any) -> HeadNoted:
    entries, digest = value["entries"], value["hash"]
    if type(entries) is not int or entries < 0 or type(digest) is not str or _is_digest(digest) is None:
        raise ValueError
    return HeadNoted(entries, digest)


def _refuse(what: str, code: str = "bad_bundle") -> NoReturn:
    raise ExportMismatch(code, f"the bundle does not hold: {what}; fetch it again, or export it again")
