"""Attacks on exports: each is a problem with a name, none a traceback, none passes for more than it is."""

import os
import random
import shutil

import orjson
import pytest
from exported_ledgers import (
    LEDGER,
    LOG,
    SEEN_S,
    THIEF,
    WITNESSES,
    Signer,
    datas_of,
    draft,
    exported,
    forged_tiles,
    jsonl_file,
    ledger_of,
    note_over,
    rechained,
)

from phasegate.ledger.__main__ import main
from phasegate.ledger.checkpoint import Checkpoint, cosign
from phasegate.ledger.entry import parse, seal
from phasegate.ledger.export.tiles import ALL, export_tiles
from phasegate.ledger.merkle import EMPTY_ROOT, inclusion_proof, leaf_hash, root_of
from phasegate.ledger.note_keys import Algorithm, signed_note
from phasegate.ledger.notes import Note, parse_note
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_path
from phasegate.ledger.tile_paths import bundled
from phasegate.ledger.tlog_proof import encode_proof

pytestmark = pytest.mark.attack

SIZE = 600
STORE = ledger_of(SIZE)
DATAS = datas_of(STORE)
NOTE = note_over(DATAS, witnesses=WITNESSES)
KEYS = (LOG.key,)
WITNESS_KEYS = tuple(witness.key for witness in WITNESSES)
FULL = Terms(keys=KEYS, witnesses=WITNESS_KEYS, quorum=3)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """An export of two full tiles and a little more, with a cosigned checkpoint and three proofs."""
    folder = tmp_path_factory.mktemp("original") / "tiles"
    export_tiles(STORE, folder, checkpoint=NOTE, proofs={1, 300, 600})
    return folder


@pytest.fixture
def tiles(original, tmp_path):
    """A copy to tamper with."""
    return shutil.copytree(original, tmp_path / "tiles")


def code(path, terms=Terms()):  # noqa: B008 - immutable
    """The problem's code; whoever reads the report is told of nothing else."""
    report = verify_path(path, terms)
    if report.chain.problem is None:
        assert report.exit_code in {0, 3}
        return None
    assert report.exit_code == 4
    assert report.checked == ()
    assert [doubt.partition(":")[0] for doubt in report.not_ruled_out] == ["truncation", "rewrite", "fork"]
    assert orjson.dumps(report.to_json())
    assert report.lines()
    return report.chain.problem.code


# -- entries, in tiles that fit them and in lines -------------------------------------------------------


def edited(datas):
    return [*datas[:40], datas[40].replace(b"tester", b"teaser"), *datas[41:]]


def inserted(datas):
    return [*datas[:40], datas[39], *datas[40:]]


def resealed(datas):
    """An entry inserted that links to the one before it, as a careful forger would."""
    before = parse(datas[39])
    return [*datas[:40], seal(draft(999), 41, before.hash, before.at, LEDGER).bytes, *datas[40:]]


def deleted(datas):
    return [*datas[:40], *datas[41:]]


def reordered(datas):
    return [*datas[:40], datas[41], datas[40], *datas[42:]]


def duplicated(datas):
    return [*datas, datas[-1]]


def without_beginning(datas):
    return datas[1:]


def foreign(datas):
    return [*datas[:-1], datas_of(ledger_of(SIZE, "example.com/other"))[-1]]


def foreign_and_linked(datas):
    before = parse(datas[-2])
    return [*datas[:-1], seal(draft(SIZE), SIZE, before.hash, before.at, "example.com/other").bytes]


def look_alike(datas):
    before = parse(datas[-2])
    return [*datas[:-1], seal(draft(SIZE), SIZE, before.hash, before.at, LEDGER.replace("a", "\u0430")).bytes]


def double_key(datas):
    return [*datas[:-1], datas[-1].replace(b'{"actor":"tester"', b'{"actor":"tester","actor":"tester"')]


def spaced(datas):
    return [*datas[:-1], datas[-1].replace(b'"actor":', b'"actor": ')]


def escaped(datas):
    return [*datas[:-1], datas[-1].replace("é".encode(), b"\\u00e9")]


def backward(datas):
    before = parse(datas[-2])
    return [*datas[:-1], seal(draft(SIZE), SIZE, before.hash, "2020-01-01T00:00:00.000000Z", LEDGER).bytes]


def emptied_entry(datas):
    return [*datas[:-1], b"{}"]


def no_object(datas):
    return [*datas[:-1], b"[]"]


def deep(datas):
    return [*datas[:-1], b'{"a":' * 5000 + b"1" + b"}" * 5000]


