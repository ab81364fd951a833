"""What only something signed or kept shows of an export: a cut tail, a chain written anew, a false signature."""

import pytest
from exported_ledgers import LEDGER, LOG, THIEF, Signer, draft, forged_tiles, jsonl_file, note_over, rechained
from tampered_exports import DATAS, FULL, KEYS, NOTE, SIZE, code

from phasegate.ledger.checkpoint import Checkpoint
from phasegate.ledger.merkle import EMPTY_ROOT, leaf_hash, root_of
from phasegate.ledger.note_keys import signed_note
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_path

pytestmark = pytest.mark.attack


def test_a_cut_tail_is_not_named_without_a_checkpoint_and_the_report_says_so(tmp_path):
    for path in (forged_tiles(tmp_path / "t", DATAS[:500]), jsonl_file(tmp_path / "l", DATAS[:500])):
        report = verify_path(path)
        assert report.exit_code == 0
        assert report.not_ruled_out[0] == "truncation: entries removed from the end"
        assert code(path, Terms(previous=(note_over(DATAS[:501]),))) == "truncated"
        assert code(path, Terms(checkpoint=NOTE)) == "truncated"


def test_a_cut_tail_under_the_checkpoint_of_the_whole_is_named(tmp_path):
    assert code(forged_tiles(tmp_path / "tiles", DATAS[:599], NOTE)) == "truncated"


def test_a_cut_tail_under_an_older_checkpoint_is_ruled_out_only_up_to_the_one_kept(tmp_path):
    path = forged_tiles(tmp_path / "tiles", DATAS[:500], note_over(DATAS[:500]))
    report = verify_path(path, Terms(keys=KEYS))
    assert report.exit_code == 0
    assert report.not_ruled_out[0] == "truncation: entries removed that came after entry 500"
    assert code(path, Terms(keys=KEYS, previous=(NOTE,))) == "truncated"


def test_a_chain_written_anew_is_shown_by_whatever_was_signed_or_kept(tmp_path):
    anew = rechained([draft(n, word="other") for n in range(1, SIZE + 1)])
    path = forged_tiles(tmp_path / "tiles", anew)
    assert verify_path(path).exit_code == 0
    assert code(path, Terms(checkpoint=NOTE)) == "checkpoint_mismatch"
    assert code(path, Terms(previous=(note_over(DATAS[:1]),))) == "checkpoint_mismatch"
    (path / "checkpoint").write_bytes(note_over(anew, THIEF))
    assert code(path, Terms(keys=KEYS)) == "wrong_key"
    assert code(path, Terms(keys=(THIEF.key,), previous=(NOTE,))) == "two_roots"


def test_with_a_stolen_key_a_rewrite_passes_the_key_and_not_what_was_kept_or_witnessed(tmp_path):
    anew = rechained([draft(n, word="other") for n in range(1, SIZE + 1)])
    path = forged_tiles(tmp_path / "tiles", anew, note_over(anew))
    report = verify_path(path, Terms(keys=KEYS))
    assert report.exit_code == 0
    assert (
        report.not_ruled_out[1]
        == f"rewrite: the whole chain up to entry {SIZE} written anew by who holds the key"
    )
    assert code(path, Terms(keys=KEYS, previous=(NOTE,))) == "two_roots"
    assert code(path, Terms(keys=KEYS, previous=(note_over(DATAS[:100]),))) == "checkpoint_mismatch"
    assert code(path, FULL) == "no_quorum"


@pytest.mark.parametrize(
    ("signer", "named"),
    [
        (THIEF, "wrong_key"),
        (Signer("example.com/other", 1), "wrong_key"),
        (Signer("example.com/Ledger", 1), "wrong_key"),
    ],
)
def test_a_checkpoint_signed_by_another_key_or_name_is_named(tmp_path, signer, named):
    path = forged_tiles(tmp_path / "tiles", DATAS, note_over(DATAS, signer))
    assert code(path, Terms(keys=KEYS)) == named
    assert code(path, Terms(keys=(*KEYS, signer.key))) is None


