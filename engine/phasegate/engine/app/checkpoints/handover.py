"""Comparing a ledger with what its sinks hold, and handing them a new checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phasegate.engine.app.checkpoints.handing import Handing
from phasegate.engine.app.checkpoints.policy import CheckpointPolicy, SinkRule
from phasegate.engine.app.checkpoints.proofs import check_begins, consistency
from phasegate.engine.app.checkpoints.sinks import FileSink, GitSink, Sink, SinkFailed
from phasegate.engine.core.errors import IntegrityError
from phasegate.ledger.checkpoint import parse_checkpoint
from phasegate.ledger.errors import KeyChainError, NoteError
from phasegate.ledger.note_keys import parse_verifier_key
from phasegate.ledger.notes import Note
from phasegate.ledger.rotation import KeyChain
from phasegate.ledger.store import Store


class Handover:
    """One round with all sinks; what fails is counted, and is left alone for the rest of the round.

    Args:
        store: the ledger.
        handing: what is remembered of the sinks.
        sinks: they, by name.
        now_s: seconds since 1970.
        insist: try every sink, whatever it has and whenever it failed last.
    """

    def __init__(
        self, store: Store, handing: Handing, sinks: Mapping[str, Sink], now_s: int, *, insist: bool
    ) -> None:
        self._store = store
        self._handing = handing
        self._sinks = sinks
        self._now_s = now_s
        self._insist = insist
        self._troubled: set[str] = set()

    def compare(self, chain: KeyChain) -> None:
        """Compare the ledger with every checkpoint that is held, the one kept in the home included.

        Raises:
            IntegrityError: the ledger does not begin with one of them.
        """
        check_home(self._store, self._handing, chain)
        size = self._store.frontier().size
        for name, sink in self._sinks.items():
            took = self._handing.of(name).size
            if took > size:
                text = f"`{name}` took a checkpoint of {took} entries, and the ledger has {size}"
                raise IntegrityError(f"{text}: it was cut or put back to an earlier state", _RESTORE)
            if not self._may_try(name):
                continue
            try:
                held = sink.held()
                said = chain.check(held, self._store.ledger) if held else None
            except SinkFailed as error:
                self._failed(name, str(error))
            except KeyChainError as error:
                # Of this ledger, by a key it does not know: perhaps from before the home was put back.
                raise IntegrityError(
                    f"`{name}` holds a checkpoint of this ledger: {error}", _RESTORE
                ) from error
            except NoteError as error:
                self._failed(name, f"it holds no checkpoint of this ledger: {error}")
            else:
                if said is not None:
                    check_begins(self._store, said, f"`{name}`")

    def give(self, note: Note) -> Note:
        """Hand a note to the sinks that lack it; returns it with the cosignatures that came in.

        Witnesses come first, so that the others are handed their cosignatures, too.

        Raises:
            IntegrityError: a witness has seen another ledger under this name.
            OSError: what came in cannot be kept in the home.
        """
        size, cosigned = parse_checkpoint(note.text).size, note
        plain = [name for name, sink in self._sinks.items() if isinstance(sink, FileSink | GitSink)]
        try:
            for name in [*(name for name in self._sinks if name not in plain), *plain]:
                lacks = self._handing.of(name).size < size or (name in plain and cosigned != note)
                if (lacks or self._insist) and self._may_try(name):
                    cosigned = self._give_one(name, cosigned, size)
            self._handing.keep(cosigned)
        finally:
            self._handing.save()
        return cosigned

    def _give_one(self, name: str, note: Note, size: int) -> Note:
        try:
            more = self._sinks[name].give(note, size, lambda old: consistency(self._store, old, size).hashes)
        except SinkFailed as error:
            self._failed(name, str(error))
            return note
        self._handing.of(name).took(size)
        return note.signed(more)

    def _may_try(self, name: str) -> bool:
        waits = self._handing.of(name).retry_at_s > self._now_s
        return name not in self._troubled and (self._insist or not waits)

    def _failed(self, name: str, reason: str) -> None:
        self._troubled.add(name)
        self._handing.of(name).failed(reason, self._now_s)


def check_home(store: Store, handing: Handing, chain: KeyChain) -> None:
    """Check that a ledger begins with the latest checkpoint kept in its home.

    Raises:
        IntegrityError: it does not, or that checkpoint does not hold.
    """
    try:
        latest = handing.latest()
        said = chain.check(latest, store.ledger) if latest else None
    except NoteError as error:
        text = f"the latest checkpoint kept in the home does not hold: {error}"
        raise IntegrityError(text, "find out who changed it, then move it away") from error
    if said is not None:
        check_begins(store, said, "the home")


def sinks_of(
    policy: CheckpointPolicy, home: Path, origin: str, chain: KeyChain, handing: Handing, now_s: int
) -> dict[str, Sink]:
    """The sinks of a policy by name.

    Args:
        policy: names them.
        home: where their paths are taken from.
        origin: the ledger's id.
        chain: the ledger's keys.
        handing: tells what a witness took last.
        now_s: seconds since 1970.
    """
    return {rule.name: _sink(rule, policy, home, origin, chain, handing, now_s) for rule in policy.sinks}


def _sink(
    rule: SinkRule,
    policy: CheckpointPolicy,
    home: Path,
    origin: str,
    chain: KeyChain,
    handing: Handing,
    now_s: int,
) -> Sink:
    if rule.git:
        return GitSink(rule.name, home / rule.git, origin)
    if rule.file:
        return FileSink(rule.name, home / rule.file)
    from phasegate.engine.app.checkpoints.witness_sinks import (  # noqa: PLC0415 - few homes have a witness
        HttpWitness,
        LocalWitness,
    )

    if rule.witness:
        key, known = parse_verifier_key(rule.vkey), handing.of(rule.name).size
        return HttpWitness(rule.name, rule.witness, key, policy.timeout_s, known)
    return LocalWitness(rule.name, home / rule.state, home / rule.key, origin, chain, now_s)


_RESTORE = "restore the ledger from a backup, and compare both with what others hold"
