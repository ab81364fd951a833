"""Ledgers to export, the keys that sign them, and exports as somebody would make them who wants to deceive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phasegate.ledger.checkpoint import Checkpoint, cosign
from phasegate.ledger.entry import ZERO_HASH, Draft, Entry, seal
from phasegate.ledger.export.tiles import export_tiles
from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.merkle import leaf_hash, root_of
from phasegate.ledger.note_keys import Algorithm, VerifierKey, signed_note
from phasegate.ledger.notes import Note

LEDGER = "example.com/ledger"
AT = "2026-01-31T12:00:00.000000Z"
SEEN_S = 1_769_860_800
MAX_APPEND = 4096


@dataclass(frozen=True)
class Signer:
    """A key pair made of a seed, so that tests repeat."""

    name: str
    seed: int
    algorithm: Algorithm = Algorithm.ED25519

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.name, self.private.public_key().public_bytes_raw(), self.algorithm)

    @property
    def public_vkey(self) -> str:
        return self.key.text

    def sign(self, data: bytes, /) -> bytes:
        return self.private.sign(data)


LOG = Signer(LEDGER, 1)
THIEF = Signer(LEDGER, 2)
WITNESSES = tuple(Signer(f"witness{n}.example", 10 + n, Algorithm.COSIGNATURE) for n in range(3))


def draft(n: int, **fields: object) -> Draft:
    """The n-th thing that happened."""
    payload = {"note": f"note {n}, é", "seq": n, "files": [{"path": f"src/{n}.py"}], **fields}
    return Draft(f"T-{n % 3}", "SPEC", 0, ("task.opened", "evidence.added")[n % 2], "tester", "", payload)


def ledger_of(count: int, name: str = LEDGER, **fields: object) -> MemoryStore:
    """A ledger of so many entries."""
    store = MemoryStore(name, at=AT)
    grow(store, count, **fields)
    return store


def grow(store: MemoryStore, count: int, **fields: object) -> None:
    """Append until there are so many entries."""
    size = store.head().size
    drafts = [draft(n, **fields) for n in range(size + 1, count + 1)]
    for start in range(0, len(drafts), MAX_APPEND):
        store.append(drafts[start : start + MAX_APPEND], at=AT)


def datas_of(store: MemoryStore) -> list[bytes]:
    """The bytes of all entries."""
    return [row.bytes for row in store.raw()]


def note_over(
    datas: Sequence[bytes],
    signer: Signer = LOG,
    *,
    witnesses: Sequence[Signer] = (),
    origin: str = LEDGER,
    seen_s: int = SEEN_S,
) -> bytes:
    """A signed checkpoint of these entries."""
    text = Checkpoint(origin, len(datas), root_of(map(leaf_hash, datas))).text()
    note = Note(text, (signed_note(text, signer),))
    return note.signed([cosign(note, witness, seen_s) for witness in witnesses]).encoded().encode()


def rechained(drafts: Sequence[Draft], name: str = LEDGER) -> list[bytes]:
    """The entries of a ledger written anew: each links to the one before, whatever they say."""
    made: list[Entry] = []
    for seq, one in enumerate(drafts, 1):
        made.append(seal(one, seq, made[-1].hash if made else ZERO_HASH, AT, name))
    return [entry.bytes for entry in made]


def forged_tiles(folder: Path, datas: Sequence[bytes], note: bytes | None = None) -> Path:
    """An export of any bytes, with tiles that fit them: whoever forges entries forges the tree as well."""
    from phasegate.ledger.offline.inventory import ENTRIES
    from phasegate.ledger.tile_paths import bundled, tile_path
    from phasegate.ledger.tree_walk import TreeWalk

    def put(name: str, data: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    walk = TreeWalk(lambda tile: put(tile_path(tile.level, tile.number), tile.hashes))
    for number, start in enumerate(range(0, len(datas), 256)):
        batch = list(datas[start : start + 256])
        put(tile_path(ENTRIES, number, len(batch)), bundled(batch))
        walk.take(batch)
    for level, number, hashes in walk.open_rows():
        put(tile_path(level, number, len(hashes) // 32), hashes)
    folder.mkdir(exist_ok=True)
    if note is not None:
        put("checkpoint", note)
    return folder


def jsonl_file(path: Path, datas: Sequence[bytes]) -> Path:
    """A file of any lines."""
    path.write_bytes(b"".join(data + b"\n" for data in datas))
    return path


def exported(folder: Path, store: MemoryStore, note: bytes | None = None) -> Path:
    """Tiles as the exporter writes them."""
    export_tiles(store, folder, checkpoint=note)
    return folder