def test_a_signature_copied_under_another_text_is_named(tmp_path):
    other = parse_note(note_over(DATAS[:-1]))
    text = Checkpoint(LEDGER, SIZE, root_of(map(leaf_hash, DATAS))).text()
    note = Note(text, other.signatures).encoded().encode()
    assert code(forged_tiles(tmp_path / "tiles", DATAS, note), Terms(keys=KEYS)) == "bad_signature"


def test_a_false_signature_beside_a_good_one_is_named(tmp_path):
    note = parse_note(NOTE)
    false = note.signatures[0]._replace(data=bytes(64))
    path = forged_tiles(tmp_path / "tiles", DATAS, note.signed([false]).encoded().encode())
    assert code(path, Terms(keys=KEYS)) == "bad_signature"


@pytest.mark.parametrize(
    "origin", ["example.com/other", "ex\u0430mple.com/ledger", "example.com/ledger/", "Example.com/ledger"]
)
def test_a_checkpoint_of_a_look_alike_is_named_with_its_letters_shown(tmp_path, origin):
    path = forged_tiles(tmp_path / "tiles", DATAS, note_over(DATAS, origin=origin))
    assert code(path, Terms(keys=KEYS)) == "foreign_checkpoint"
    problem = verify_path(path).chain.problem
    assert problem is not None
    assert problem.message.isascii()
    assert code(jsonl_file(tmp_path / "l", DATAS), Terms(ledger=origin)) == "foreign_ledger"


def test_a_checkpoint_of_size_0_holds_and_rules_nothing_out(tmp_path):
    path = forged_tiles(tmp_path / "tiles", DATAS, note_over([]))
    report = verify_path(path, Terms(keys=KEYS, previous=(note_over([]),)))
    assert report.exit_code == 0
    assert report.not_ruled_out == verify_path(jsonl_file(tmp_path / "l", DATAS)).not_ruled_out
    other = Checkpoint(LEDGER, 0, b"\x01" * 32)
    assert other.root != EMPTY_ROOT
    false = Note(other.text(), (signed_note(other.text(), LOG),)).encoded().encode()
    assert code(path, Terms(keys=KEYS, previous=(false,))) == "two_roots"
    assert code(forged_tiles(tmp_path / "empty", [], false)) == "checkpoint_mismatch"
    assert code(forged_tiles(tmp_path / "none", [], note_over(DATAS))) == "truncated"


def test_a_checkpoint_larger_than_the_export_is_named(tmp_path):
    for size in (SIZE + 1, 2**53 - 1, 10**15):
        text = Checkpoint(LEDGER, size, bytes(32)).text()
        note = Note(text, (signed_note(text, LOG),)).encoded().encode()
        assert code(forged_tiles(tmp_path / f"t{size}", DATAS, note), Terms(keys=KEYS)) == "truncated"


def test_two_roots_at_one_size_are_named_and_kept_as_proof(tmp_path):
    other = note_over([*DATAS[:-1], b"other"])
    report = verify_path(forged_tiles(tmp_path / "t", DATAS, NOTE), Terms(keys=KEYS, previous=(other,)))
    assert report.chain.problem is not None
    assert report.chain.problem.code == "two_roots"
    assert "keep both" in report.chain.problem.message


def test_a_checkpoint_given_does_not_hide_a_false_one_in_the_export(tmp_path):
    terms = Terms(keys=KEYS, checkpoint=NOTE)
    assert code(forged_tiles(tmp_path / "good", DATAS, note_over(DATAS[:9])), terms) is None
    assert code(forged_tiles(tmp_path / "thief", DATAS, note_over(DATAS, THIEF)), terms) == "wrong_key"
    other = note_over([*DATAS[:-1], b"other"])
    assert code(forged_tiles(tmp_path / "two", DATAS, other), terms) == "two_roots"
    other = note_over([*DATAS[:9], b"other"])
    assert code(forged_tiles(tmp_path / "old", DATAS, other), terms) == "checkpoint_mismatch"


def test_what_is_kept_but_unreadable_is_named(tmp_path):
    lines = jsonl_file(tmp_path / "l", DATAS)
    for data in (b"", b"junk", NOTE[:-1], NOTE.replace(b"600", b"0600"), b"\xff"):
        assert code(lines, Terms(previous=(data,))) == "bad_checkpoint"
        assert code(lines, Terms(checkpoint=data)) == "bad_checkpoint"
