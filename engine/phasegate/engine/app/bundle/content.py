"""A bundle as an audit reads it; its format is `phasegate.ledger.offline.bundle_format`'s."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from phasegate.engine.core.errors import BadInput, IntegrityError
from phasegate.ledger.errors import ExportError, ExportMismatch
from phasegate.ledger.offline.archive import unpack
from phasegate.ledger.offline.bundle_format import (
    ENGINE_KEY,
    ENTRIES,
    MANIFEST,
    OBJECTS,
    PROCESSES,
    STATEMENTS,
    STATES,
    VKEY,
    Manifest,
    check_members,
    parse_manifest,
)


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
        return self.members[f"{ENGINE_KEY}{VKEY}"].decode("ascii", "replace").strip()

    def state(self, digest: str) -> bytes | None:
        """Where a task stood, as the engine noted it; None when it is not there or is another."""
        return self._addressed(f"{STATES}{digest}.json", digest)

    def object(self, digest: str) -> bytes | None:
        """Bytes of an object, likewise."""
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


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle and check that it is whole.

    Raises:
        BadInput: it is no bundle.
        IntegrityError: it is damaged or incomplete.
    """
    try:
        members = unpack(data)
        check_members(members)
        return Bundle(parse_manifest(members[MANIFEST]), members)
    except ExportError as error:
        message, _, remedy = str(error).rpartition("; ")
        kind = IntegrityError if isinstance(error, ExportMismatch) else BadInput
        raise kind(message, remedy) from error
