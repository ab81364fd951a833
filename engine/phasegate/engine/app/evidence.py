"""Evidence on disk: reading what is offered, keeping snapshots and readable copies, gathering gate facts.

An artifact is read once. The digest that is recorded, the snapshot that is kept and the content that is
validated all come from those same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from phasegate.engine.app.companions import companions
from phasegate.engine.app.git.repository import look
from phasegate.engine.app.home import Home
from phasegate.engine.app.paths import decode_path, encode_path
from phasegate.engine.app.redactions import Redacted, Redactions
from phasegate.engine.core.commands import Offer
from phasegate.engine.core.errors import BadInput, IntegrityError, NotEvaluated
from phasegate.engine.core.facts import EvidenceFact, GateFacts
from phasegate.engine.core.gate import by_rule, flagged
from phasegate.engine.core.state import Evidence, TaskState, is_current
from phasegate.ledger.errors import LedgerError
from phasegate.ledger.objects import ObjectStore
from phasegate.policies.model import CheckRule, FlagMode, Process, Witness
from phasegate.validators.interface import Artifact, Finding
from phasegate.validators.registry import Check, run
from phasegate.validators.truth import OTHER_THAN_CLAIMED, PATCH

ARTIFACT_BYTES_MAX = 64 * 1024 * 1024
SOURCE_CHARS_MAX = 2_000
UNREADABLE = "unreadable"


def read_regular(path: Path, *, follow: bool) -> bytes:
    """The bytes of a regular file, at most `ARTIFACT_BYTES_MAX`.

    Raises:
        OSError: it cannot be opened; with `follow` false also when it is a symbolic link.
        BadInput: it is not a regular file, or it is too large.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"`{path}` is not a regular file", "offer a plain file as evidence")
        content = file.read(ARTIFACT_BYTES_MAX + 1) if status.st_size <= ARTIFACT_BYTES_MAX else None
        if content is None or len(content) > ARTIFACT_BYTES_MAX:
            raise BadInput(
                f"`{path}` has more than {ARTIFACT_BYTES_MAX} bytes", "keep artifacts within that size"
            )
        return content


