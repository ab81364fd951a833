"""Files of an export tampered with, taken away, linked or put in beside it are named."""

import os
import random
import shutil

import pytest
from exported_ledgers import (
    LEDGER,
    SEEN_S,
    THIEF,
    WITNESSES,
    datas_of,
    draft,
    exported,
    ledger_of,
    note_over,
    rechained,
)
from tampered_exports import DATAS, FULL, KEYS, NOTE, SIZE, STORE, code

from phasegate.ledger.checkpoint import cosign
from phasegate.ledger.export.tiles import ALL, export_tiles
from phasegate.ledger.merkle import inclusion_proof, leaf_hash, root_of
from phasegate.ledger.notes import parse_note
from phasegate.ledger.offline.terms import Terms
from phasegate.ledger.offline.verifying import verify_path
from phasegate.ledger.tile_paths import bundled
from phasegate.ledger.tlog_proof import encode_proof

pytestmark = pytest.mark.attack


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


def test_proofs_of_every_entry_hold(tmp_path):
    store = ledger_of(70)
    export_tiles(store, tmp_path / "tiles", checkpoint=note_over(datas_of(store)), proofs={ALL})
    assert verify_path(tmp_path / "tiles", Terms(keys=KEYS)).exit_code == 0
    assert exported(tmp_path / "tiles", store)
    assert cosign(parse_note(NOTE), WITNESSES[0], SEEN_S).name == WITNESSES[0].name
