"""A witness cosigns what follows, and nothing else; what it remembers is durable before it signs."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from phasegate.ledger.checkpoint import Checkpoint, cosigned_at
from phasegate.ledger.errors import NoteError, WitnessRefused
from phasegate.ledger.merkle import Frontier, consistency_proof, leaf_hash, range_root, root_of
from phasegate.ledger.note_keys import Algorithm, signed_note
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note
from phasegate.ledger.witness import Witness

LOG = SeedSigner.from_seed("phasegate-log", bytes([1]) * 32)
OTHER = SeedSigner.from_seed("phasegate-log", bytes([2]) * 32)
WITNESS = SeedSigner.from_seed("witness.example", bytes([3]) * 32, Algorithm.COSIGNATURE)


class Log:
    """A tree of leaves; `fork` puts another leaf into the place of one."""

    def __init__(self, count: int = 40, fork: int | None = None) -> None:
        self.leaves = [leaf_hash(b"entry %d" % number) for number in range(count)]
        if fork is not None:
            self.leaves[fork] = leaf_hash(b"another")

    def checkpoint(self, size: int, by: SeedSigner = LOG) -> Note:
        text = Checkpoint("phasegate-log", size, root_of(self.leaves[:size])).text()
        return Note(text, (signed_note(text, by),))

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        def subtree(level: int, index: int) -> bytes:
            return Frontier().extended(self.leaves[index << level : (index + 1) << level]).root()

        assert range_root(0, new, subtree) == root_of(self.leaves[:new])
        return consistency_proof(old, new, subtree)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    made = Witness(tmp_path / "state", WITNESS, lambda: 1_700_000_000)
    made.trust("phasegate-log", LOG.key)
    return made


def refused(witness: Witness, note: Note, proof: tuple[bytes, ...] = ()) -> WitnessRefused:
    before = witness.remembered("phasegate-log")
    with pytest.raises(WitnessRefused) as caught:
        witness.cosign(note, proof)
    assert witness.remembered("phasegate-log") == before
    return caught.value


def test_given_growth_with_its_proof_then_each_checkpoint_is_cosigned(witness):
    log, old = Log(), 0
    for size in (1, 2, 7, 8, 8, 31, 40):
        note = log.checkpoint(size)
        signature = witness.cosign(note, log.proof(old, size) if old else ())
        assert cosigned_at(note.signed((signature,)), WITNESS.key) == 1_700_000_000
        assert witness.remembered("phasegate-log").size == size
        old = size


def test_given_every_pair_of_sizes_then_only_growth_is_cosigned(tmp_path):
    log, fork = Log(9), Log(9, fork=2)
    for old in range(1, 10):
        for new in range(1, 10):
            witness = Witness(tmp_path / f"{old}-{new}", WITNESS, lambda: 1)
            witness.trust("phasegate-log", LOG.key)
            witness.cosign(log.checkpoint(old))
            if old <= new:
                witness.cosign(log.checkpoint(new), log.proof(old, new))
            else:
                assert refused(witness, log.checkpoint(new)).fault == "shrunk"
            if old > 2 and new > 2 and old <= new:
                other = Witness(tmp_path / f"f{old}-{new}", WITNESS, lambda: 1)
                other.trust("phasegate-log", LOG.key)
                other.cosign(log.checkpoint(old))
                fault = refused(other, fork.checkpoint(new), fork.proof(old, new)).fault
                assert fault == ("fork" if old == new else "bad_proof")


@pytest.mark.attack
def test_given_two_heads_at_one_size_then_the_second_is_refused(witness):
    witness.cosign(Log().checkpoint(12))
    error = refused(witness, Log(fork=3).checkpoint(12))
    assert (error.fault, error.held) == ("fork", 12)
    witness.cosign(Log().checkpoint(12))


@pytest.mark.attack
def test_given_a_fork_a_missing_or_a_foreign_proof_then_it_is_refused(witness):
    log, fork = Log(), Log(fork=3)
    witness.cosign(log.checkpoint(12))
    for proof in ((), fork.proof(12, 20), log.proof(11, 20), log.proof(12, 21), (bytes(32),) * 4):
        assert refused(witness, fork.checkpoint(20), proof).fault == "bad_proof"
    for proof in ((), log.proof(12, 20)[:-1], (*log.proof(12, 20), bytes(32))):
        assert refused(witness, log.checkpoint(20), proof).fault == "bad_proof"


def test_given_a_proof_for_a_log_never_seen_then_it_is_refused(witness):
    assert refused(witness, Log().checkpoint(5), (bytes(32),)).fault == "bad_proof"


@pytest.mark.attack
def test_given_another_key_a_foreign_signature_or_none_then_it_is_refused(witness):
    log = Log()
    assert refused(witness, log.checkpoint(5, OTHER)).fault == "not_signed"
    assert refused(witness, Note(log.checkpoint(5).text, ())).fault == "not_signed"
    borrowed = Note(log.checkpoint(5).text, log.checkpoint(6).signatures)
    assert refused(witness, borrowed).fault == "not_signed"


def test_given_an_unknown_log_then_it_is_refused(tmp_path):
    witness = Witness(tmp_path, WITNESS, lambda: 1)
    with pytest.raises(WitnessRefused) as caught:
        witness.cosign(Log().checkpoint(5))
    assert caught.value.fault == "unknown_log"


def test_given_a_log_with_a_new_key_then_what_was_seen_stays(witness):
    log = Log()
    witness.cosign(log.checkpoint(12))
    witness.trust("phasegate-log", OTHER.key)
    assert refused(witness, log.checkpoint(11, OTHER)).fault == "shrunk"
    assert refused(witness, log.checkpoint(20), log.proof(12, 20)).fault == "not_signed"
    witness.cosign(log.checkpoint(20, OTHER), log.proof(12, 20))


@pytest.mark.attack
@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"null", b"{", b"[" * 100_000, b'{"origin": 1, "log": 2, "note": 3}']
)
def test_given_a_damaged_state_then_nothing_is_cosigned(witness, tmp_path, damage):
    witness.cosign(Log().checkpoint(12))
    (file,) = (tmp_path / "state").glob("*.json")
    file.write_bytes(damage)
    with pytest.raises(WitnessRefused) as caught:
        witness.cosign(Log().checkpoint(12))
    assert caught.value.fault == "state"


def test_given_the_state_of_another_log_in_its_place_then_nothing_is_cosigned(witness, tmp_path):
    witness.trust("phasegate-else", LOG.key)
    name = sha256(b"phasegate-log").hexdigest()
    (other,) = (item for item in (tmp_path / "state").glob("*.json") if item.stem != name)
    other.replace(tmp_path / "state" / f"{name}.json")
    with pytest.raises(WitnessRefused, match="of another log"):
        witness.cosign(Log().checkpoint(12))


def test_given_a_key_for_notes_then_there_is_no_witness(tmp_path):
    with pytest.raises(NoteError, match="cosignatures"):
        Witness(tmp_path, LOG, lambda: 1)


def test_given_other_signatures_on_the_note_then_only_the_logs_is_remembered(witness):
    note = Log().checkpoint(12)
    text = note.text
    stranger = SeedSigner.from_seed("stranger", bytes(32))
    witness.cosign(note.signed((signed_note(text, stranger),)))
    assert witness.remembered("phasegate-log").note == note


@pytest.mark.attack
@pytest.mark.parametrize("errno", [5, 28], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("at", range(6))
def test_given_a_disk_that_fails_at_any_step_then_no_cosignature_leaves_without_its_memory(
    witness, monkeypatch, at, errno
):
    log = Log()
    witness.cosign(log.checkpoint(12))
    calls = []

    def failing(real):
        def call(*args, **more):
            calls.append(real)
            if len(calls) == at + 1:
                raise OSError(errno, os.strerror(errno))
            return real(*args, **more)

        return call

    with monkeypatch.context() as patched:
        import pathlib

        patched.setattr(os, "fsync", failing(os.fsync))
        patched.setattr(pathlib.Path, "replace", failing(pathlib.Path.replace))
        patched.setattr(os, "fdopen", failing(os.fdopen))
        outcome = None
        try:
            outcome = witness.cosign(log.checkpoint(20), log.proof(12, 20))
        except OSError:
            outcome = None
    remembered = witness.remembered("phasegate-log").size
    assert remembered in {12, 20}
    if outcome is not None:
        assert remembered == 20
    # Whatever happened, a fork of what may have been cosigned is refused, and asking again is enough.
    fork = Log(fork=3)
    refused(witness, fork.checkpoint(20), fork.proof(remembered, 20))
    witness.cosign(log.checkpoint(20), log.proof(remembered, 20) if remembered < 20 else ())
