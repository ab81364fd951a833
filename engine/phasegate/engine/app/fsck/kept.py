"""Objects and readable copies against what the entries name.

An object counts as named where its digest stands anywhere in an entry, in a signed statement or in an object
that is named itself. Which of the digests in an entry must have an object is in a table here, written apart
from the code that keeps them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from phasegate.ledger.fsck.finding import Finding, Level, damage, leftover
from phasegate.ledger.fsck.leaves import Leaf

OBJECTS, EVIDENCE, LOOPS = "objects", "evidence", "loops"
SCANNED_BYTES_MAX: Final = 8 * 1024 * 1024
"""A larger object names no other."""

_HEX: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "task.opened": ("process_digest",),
    "evidence.added": ("digest",),
    "witness.recorded": ("stdout_digest", "stderr_digest"),
    "violation.recorded": ("findings_digest",),
    "prompt.baselined": ("prompt", "persona_digest"),
    "loop.detected": ("diary",),
    "journal.noted": ("summary",),
    "baseline.recorded": ("figures",),
    "sample.generated": ("completion",),
    "run.ended": ("report",),
    "outbox.enqueued": ("body",),
    "outbox.delivered": ("response",),
    "ledger.checkpointed": ("note",),
    "ledger.repaired": ("report",),
}
_COPY: Final = "`engine ledger fsck --repair` writes it anew from its object"


class Kept:
    """Follows the entries, then looks at the home.

    Args:
        home: the home.
    """

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._must: dict[str, int] = {}
        self._named: set[str] = set()
        self._copies: dict[str, str] = {}
        self._redacted: dict[str, int] = {}

    def take(self, leaf: Leaf) -> None:
        """Take the next entry."""
        said = leaf.payload
        self._named.update(text.decode() for text in _HEX.findall(leaf.bytes))
        for digest in named_objects(leaf.type, said):
            self._must.setdefault(digest, leaf.seq)
        if leaf.type == "object.redacted":
            self._redacted[str(said.get("object"))] = leaf.seq
        if leaf.type == "evidence.added":
            self._copies[_inside(str(said.get("path")))] = str(said.get("digest"))
        elif leaf.type == "loop.detected" and said.get("diary"):
            place = f"{EVIDENCE}/{leaf.task}/{LOOPS}/{str(said['diary'])[:16]}.md"
            self._copies[_inside(place)] = str(said["diary"])

    def findings(self, also: Iterator[bytes]) -> Iterator[Finding]:
        """What is missing, changed, redacted and still there, or named by nothing.

        Args:
            also: what else names objects: the signed statements.
        """
        for data in also:
            self._named.update(text.decode() for text in _HEX.findall(data))
        good = yield from self._of_objects()
        yield from self._of_copies(good)

    # -- objects --------------------------------------------------------------------------------------

    def _of_objects(self) -> Generator[Finding, None, set[str]]:
        """Findings about objects; returns the digests whose bytes are there and hold."""
        there, litter = self._listed()
        names: dict[str, set[str]] = {}
        for digest, path in there.items():
            found, named = _read(path)
            if found == digest:
                names[digest] = named
            elif digest not in self._redacted:
                yield self._restored("object_changed", digest, found)
        for digest, seq in self._must.items():
            if digest not in there and digest not in self._redacted:
                yield self._restored("object_missing", digest, f"nothing; entry {seq} names it")
        for digest in self._redacted.keys() & there.keys():
            yield self._not_erased(there[digest], digest)
        known = self._reached(names)
        for digest in sorted(names.keys() - known):
            yield leftover("object_orphan", _place(there[digest], self._home), "an object that nothing names")
        for path in litter:
            yield leftover("object_litter", _place(path, self._home), "a file that is no object")
        return set(names)

    def _not_erased(self, path: Path, digest: str) -> Finding:
        expected = f"nothing: entry {self._redacted[digest]} redacted it"
        remedy = "`engine ledger fsck --repair` erases it"
        place = _place(path, self._home)
        return Finding(Level.DERIVED, "not_erased", place, expected, "its bytes", remedy, writes=(place, ""))

    def _listed(self) -> tuple[dict[str, Path], list[Path]]:
        """Objects by digest, and what else lies among them."""
        there: dict[str, Path] = {}
        litter: list[Path] = []
        for path in sorted((self._home / OBJECTS).rglob("*")):
            if path.is_dir() and not path.is_symlink():
                continue
            right = Path(OBJECTS, "sha256", path.name[:2], path.name)
            if _DIGEST.fullmatch(path.name) and self._home / right == path and not path.is_symlink():
                there[path.name] = path
            else:
                litter.append(path)
        return there, litter

    def _reached(self, names: dict[str, set[str]]) -> set[str]:
        known, to_look = set(self._named), list(self._named)
        while to_look:
            new = names.get(to_look.pop(), set()) - known
            known |= new
            to_look += new
        return known

    def _restored(self, code: str, digest: str, found: str) -> Finding:
        """An object that is gone or changed; a readable copy that holds has its bytes."""
        place = f"{OBJECTS}/sha256/{digest[:2]}/{digest}"
        for path, wanted in self._copies.items():
            if wanted == digest and _read(self._home / path)[0] == digest:
                remedy = f"`engine ledger fsck --repair` puts it back from `{path}`"
                return Finding(Level.DERIVED, code, place, digest, found, remedy, writes=(place, path))
        return damage(code, place, digest, found, "restore it from a backup, or redact it if it must be gone")

    # -- readable copies ------------------------------------------------------------------------------

    def _of_copies(self, good: set[str]) -> Iterator[Finding]:
        self._copies.pop("", None)
        named = {self._home / path for path in self._copies}
        for path, digest in self._copies.items():
            named.add(self._staged(path, digest))
        for path, digest in sorted(self._copies.items()):
            place = self._home / path
            found = _read(place)[0]
            staged = self._staged(path, digest)
            if digest in self._redacted:
                copies = (copy for copy in (place, staged) if _read(copy)[0] == digest)
                yield from (self._not_erased(copy, digest) for copy in copies)
            elif found != digest and _read(staged)[0] != digest:
                code = "copy_missing" if found == "nothing" else "copy_differs"
                source = f"{OBJECTS}/sha256/{digest[:2]}/{digest}"
                if digest in good:
                    yield Finding(Level.DERIVED, code, path, digest, found, _COPY, writes=(path, source))
                else:
                    yield damage(code, path, digest, found, "restore its object first")
        for file in sorted((self._home / EVIDENCE).rglob("*")):
            if file not in named and (file.is_symlink() or not file.is_dir()):
                yield leftover("copy_surplus", _place(file, self._home), "a file that no entry names")

    def _staged(self, path: str, digest: str) -> Path:
        """Where a copy stands between the commit of its entry and the moment it takes its place."""
        place = self._home / path
        return place.with_name(f".{place.name}.{digest}")


def _inside(path: str) -> str:
    """The path, if it is one below the folder of evidence; empty for any other, which nobody may follow."""
    parts = path.split("/")
    sound = len(parts) > 1 and parts[0] == EVIDENCE and not {"", ".", ".."} & set(parts)
    return path if sound else ""


def named_objects(kind: str, said: Mapping[str, Any]) -> Iterator[str]:
    """Digests in an entry whose objects must be there."""
    found = [said.get(name) for name in _NAMES.get(kind, ())]
    if kind == "witness.recorded":
        found += dict(said.get("reports") or {}).values()
    yield from (digest for digest in found if isinstance(digest, str) and _DIGEST.fullmatch(digest))


def _read(path: Path) -> tuple[str, set[str]]:
    """Digest of a plain file, and the digests that stand in it; in words what is there instead."""
    try:
        # A folder on the way that is a link leads out of the home.
        if path.is_symlink() or path.parent.resolve() != path.parent:
            return "a link", set()
        data = path.read_bytes()
    except FileNotFoundError:
        return "nothing", set()
    except OSError as error:
        return f"unreadable: {str(error.strerror).lower()}", set()
    named = set() if len(data) > SCANNED_BYTES_MAX else {text.decode() for text in _HEX.findall(data)}
    return hashlib.sha256(data).hexdigest(), named


def _place(path: Path, home: Path) -> str:
    return path.relative_to(home).as_posix()
