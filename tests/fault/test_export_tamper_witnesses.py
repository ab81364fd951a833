"""Cosignatures of an export: the stale, the changed and the too few are named, and do not rule out a fork."""

import pytest
from exported_ledgers import SEEN_S, WITNESSES, Signer, forged_tiles, note_over
from tampered_exports import DATAS, KEYS, WITNESS_KEYS, code

from phasegate.ledger.note_keys import Algorithm
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_path

pytestmark = pytest.mark.attack


def test_a_stale_cosignature_is_named(tmp_path):
    old = parse_note(note_over(DATAS[:-1], witnesses=WITNESSES[:1]))
    note = parse_note(note_over(DATAS)).signed(old.signatures[1:]).encoded().encode()
    terms = Terms(keys=KEYS, witnesses=WITNESS_KEYS[:1], quorum=1)
    assert code(forged_tiles(tmp_path / "tiles", DATAS, note), terms) == "bad_cosignature"


def test_a_cosignature_whose_time_was_changed_is_named(tmp_path):
    note = parse_note(note_over(DATAS, witnesses=WITNESSES[:1]))
    line = note.signatures[1]
    later = line._replace(data=(SEEN_S + 60).to_bytes(8, "big") + line.data[8:])
    path = forged_tiles(
        tmp_path / "tiles", DATAS, Note(note.text, (note.signatures[0], later)).encoded().encode()
    )
    assert code(path, Terms(witnesses=WITNESS_KEYS[:1], quorum=1)) == "bad_cosignature"


def test_too_few_witnesses_are_named_and_an_unknown_one_does_not_count(tmp_path):
    stranger = Signer("stranger.example", 77, Algorithm.COSIGNATURE)
    note = note_over(DATAS, witnesses=(WITNESSES[0], stranger))
    path = forged_tiles(tmp_path / "tiles", DATAS, note)
    assert code(path, Terms(witnesses=WITNESS_KEYS, quorum=2)) == "no_quorum"
    assert code(path, Terms(witnesses=WITNESS_KEYS, quorum=1)) is None


def test_a_fork_is_ruled_out_only_by_more_than_half_of_the_witnesses(tmp_path):
    path = forged_tiles(tmp_path / "tiles", DATAS, note_over(DATAS, witnesses=WITNESSES[:2]))
    half = verify_path(path, Terms(witnesses=WITNESS_KEYS[:2], quorum=1))
    assert [doubt.partition(":")[0] for doubt in half.not_ruled_out] == ["truncation", "fork"]
    most = verify_path(path, Terms(witnesses=WITNESS_KEYS, quorum=2))
    assert [doubt.partition(":")[0] for doubt in most.not_ruled_out] == ["truncation"]