ENTRY_ATTACKS = {
    edited: "hash_mismatch",
    inserted: "sequence_gap",
    resealed: "sequence_gap",
    deleted: "sequence_gap",
    reordered: "sequence_gap",
    duplicated: "sequence_gap",
    without_beginning: "sequence_gap",
    foreign: "hash_mismatch",
    foreign_and_linked: "foreign_ledger",
    look_alike: "foreign_ledger",
    double_key: "not_canonical",
    spaced: "not_canonical",
    escaped: "not_canonical",
    backward: "time_backward",
    emptied_entry: "bad_entry",
    no_object: "not_canonical",
    deep: "not_canonical",
}


@pytest.mark.parametrize(
    ("attack", "named"), ENTRY_ATTACKS.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_entries_tampered_with_are_named_even_where_the_tree_fits_them(tmp_path, attack, named):
    datas = attack(DATAS)
    assert datas != DATAS
    assert code(forged_tiles(tmp_path / "tiles", datas)) == named
    assert code(jsonl_file(tmp_path / "l.jsonl", datas)) == named


# -- what only something signed or kept shows -----------------------------------------------------------


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


# -- witnesses ------------------------------------------------------------------------------------------


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


def test_one_witness_under_two_names_is_refused_before_it_is_counted(capsys):
    twin = Signer("twin.example", 10, Algorithm.COSIGNATURE)
    own = Signer("own.example", 1, Algorithm.COSIGNATURE)
    for one, other in ((WITNESSES[0], twin), (WITNESSES[0], WITNESSES[0])):
        arguments = ["--witness", one.public_vkey, "--witness", other.public_vkey]
        assert main(["verify", "nowhere", *arguments]) == 2
        assert "named twice" in capsys.readouterr().err
    assert main(["verify", "nowhere", "--key", LOG.public_vkey, "--witness", own.public_vkey]) == 2
    assert "another party" in capsys.readouterr().err


def test_what_is_demanded_and_cannot_be_checked_is_not_a_success(tmp_path):
    bare = forged_tiles(tmp_path / "tiles", DATAS)
    lines = jsonl_file(tmp_path / "l", DATAS)
    for path in (bare, lines):
        for terms in (Terms(keys=KEYS), Terms(witnesses=WITNESS_KEYS, quorum=2)):
            report = verify_path(path, terms)
            assert (report.exit_code, report.ok, len(report.not_evaluated)) == (3, False, 1)
    # An older checkpoint does not stand in for the one that was taken out of the folder.
    assert verify_path(bare, Terms(keys=KEYS, previous=(NOTE,))).exit_code == 3
    assert verify_path(lines, Terms(keys=KEYS, previous=(NOTE,))).exit_code == 0


# -- files ----------------------------------------------------------------------------------------------


def test_the_original_holds_and_says_exactly_what_is_left(tiles):
    report = verify_path(tiles, FULL._replace(previous=(note_over(DATAS[:100]),)))
    assert report.exit_code == 0
    assert report.not_ruled_out == (f"truncation: entries removed that came after entry {SIZE}",)
    assert report.signed_by == (LEDGER,)
    assert [witness.name for witness in report.cosigned] == [witness.name for witness in WITNESSES]


def surplus_file(folder):
    (folder / "tile" / "0" / "note.txt").write_text("x")


def second_name(folder):
    shutil.copy(folder / "tile/0/000", folder / "tile/0/000.p/256") if (
        folder / "tile/0/000.p"
    ).mkdir() is None else None


def zero_padded_name(folder):
    (folder / "tile/0/x000").mkdir()
    shutil.copy(folder / "tile/0/000", folder / "tile/0/x000/000")


def name_in_other_digits(folder):
    (folder / "tile/0/\u0660\u0660\u0663").write_bytes(b"")


def hidden_file(folder):
    (folder / ".new").write_text("x")


def link_to_tile(folder):
    (folder / "tile/0/000").unlink()
    (folder / "tile/0/000").symlink_to(folder / "tile/0/001")


def linked_folder(folder):
    (folder / "tile/1").rename(folder.parent / "elsewhere")
    (folder / "tile/1").symlink_to(folder.parent / "elsewhere")


def linked_checkpoint(folder):
    (folder / "checkpoint").rename(folder.parent / "checkpoint")
    (folder / "checkpoint").symlink_to(folder.parent / "checkpoint")


def pipe(folder):
    (folder / "tile/0/000").unlink()
    os.mkfifo(folder / "tile/0/000")


def missing_tile(folder):
    (folder / "tile/0/000").unlink()


def missing_partial_tile(folder):
    (folder / "tile/1/000.p/2").unlink()


def missing_bundle(folder):
    (folder / "tile/entries/001").unlink()


def missing_first_bundle(folder):
    (folder / "tile/entries/000").unlink()


def missing_last_bundle(folder):
    (folder / "tile/entries/002.p/88").unlink()


def partial_tile_with_a_hash_less(folder):
    path = folder / "tile/0/002.p/88"
    path.write_bytes(path.read_bytes()[:-32])


def partial_tile_that_says_more(folder):
    (folder / "tile/0/002.p/88").rename(folder / "tile/0/002.p/89")


def partial_tile_said_to_be_wider_too(folder):
    path = folder / "tile/0/002.p/88"
    (folder / "tile/0/002.p/90").write_bytes(path.read_bytes() + bytes(64))


def partial_bundle_that_says_more(folder):
    (folder / "tile/entries/002.p/88").rename(folder / "tile/entries/002.p/89")


def bundle_longer_than_its_entries(folder):
    path = folder / "tile/entries/002.p/88"
    path.write_bytes(path.read_bytes() + b"\xff")


def bundle_of_rubbish(folder):
    (folder / "tile/entries/000").write_bytes(b"\xff" * 20_000_000)


def older_bundle_of_others(folder):
    (folder / "tile/entries/002.p/2").write_bytes(bundled([b"a", b"b"]))


def older_tile_of_others(folder):
    (folder / "tile/0/002.p/2").write_bytes(bytes(64))


def tile_of_a_level_above(folder):
    (folder / "tile/2/").mkdir()
    (folder / "tile/2/000.p").mkdir()
    (folder / "tile/2/000.p/1").write_bytes(bytes(32))


def proof_of_another_entry(folder):
    shutil.copy(folder / "proof/000.tlog-proof", folder / "proof/001.tlog-proof")


def proof_beyond_the_end(folder):
    data = (folder / "proof/000.tlog-proof").read_bytes()
    (folder / "proof/600.tlog-proof").write_bytes(data.replace(b"index 0", b"index 600"))


def proof_with_another_hash(folder):
    path = folder / "proof/299.tlog-proof"
    lines = path.read_bytes().split(b"\n")
    lines[2], lines[3] = lines[3], lines[2]
    path.write_bytes(b"\n".join(lines))


def proof_of_nothing(folder):
    (folder / "proof/000.tlog-proof").write_bytes(b"")


def proof_under_a_false_checkpoint(folder):
    path = folder / "proof/000.tlog-proof"
    path.write_bytes(
        path.read_bytes().partition(b"\n\n")[0] + b"\n\n" + note_over(DATAS[:2], witnesses=WITNESSES)
    )


def proof_that_says_another_index(folder):
    path = folder / "proof/000.tlog-proof"
    path.write_bytes(path.read_bytes().replace(b"index 0", b"index 1"))


def proof_in_another_tree(folder):
    """It holds for its entry, under a checkpoint that was signed, of a tree that goes on otherwise."""
    other = [*DATAS[:5], *rechained([draft(n, word="other") for n in range(1, 6)])]
    proof = inclusion_proof(
        0, 8, lambda level, index: root_of(map(leaf_hash, other[index << level : (index + 1) << level]))
    )
    data = encode_proof(0, proof, note_over(other[:8], witnesses=WITNESSES))
    (folder / "proof/000.tlog-proof").write_bytes(data)


def proof_signed_by_another(folder):
    path = folder / "proof/000.tlog-proof"
    path.write_bytes(path.read_bytes().partition(b"\n\n")[0] + b"\n\n" + note_over(DATAS, THIEF))


def too_many_checkpoints_in_proofs(folder):
    from phasegate.ledger.offline import proofs

    size = proofs.CHECKPOINTS_BYTES_MAX // 70
    for index in range(71):
        name = folder / f"proof/{index:03}.tlog-proof"
        body = b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE.replace(
            b"\n\n", b"\n%d%b\n\n" % (index, b"x" * size)
        )
        name.write_bytes(body)


def checkpoint_emptied(folder):
    (folder / "checkpoint").write_bytes(b"")


def checkpoint_without_end(folder):
    (folder / "checkpoint").write_bytes(b"x" * 2_000_000)


FILE_ATTACKS = {
    surplus_file: "surplus_file",
    second_name: "surplus_file",
    zero_padded_name: "surplus_file",
    name_in_other_digits: "surplus_file",
    hidden_file: "surplus_file",
    link_to_tile: "symlink",
    linked_folder: "symlink",
    linked_checkpoint: "symlink",
    pipe: "not_a_file",
    missing_tile: "tile_missing",
    missing_partial_tile: "tile_missing",
    missing_bundle: "tile_missing",
    missing_first_bundle: "gap",
    missing_last_bundle: "wrong_width",
    partial_tile_with_a_hash_less: "wrong_width",
    partial_tile_that_says_more: "tile_missing",
    partial_tile_said_to_be_wider_too: "wrong_width",
    partial_bundle_that_says_more: "wrong_width",
    bundle_longer_than_its_entries: "bad_bundle",
    bundle_of_rubbish: "bad_bundle",
    older_bundle_of_others: "tile_mismatch",
    older_tile_of_others: "tile_mismatch",
    tile_of_a_level_above: "wrong_width",
    proof_of_another_entry: "bad_proof",
    proof_beyond_the_end: "bad_proof",
    proof_with_another_hash: "bad_proof",
    proof_of_nothing: "bad_proof",
    proof_under_a_false_checkpoint: "bad_proof",
    proof_that_says_another_index: "bad_proof",
    proof_in_another_tree: "checkpoint_mismatch",
    proof_signed_by_another: "wrong_key",
    too_many_checkpoints_in_proofs: "bad_proof",
    checkpoint_emptied: "bad_checkpoint",
    checkpoint_without_end: "bad_checkpoint",
}


@pytest.mark.parametrize(
    ("attack", "named"), FILE_ATTACKS.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_files_tampered_with_are_named(tiles, attack, named):
    attack(tiles)
    assert code(tiles, FULL) == named


def test_any_byte_changed_in_any_file_is_named(tiles):
    rng = random.Random(8785)
    files = sorted(path for path in tiles.rglob("*") if path.is_file())
    for path in files:
        data = path.read_bytes()
        for _ in range(6):
            at = rng.randrange(len(data))
            path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
            assert code(tiles, FULL), (path, at)
        path.write_bytes(data)
    assert code(tiles, FULL) is None


def test_any_file_taken_away_is_named_or_not_a_success(tiles):
    for path in sorted(path for path in tiles.rglob("*") if path.is_file()):
        if path.suffix == ".tlog-proof":
            continue
        data = path.read_bytes()
        path.unlink()
        assert verify_path(tiles, FULL).exit_code == (3 if path.name == "checkpoint" else 4), path
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (DATAS[0] + b"\r\n", "not_canonical"),
        (b"\xef\xbb\xbf" + DATAS[0] + b"\n", "not_canonical"),
        (DATAS[0] + b"\n\n", "not_canonical"),
        (b"\n", "not_canonical"),
        (DATAS[0], "cut_line"),
        (DATAS[0] + b"\n" + DATAS[1][:-9], "cut_line"),
        (DATAS[0] + b"\n" + b"x" * 65_535, "cut_line"),
        (DATAS[0] + b"\n" + b"x" * 70_000, "line_too_long"),
        (b"\xff\xfe\n", "not_canonical"),
        (bytes(1000) + b"\n", "not_canonical"),
    ],
)
def test_lines_that_are_no_entries_are_named(tmp_path, data, named):
    (tmp_path / "l.jsonl").write_bytes(data)
    assert code(tmp_path / "l.jsonl") == named