class Shelf:
    """Snapshots and readable copies of evidence under one home.

    Args:
        home: the home.
        objects: its object store.
        redactions: tells what was redacted, whose bytes are never stored again; None where nothing can be.
    """

    def __init__(self, home: Home, objects: ObjectStore, redactions: Redactions | None = None) -> None:
        self._home = home
        self._objects = objects
        self._redactions = redactions

    def read_offer(self, task: str, phase: str, file: Path, name: str) -> Offer:
        """Read a file once and snapshot it.

        Links are resolved before it is opened, and what is opened is no link: the path that is recorded is
        the one the bytes came from.

        Raises:
            BadInput: it cannot be read.
        """
        try:
            real = file.resolve(strict=True)
            source = encode_path(real)
            content = read_regular(real, follow=False)
        except OSError as error:
            raise BadInput(
                f"cannot read `{file}`: {error.strerror}", "give the path of an existing file"
            ) from error
        except (RuntimeError, ValueError) as error:
            raise BadInput(f"cannot read `{file}`: {error}", "give the path of an existing file") from error
        if len(source) > SOURCE_CHARS_MAX:
            raise BadInput(
                f"the path of `{name}` has more than {SOURCE_CHARS_MAX} characters", "give it a shorter path"
            )
        return self._keep_offer(task, phase, name, content, source=source)

    def make_offer(
        self,
        task: str,
        phase: str,
        name: str,
        content: bytes,
        witness: Witness | None,
        exit_code: int | None = None,
    ) -> Offer:
        """Snapshot bytes the engine made itself; without a witness, bytes handed in without a file."""
        return self._keep_offer(task, phase, name, content, witness=witness, exit_code=exit_code)

    def _keep_offer(
        self,
        task: str,
        phase: str,
        name: str,
        content: bytes,
        *,
        source: str = "",
        witness: Witness | None = None,
        exit_code: int | None = None,
    ) -> Offer:
        redacted = self._redacted(hashlib.sha256(content).hexdigest())
        if redacted is not None:
            raise BadInput(f"the bytes of `{name}` were {redacted}", "hand in a version without them")
        digest = self._objects.put(content)
        path = str(self._home.evidence_path(task, phase, name).relative_to(self._home.root))
        self._stage(path, digest, content)
        return Offer(name, digest, len(content), path, source, witness, exit_code)

    def owner(self, source: str) -> str | None:
        """Task whose evidence folder an offer was read from; None when it came from elsewhere."""
        try:
            inside = decode_path(source).relative_to(self._home.evidence.resolve())
        except ValueError:
            return None
        return inside.parts[0] if inside.parts else None

    def _stage(self, path: str, digest: str, content: bytes) -> None:
        """Write the readable copy beside its place, before the commit.

        If we crash before the commit, a hidden file is left that nothing names. If we crash after it, the
        evidence is recorded and `settle` finds the staged copy by its digest.

        Raises:
            BadInput: something is in the way.
        """
        staged = self._staged(path, digest)
        beside = staged.with_name(f"{staged.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            staged.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(staged)
        except OSError as error:
            raise BadInput(
                f"cannot write `{staged.parent}`: {error.strerror}", "clear the way there, then try again"
            ) from error

    def settle(self, path: str, digest: str) -> None:
        """Move a staged copy of recorded evidence to its place; nothing happens where none is staged.

        Called after the commit, and again by every later look at the evidence, which completes what a crash
        interrupted. A copy that was deleted or changed afterwards has no staged twin and stays so.
        """
        with contextlib.suppress(OSError, ValueError):
            self._staged(path, digest).replace(self._home.root / path)

    def discard(self, path: str, digest: str) -> None:
        """Remove what was staged for an offer that was refused."""
        with contextlib.suppress(OSError):
            self._staged(path, digest).unlink()

    def earliest_affected(self, process: Process, state: TaskState) -> str:
        """The earliest phase whose evidence, or what it was made from, has changed since; empty if none.

        A document was made from its file, a patch from the working tree.
        """
        affected = {
            evidence.phase
            for evidence in state.evidence.values()
            if is_current(state, evidence) and self._has_changed(evidence)
        }
        patch = state.evidence.get(PATCH)
        if patch is not None and is_current(state, patch) and self._tree_has_changed(process, state):
            affected.add(patch.phase)
        return min(affected, key=process.order.__getitem__, default="")

    def _has_changed(self, evidence: Evidence) -> bool:
        source = _source_digest(decode_path(evidence.source)) if evidence.source else None
        return self.standing(evidence) != evidence.digest or source not in {None, evidence.digest}

    def standing(self, evidence: Evidence) -> str | None:
        """Digest of the readable copy as it stands; None when it is gone or no plain file."""
        self.settle(evidence.path, evidence.digest)
        path = self._home.root / evidence.path
        # A folder on the way that is a link leads out of the evidence folder.
        return digest_of(path, follow=False) if path.parent.resolve() == path.parent else None

    def _staged(self, path: str, digest: str) -> Path:
        target = self._home.root / path
        return target.with_name(f".{target.name}.{digest}")

    def _tree_has_changed(self, process: Process, state: TaskState) -> bool:
        """Whether the working tree is another than the patch says, where the phase compares the two."""
        seen = look(process, state, self._current_contents(state), self._home.root)
        return any(finding.code in OTHER_THAN_CLAIMED for finding in seen.findings or ())

    def gate_facts(
        self, process: Process, state: TaskState, flags: Mapping[str, FlagMode] = MappingProxyType({})
    ) -> GateFacts:
        """What an examination of the current gate needs, every artifact read once.

        Args:
            process: the process.
            state: the task.
            flags: modes of this gate's flags, those other than `enforce`.
        """
        last = not process.next_phases(state.phase)
        contents = self._current_contents(state)
        seen = look(process, state, contents, self._home.root)
        beside = companions(
            process, state, state.phase, commit=seen.commit, snapshot=self.snapshot, tree=seen.tree
        )
        known = {**contents, **beside}
        facts: dict[str, EvidenceFact] = {}
        checks: list[str] = []
        for name, content in contents.items():
            evidence = state.evidence[name]
            here = evidence.phase == state.phase
            if not here and not last:
                continue
            rules = process.evidence_rules[evidence.phase][name].checks if here else ()
            facts[name] = self._fact(evidence, content, known, rules, flags, here=here)
            checks.extend(
                f"{name}:{rule.name}" for rule in rules if _mode(flags, evidence, rule) is not FlagMode.OFF
            )
        return GateFacts(facts, tuple(checks), seen.findings, flags, seen.commit)

    def seen(self, process: Process, state: TaskState, phase: str) -> Mapping[str, bytes | None]:
        """Current artifacts of a task by name, and what the checks of a phase are given beside them."""
        contents = self._current_contents(state)
        looked = look(process, state, contents, self._home.root)
        beside = companions(
            process, state, phase, commit=looked.commit, snapshot=self.snapshot, tree=looked.tree
        )
        return {**contents, **beside}

    def _current_contents(self, state: TaskState) -> dict[str, bytes | None]:
        return {
            name: self.snapshot(evidence.digest)
            for name, evidence in state.evidence.items()
            if is_current(state, evidence)
        }

    def _fact(
        self,
        evidence: Evidence,
        content: bytes | None,
        contents: Mapping[str, bytes | None],
        rules: tuple[CheckRule, ...],
        flags: Mapping[str, FlagMode],
        *,
        here: bool,
    ) -> EvidenceFact:
        standing = self.standing(evidence)
        source = _source_digest(decode_path(evidence.source)) if here and evidence.source else None
        if content is None:
            gone = self._redacted(evidence.digest)
            return EvidenceFact(None, standing, source, redacted=str(gone) if gone else "")
        found = (
            finding
            for rule in rules
            for finding in flagged(
                _mode(flags, evidence, rule), validate(evidence.name, content, contents, (rule,))
            )
        )
        findings = by_rule(flags, evidence.phase, found)
        return EvidenceFact(evidence.digest, standing, source, findings)

    def snapshot(self, digest: str) -> bytes | None:
        """Bytes of an object, verified against their digest; None when they are gone or damaged."""
        try:
            return self._objects.get(digest)
        except LedgerError:
            return None

    def load(self, digest: str) -> bytes:
        """Bytes of an object that must be there.

        Raises:
            NotEvaluated: they were redacted.
            IntegrityError: they are gone or damaged, and nobody redacted them.
        """
        content = self.snapshot(digest)
        redacted = self._redacted(digest) if content is None else None
        if redacted is not None:
            raise NotEvaluated(f"object `{digest}` was {redacted}", "what needs its content cannot be done")
        if content is None:
            raise IntegrityError(f"object `{digest}` is missing or damaged", "restore the home from a backup")
        return content

    def keep_diary(self, task: str, content: bytes) -> str:
        """Keep a loop diary as an object and, readable, below the task's evidence; returns its digest."""
        digest = self.keep(content)
        if self._redacted(digest) is None:
            path = self.diary_path(task, digest)
            self._stage(path, digest, content)
            self.settle(path, digest)
        return digest

    def diary_path(self, task: str, digest: str) -> str:
        """Where a loop diary stands, readable, below the home."""
        return str(self._home.evidence_path(task, "loops", f"{digest[:16]}.md").relative_to(self._home.root))

    def keep(self, content: bytes) -> str:
        """Store bytes durably, unless they were redacted; returns their digest."""
        digest = hashlib.sha256(content).hexdigest()
        return digest if self._redacted(digest) is not None else self._objects.put(content)

    def erase(self, digest: str) -> list[str]:
        """Erase an object; its place below the home, if it was there."""
        return [f"objects/sha256/{digest[:2]}/{digest}"] if self._objects.erase(digest) else []

    def erase_copy(self, path: str, digest: str) -> list[str]:
        """Erase a readable copy and its staged twin where they have these bytes; their places below the home.

        Raises:
            OSError: the disk refused.
        """
        erased = []
        for place in (self._home.root / path, self._staged(path, digest)):
            if place.parent.resolve() == place.parent and digest_of(place, follow=False) == digest:
                place.unlink()
                erased.append(str(place.relative_to(self._home.root)))
        return erased

    def told(self, digest: str) -> str:
        """In words, that an object was redacted; empty where it was not."""
        redacted = self._redacted(digest)
        return f"[{redacted}]" if redacted is not None else ""

    def _redacted(self, digest: str) -> Redacted | None:
        return self._redactions.of(digest) if self._redactions is not None else None


def _mode(flags: Mapping[str, FlagMode], evidence: Evidence, rule: CheckRule) -> FlagMode:
    return flags.get(f"{evidence.phase}/{rule.name}", FlagMode.ENFORCE)


def validate(
    name: str, content: bytes, contents: Mapping[str, bytes | None], rules: tuple[CheckRule, ...]
) -> tuple[Finding, ...]:
    """Run an artifact's checks over its bytes, with the task's other current artifacts as companions."""
    companions = {other: data for other, data in contents.items() if data is not None and other != name}
    return run(tuple(Check(rule.use, rule.params) for rule in rules), Artifact(name, content), companions)


def _source_digest(path: Path) -> str | None:
    """Digest of the file evidence came from; None when it is gone, `UNREADABLE` when it is no plain file."""
    if not os.path.lexists(path):
        return None
    return digest_of(path, follow=False) or UNREADABLE


def digest_of(path: Path, *, follow: bool) -> str | None:
    """SHA-256 of a regular file in hex; None when there is none that can be read."""
    try:
        return hashlib.sha256(read_regular(path, follow=follow)).hexdigest()
    except (OSError, ValueError, BadInput):
        return None
