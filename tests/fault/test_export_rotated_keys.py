"""Exports of a ledger whose key was replaced: all its keys are the ledger's, and none of them a witness."""

import pytest
from exported_ledgers import LEDGER, LOG, Signer, draft, forged_tiles, note_over, rechained
from tampered_exports import code

from phasegate.ledger.entry import Draft
from phasegate.ledger.errors import ExportError
from phasegate.ledger.note_keys import Algorithm
from phasegate.ledger.notes import parse_note
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_path
from phasegate.ledger.rotation import ROTATED, rotation_note

pytestmark = pytest.mark.attack

NEXT = Signer(LEDGER, 3)
SAID = {
    "before": LOG.public_vkey,
    "after": NEXT.public_vkey,
    "note": rotation_note(LEDGER, LOG, NEXT).encoded(),
}
DATAS = rechained([draft(1), Draft("-", "", 0, ROTATED, "tester", "", SAID), draft(3), draft(4)])


@pytest.mark.parametrize("given", [LOG, NEXT])
def test_a_false_signature_of_any_key_of_the_ledger_is_named(tmp_path, given):
    note = parse_note(note_over(DATAS, NEXT))
    true = parse_note(note_over(DATAS, LOG)).signatures
    terms = Terms(keys=(given.key,))
    assert code(forged_tiles(tmp_path / "one", DATAS, note.encoded().encode()), terms) is None
    assert code(forged_tiles(tmp_path / "two", DATAS, note.signed(true).encoded().encode()), terms) is None
    false = note.signed([true[0]._replace(data=bytes(64))]).encoded().encode()
    assert code(forged_tiles(tmp_path / "three", DATAS, false), terms) == "bad_signature"
    before = note_over(DATAS, LOG)
    assert code(forged_tiles(tmp_path / "four", DATAS, before), terms) == "wrong_key"


@pytest.mark.parametrize("given", [LOG, NEXT])
def test_a_key_that_a_rotation_leads_to_is_no_witness(tmp_path, given):
    for signer in (LOG, NEXT):
        own = Signer("own.example", signer.seed, Algorithm.COSIGNATURE)
        path = forged_tiles(
            tmp_path / signer.key.key_id.replace("/", "-"), DATAS, note_over(DATAS, NEXT, witnesses=[own])
        )
        with pytest.raises(ExportError, match="a key of the ledger"):
            verify_path(path, Terms(keys=(given.key,), witnesses=(own.key,), quorum=1))
