"""The keys of a ledger follow one another, and each signs only what came in its time."""

from __future__ import annotations

import itertools
from hashlib import sha256

import pytest

from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.entry import Draft, Entry
from phasegate.ledger.errors import KeyChainError, NoteError
from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.note_keys import Algorithm, signed_note
from phasegate.ledger.note_signers import SeedSigner
from phasegate.ledger.notes import Note
from phasegate.ledger.rotation import ROTATED, key_chain, rotation_note

LEDGER = "phasegate-test"
AT = "2026-03-01T00:00:00.000000Z"


def signer(number: int, name: str = LEDGER) -> SeedSigner:
    return SeedSigner.from_seed(name, bytes([number]) * 32)


ONE, TWO, THREE, STRANGER = (signer(number) for number in (1, 2, 3, 9))


def ledger_of(*pairs: tuple[SeedSigner, SeedSigner], filling: int = 4) -> list[Entry]:
    """A ledger with rotations at 5, 10, ..."""
    store = MemoryStore(LEDGER, at=AT)
    plain = Draft("-", "-", 0, "flag.set", "user:x", "t", {})
    for before, after in pairs:
        note = rotation_note(LEDGER, before, after).encoded()
        body = {"before": before.public_vkey, "after": after.public_vkey, "note": note}
        store.append([plain] * filling, at=AT)
        store.append([Draft("-", "-", 0, ROTATED, "user:x", "t", body)], at=AT)
    return list(store.entries())


def checkpoint(size: int, by: SeedSigner, origin: str = LEDGER) -> Note:
    text = Checkpoint(origin, size, sha256(b"").digest()).text()
    return Note(text, (signed_note(text, by),))


def test_given_two_rotations_then_each_key_counts_from_its_entry_on():
    entries = ledger_of((ONE, TWO), (TWO, THREE))
    for trusted in (ONE, TWO, THREE):
        chain = key_chain(LEDGER, entries, trusted.key)
        assert chain.keys == (ONE.key, TWO.key, THREE.key)
        assert [chain.at(size) for size in (0, 4, 5, 9, 10, 99)] == [
            key.key for key in (ONE, ONE, TWO, TWO, THREE, THREE)
        ]
        assert chain.current == THREE.key


def test_given_a_checkpoint_by_the_key_in_force_then_it_counts_and_by_no_other():
    chain = key_chain(LEDGER, ledger_of((ONE, TWO), (TWO, THREE)), ONE.key)
    right = {4: ONE, 5: TWO, 9: TWO, 10: THREE}
    for size, by in itertools.product(right, (ONE, TWO, THREE)):
        if right[size] is by:
            assert chain.check(checkpoint(size, by), LEDGER).size == size
        else:
            with pytest.raises(KeyChainError):
                chain.check(checkpoint(size, by), LEDGER)


def test_given_a_rotated_an_early_or_an_unknown_key_then_it_is_named():
    chain = key_chain(LEDGER, ledger_of((ONE, TWO)), ONE.key)
    with pytest.raises(KeyChainError, match=rf"{ONE.key.key_id.replace('+', '.')}` was rotated at entry 5"):
        chain.check(checkpoint(7, ONE), LEDGER)
    with pytest.raises(KeyChainError, match="came with entry 5"):
        chain.check(checkpoint(3, TWO), LEDGER)
    with pytest.raises(KeyChainError, match=rf"{STRANGER.key.key_id.replace('+', '.')}`: unknown"):
        chain.check(checkpoint(7, STRANGER), LEDGER)


def test_given_a_checkpoint_of_another_ledger_by_the_same_key_then_it_is_refused():
    chain = key_chain(LEDGER, [], ONE.key)
    with pytest.raises(NoteError, match="is of `phasegate-other`"):
        chain.check(checkpoint(1, ONE, "phasegate-other"), LEDGER)


@pytest.mark.parametrize(
    ("pairs", "trusted"),
    [
        ([(ONE, TWO), (ONE, THREE)], ONE),
        ([(ONE, TWO), (TWO, ONE)], ONE),
        ([(ONE, TWO), (STRANGER, TWO)], ONE),
        ([(STRANGER, TWO), (ONE, TWO)], ONE),
    ],
    ids=["a rotated key rotates again", "a key comes back", "a stranger claims one", "it was a stranger's"],
)
def test_given_keys_that_do_not_follow_one_another_then_the_chain_is_refused(pairs, trusted):
    with pytest.raises(KeyChainError):
        key_chain(LEDGER, ledger_of(*pairs), trusted.key)


def test_given_a_rotation_by_a_stranger_then_it_leads_nowhere():
    entries = ledger_of((ONE, TWO), (STRANGER, THREE))
    assert key_chain(LEDGER, entries, ONE.key).keys == (ONE.key, TWO.key)
    assert key_chain(LEDGER, entries, THREE.key).keys == (STRANGER.key, THREE.key)
    chain = key_chain(LEDGER, ledger_of((STRANGER, THREE)), ONE.key)
    assert chain.spans == ((0, ONE.key),)
    for by in (STRANGER, THREE):
        with pytest.raises(KeyChainError, match="unknown"):
            chain.check(checkpoint(7, by), LEDGER)


def spoiled(entries: list[Entry], **change: str) -> list[Entry]:
    return [entry._replace(payload={**entry.payload, **change}) for entry in entries if entry.type == ROTATED]


def test_given_a_changed_rotation_then_it_is_refused():
    entries = ledger_of((ONE, TWO))
    note = str(entries[-1].payload["note"])
    text, _, lines = note.partition("\n\n")
    first, second = lines.splitlines()
    changes = [
        {"after": THREE.public_vkey},
        {"before": STRANGER.public_vkey},
        {"note": rotation_note("phasegate-other", ONE, TWO).encoded()},
        {"note": f"{text}\n\n{first}\n"},
        {"note": f"{text}\n\n{second}\n"},
        {"note": rotation_note(LEDGER, ONE, THREE).encoded()},
        {"note": ""},
    ]
    for change in changes:
        with pytest.raises(NoteError):
            key_chain(LEDGER, spoiled(entries, **change), ONE.key)
    with pytest.raises(NoteError):
        key_chain(LEDGER, [entries[-1]._replace(payload={})], ONE.key)


def test_given_a_rotation_to_the_same_key_then_it_is_refused():
    with pytest.raises(KeyChainError, match="no new key"):
        key_chain(LEDGER, ledger_of((ONE, ONE)), ONE.key)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_given_a_signer_key_as_text_then_it_is_read_back_and_one_changed_character_is_refused(algorithm):
    key = SeedSigner.from_seed("witness.example", bytes(range(32)), algorithm)
    text = key.secret_text()
    assert SeedSigner.parse(text) == key
    assert "private" not in repr(key).lower()
    assert text not in repr(key)
    for at, char in enumerate(text):
        with pytest.raises(NoteError):
            SeedSigner.parse(text[:at] + chr(ord(char) ^ 1) + text[at + 1 :])