def test_what_is_kept_but_unreadable_is_named(tmp_path):
    lines = jsonl_file(tmp_path / "l", DATAS)
    for data in (b"", b"junk", NOTE[:-1], NOTE.replace(b"600", b"0600"), b"\xff"):
        assert code(lines, Terms(previous=(data,))) == "bad_checkpoint"
        assert code(lines, Terms(checkpoint=data)) == "bad_checkpoint"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        ["/dev/null"],
        [".", "--key", "no such file"],
        [".", "--key", "a+b+c"],
        [".", "--key", "PRIVATE+KEY+x+00000000+AAAA"],
        [".", "--key", WITNESSES[0].public_vkey],
        [".", "--witness", LOG.public_vkey],
        [".", "--quorum", "1"],
        [".", "--witness", WITNESSES[0].public_vkey, "--quorum", "2"],
        [".", "--witness", WITNESSES[0].public_vkey, "--quorum", "0"],
        [".", "--previous", "no such file"],
        [".", "--checkpoint", "/"],
    ],
)
def test_terms_that_cannot_be_are_wrong_usage(arguments, capsys):
    assert main(["verify", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert "PRIVATE+KEY" not in said.err.replace(" ".join(arguments), "")
    assert said.out == ""


def test_proofs_of_every_entry_hold(tmp_path):
    store = ledger_of(70)
    export_tiles(store, tmp_path / "tiles", checkpoint=note_over(datas_of(store)), proofs={ALL})
    assert verify_path(tmp_path / "tiles", Terms(keys=KEYS)).exit_code == 0
    assert exported(tmp_path / "tiles", store)
    assert cosign(parse_note(NOTE), WITNESSES[0], SEEN_S).name == WITNESSES[0].name
