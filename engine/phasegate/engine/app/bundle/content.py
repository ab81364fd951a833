"""What a bundle holds.

    README.md             how to check it with common tools
    SHA256SUMS            digest of every other member, as `sha256sum -c` reads it
    keys/engine.vkey      the engine's public key, for comparison only: trust comes from elsewhere
    ledger/entries.jsonl  every entry of the ledger from the first, one a line, its very bytes
    ledger/head.json      the engine's signed statement of where the ledger ends
    manifest.json         format, task, the ledger's id and head, and the head before the task was opened
    objects/DIGEST        the bytes of the task's evidence
    processes/DIGEST.json the definition the task runs under
    state.json            where the task stands; its last entry names the digest, a replay must give the same
    statements/DIGEST.json  the signed envelopes that its entries and those of the ledger itself name

The whole chain is there, entries of other tasks included, because only a whole chain can be verified. Whoever
may read the bundle reads their titles and paths, but none of their evidence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NoReturn

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from phasegate.engine.app.bundle.archive import unpack
from phasegate.engine.core.errors import IntegrityError

README: Final = "README.md"
SUMS: Final = "SHA256SUMS"
KEY: Final = "keys/engine.vkey"
ENTRIES: Final = "ledger/entries.jsonl"
HEAD: Final = "ledger/head.json"
MANIFEST: Final = "manifest.json"
OBJECTS: Final = "objects/"
PROCESSES: Final = "processes/"
STATE: Final = "state.json"
STATEMENTS: Final = "statements/"
FORMAT: Final = "phasegate-bundle"
_REQUIRED: Final = (README, SUMS, KEY, ENTRIES, HEAD, MANIFEST, STATE)

_Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]
_is_sum = re.compile(r"([0-9a-f]{64})  ([!-~]{1,100})").fullmatch


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class HeadNoted(_Part):
    """The end of a chain: how many entries, and the hash of the last."""

    entries: Annotated[int, Field(ge=0, lt=2**53)]
    hash: _Hex


class LedgerNoted(_Part):
    """Which ledger it is from; `created_at` is the time of its first entry."""

    id: _Text
    created_at: _Text
    head: HeadNoted


class Manifest(_Part):
    """What the bundle is about.

    Attributes:
        prior: head of the ledger before the task was opened, to be compared with one known from elsewhere.
    """

    format: Literal["phasegate-bundle"]
    version: Literal[1]
    ledger: LedgerNoted
    prior: HeadNoted
    task: _Text


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose members are those that were packed; whether they are true is for the audit to say."""

    manifest: Manifest
    members: Mapping[str, bytes]

    @property
    def entries(self) -> list[bytes]:
        """The bytes of every entry, in order."""
        return self.members[ENTRIES].split(b"\n")[:-1]

    @property
    def engine_vkey(self) -> str:
        """The engine's public key as the bundle names it; nobody vouches for it."""
        return self.members[KEY].decode("ascii", "replace").strip()

    @property
    def state(self) -> bytes:
        """Where the task stood, as the engine noted it."""
        return self.members[STATE]

    def object(self, digest: str) -> bytes | None:
        """Bytes of an object; None when it is not there or is another."""
        return self._addressed(f"{OBJECTS}{digest}", digest)

    def process(self, digest: str) -> bytes | None:
        """Canonical JSON of a definition, likewise."""
        return self._addressed(f"{PROCESSES}{digest}.json", digest)

    def statement(self, digest: str) -> bytes | None:
        """A signed envelope, likewise."""
        return self._addressed(f"{STATEMENTS}{digest}.json", digest)

    def _addressed(self, name: str, digest: str) -> bytes | None:
        content = self.members.get(name)
        return content if content is not None and hashlib.sha256(content).hexdigest() == digest else None


def sums(members: Mapping[str, bytes]) -> bytes:
    """`SHA256SUMS` over all members but itself."""
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(members.items())
        if name != SUMS
    )
    return "".join(lines).encode()


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle and check that it is whole.

    Raises:
        BadInput: it is no bundle.
        IntegrityError: it is damaged or incomplete.
    """
    members = unpack(data)
    for name in _REQUIRED:
        if name not in members:
            _refuse(f"`{name}` is missing")
    if sums(members) != members[SUMS]:
        _refuse(f"`{next(_differing(members))}` is not what `{SUMS}` says")
    if members[ENTRIES][-1:] not in {b"", b"\n"}:
        _refuse(f"`{ENTRIES}` does not end with a line")
    return Bundle(_manifest(members[MANIFEST]), members)


def _manifest(content: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise IntegrityError(
            f"the bundle does not hold: its manifest is not one of this release: {reason}",
            "read it with the release that wrote it",
        ) from None
    if manifest_bytes(manifest) != content:
        _refuse("its manifest is not in its one form")
    return manifest


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest in its one form."""
    return orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _differing(members: Mapping[str, bytes]) -> Iterator[str]:
    noted = {}
    for line in members[SUMS].decode("ascii", "replace").splitlines():
        found = _is_sum(line)
        if found:
            noted[found[2]] = found[1]
    for name, content in members.items():
        if name != SUMS and noted.get(name) != hashlib.sha256(content).hexdigest():
            yield name
    yield SUMS


def _refuse(what: str) -> NoReturn:
    raise IntegrityError(f"the bundle does not hold: {what}", "fetch it again, or export it again")
