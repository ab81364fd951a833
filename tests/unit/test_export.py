"""Exports: what is written, that verification accepts it, and what a second export makes of the first."""

import errno
import os
import sqlite3

import orjson
import pytest
from exported_ledgers import AT, LEDGER, LOG, datas_of, draft, exported, grow, ledger_of, note_over

from phasegate.ledger.errors import ExportError, ExportMismatch, ProofError
from phasegate.ledger.export.jsonl import export_jsonl
from phasegate.ledger.export.sqlite_db import export_sqlite
from phasegate.ledger.export.tiles import ALL, export_tiles
from phasegate.ledger.merkle import EMPTY_ROOT, check_inclusion, leaf_hash, root_of
from phasegate.ledger.offline.verifying import verify_path
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.tile_paths import unbundled
from phasegate.ledger.tlog_proof import encode_proof, parse_proof


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 600])
def test_given_any_size_then_tiles_hold_every_entry_and_verify(tmp_path, size):
    store = ledger_of(size)
    note = note_over(datas_of(store))
    written = export_tiles(store, tmp_path / "tiles", checkpoint=note)
    report = verify_path(tmp_path / "tiles")
    assert (report.exit_code, report.kind, report.chain.entries) == (0, "tiles", size), report
    assert report.chain.root == written.chain.root == root_of(map(leaf_hash, datas_of(store)))
    files = files_of(tmp_path / "tiles")
    bundles = [files[name] for name in sorted(files) if name.startswith("tile/entries/")]
    assert [data for bundle in bundles for data in unbundled(bundle)] == datas_of(store)
    assert files["checkpoint"] == note
    assert written.files == len(files)


def test_given_the_specifications_example_then_there_are_exactly_its_tiles(tmp_path):
    # C2SP tlog-tiles: a tree of size 70,000 has 273 full tiles and one of 112 at level 0, a full one and one
    # of 17 at level 1, and one of 1 at level 2.
    export_tiles(ledger_of(70_000), tmp_path / "tiles")
    names = set(files_of(tmp_path / "tiles"))
    at = {
        level: {name for name in names if name.startswith(f"tile/{level}/")} for level in (0, 1, 2, "entries")
    }
    assert set.union(*at.values()) == names
    assert len(at[0]) == len(at["entries"]) == 274
    assert {"tile/0/000", "tile/0/272", "tile/0/273.p/112"} <= at[0]
    assert at[1] == {"tile/1/000", "tile/1/001.p/17"}
    assert at[2] == {"tile/2/000.p/1"}
    assert verify_path(tmp_path / "tiles").exit_code == 0


@pytest.mark.parametrize(("first", "second"), [(0, 5), (5, 5), (5, 300), (256, 512), (300, 301), (257, 1000)])
def test_given_a_later_export_then_files_are_added_and_none_changes(tmp_path, first, second):
    store = ledger_of(first)
    export_tiles(store, tmp_path / "tiles", checkpoint=note_over(datas_of(store)))
    before = files_of(tmp_path / "tiles")
    grow(store, second)
    export_tiles(store, tmp_path / "tiles", checkpoint=note_over(datas_of(store)))
    after = files_of(tmp_path / "tiles")
    assert {name: after[name] for name in before if name != "checkpoint"} == {
        name: data for name, data in before.items() if name != "checkpoint"
    }
    report = verify_path(tmp_path / "tiles")
    assert (report.exit_code, report.chain.entries) == (0, second), report
    assert list(tmp_path.iterdir()) == [tmp_path / "tiles"]


def test_given_a_checkpoint_behind_the_ledger_then_its_own_partial_tiles_are_there_too(tmp_path):
    store = ledger_of(600)
    export_tiles(store, tmp_path / "tiles", checkpoint=note_over(datas_of(store)[:300]))
    names = files_of(tmp_path / "tiles")
    assert {"tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44", "tile/entries/002.p/88"} <= set(
        names
    )
    assert len(unbundled(names["tile/entries/001.p/44"])) == 44
    report = verify_path(tmp_path / "tiles")
    assert (report.exit_code, report.chain.entries, report.checkpoint.checkpoint.size) == (0, 600, 300)


@pytest.mark.parametrize("moved", [0, 1, 3])
def test_given_an_update_that_broke_off_then_the_next_one_completes_it(tmp_path, monkeypatch, moved):
    store = ledger_of(300)
    export_tiles(store, tmp_path / "tiles", checkpoint=note_over(datas_of(store)))
    grow(store, 800)
    note = note_over(datas_of(store))
    replace, calls = os.replace, []

    def full_disk(source, target):
        calls.append(target)
        if len(calls) > moved:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        refused("not_written", export_tiles, store, tmp_path / "tiles", checkpoint=note)
    assert list(tmp_path.iterdir()) == [tmp_path / "tiles"]
    export_tiles(store, tmp_path / "tiles", checkpoint=note)
    report = verify_path(tmp_path / "tiles")
    assert (report.exit_code, report.chain.entries, report.checkpoint.checkpoint.size) == (0, 800, 800)


def test_given_an_empty_folder_then_it_is_filled(tmp_path):
    export_tiles(ledger_of(3), tmp_path)
    assert verify_path(tmp_path).chain.entries == 3


def refused(code, call, *args, **more):
    with pytest.raises(ExportError) as caught:
        call(*args, **more)
    assert caught.value.code == code, caught.value
    return caught.value


def test_given_another_ledgers_export_or_a_newer_one_then_it_is_left_alone(tmp_path):
    folder = exported(tmp_path / "tiles", ledger_of(300))
    before = files_of(folder)
    refused("other_ledger", export_tiles, ledger_of(300, "other"), folder)
    refused("other_ledger", export_tiles, ledger_of(900, word="other"), folder)
    refused("newer_export", export_tiles, ledger_of(299), folder)
    refused("newer_export", export_tiles, ledger_of(0), folder)
    assert files_of(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


def test_given_a_checkpoint_that_is_not_this_ledgers_then_nothing_is_written(tmp_path):
    store = ledger_of(10)
    datas, folder = datas_of(store), tmp_path / "tiles"
    for code, note in {
        "bad_checkpoint": b"no note",
        "foreign_checkpoint": note_over(datas, origin="other"),
        "truncated": note_over([*datas, b"more"]),
        "checkpoint_mismatch": note_over([*datas[:-1], b"other"]),
    }.items():
        error = refused(code, export_tiles, store, folder, checkpoint=note)
        assert isinstance(error, ExportMismatch) is (code in {"truncated", "checkpoint_mismatch"})
    export_tiles(store, folder, checkpoint=note_over(datas))
    refused("older_checkpoint", export_tiles, store, folder, checkpoint=note_over(datas[:9]))
    assert list(tmp_path.iterdir()) == [folder]


def test_given_a_folder_with_anything_else_then_it_is_refused(tmp_path):
    store, folder = ledger_of(3), exported(tmp_path / "tiles", ledger_of(3))
    (folder / "notes.txt").write_text("mine")
    refused("not_an_export", export_tiles, store, folder)
    (folder / "notes.txt").unlink()
    (folder / "tile" / "link").symlink_to("/etc")
    refused("not_an_export", export_tiles, store, folder)
    refused("not_an_export", export_tiles, store, tmp_path / "tiles" / "tile" / "0" / "000.p" / "3")
    refused("not_written", export_tiles, store, tmp_path / "no" / "such" / "place")


def test_given_proofs_then_each_holds_for_its_entry_and_checkpoint(tmp_path):
    store = ledger_of(300)
    datas = datas_of(store)
    note = note_over(datas[:290])
    export_tiles(store, tmp_path / "tiles", checkpoint=note, proofs={1, 257, 290})
    proofs = sorted((tmp_path / "tiles" / "proof").iterdir())
    assert [path.name for path in proofs] == ["000.tlog-proof", "256.tlog-proof", "289.tlog-proof"]
    for path in proofs:
        proof = parse_proof(path.read_bytes())
        assert proof.checkpoint == note
        root = root_of(map(leaf_hash, datas[:290]))
        check_inclusion(leaf_hash(datas[proof.leaf]), proof.leaf, 290, proof.hashes, root)
    report = verify_path(tmp_path / "tiles")
    assert report.exit_code == 0
    assert "proofs of single entries: 3" in report.checked
    grow(store, 700)
    export_tiles(store, tmp_path / "tiles", checkpoint=note_over(datas_of(store)))
    assert verify_path(tmp_path / "tiles").exit_code == 0


def test_given_all_proofs_then_every_covered_entry_has_one(tmp_path):
    store = ledger_of(30)
    export_tiles(store, tmp_path / "tiles", checkpoint=note_over(datas_of(store)[:20]), proofs={ALL})
    assert len(list((tmp_path / "tiles" / "proof").iterdir())) == 20
    assert verify_path(tmp_path / "tiles").exit_code == 0
    refused("not_covered", export_tiles, store, tmp_path / "other", proofs={1})
    note = note_over(datas_of(store)[:20])
    refused("not_covered", export_tiles, store, tmp_path / "other", checkpoint=note, proofs={21})


def test_given_a_proof_then_it_reads_as_it_was_written():
    hashes = (bytes(32), b"\x01" * 32)
    data = encode_proof(7, hashes, b"the note\n")
    assert data.startswith(b"c2sp.org/tlog-proof@v1\nindex 7\n")
    assert parse_proof(data) == (7, hashes, b"the note\n")
    assert parse_proof(data.replace(b"index", b"extra AAAA\nindex")) == (7, hashes, b"the note\n")
    assert parse_proof(encode_proof(0, (), b"n")) == (0, (), b"n")
    for spoiled in (
        b"",
        data.replace(b"@v1", b"@v2"),
        data.replace(b"index 7", b"index 07"),
        data.replace(b"index 7", b"index -7"),
        data.replace(b"index 7\n", b""),
        data.replace(b"AAA=\n", b"AAB=\n", 1),
        data.replace(b"AAA=\n", b"AA==\n", 1),
        data.replace(b"\n\n", b"\n"),
        data.replace(b"\n", b"\r\n"),
        data.replace(b"index", b"extra A\nindex"),
        data.replace(b"index", b"extra AAAA\nextra AAAA\nindex"),
        data.replace(b"index", "é".encode()),
        encode_proof(7, [bytes(32)] * 65, b"n"),
    ):
        with pytest.raises(ProofError):
            parse_proof(spoiled)


def test_given_json_lines_then_they_are_the_very_bytes(tmp_path):
    store = ledger_of(300)
    written = export_jsonl(store, tmp_path / "ledger.jsonl")
    assert (tmp_path / "ledger.jsonl").read_bytes() == b"".join(data + b"\n" for data in datas_of(store))
    report = verify_path(tmp_path / "ledger.jsonl")
    assert (report.exit_code, report.kind, report.chain.root) == (0, "jsonl", written.root)
    refused("exists", export_jsonl, store, tmp_path / "ledger.jsonl")
    assert list(tmp_path.iterdir()) == [tmp_path / "ledger.jsonl"]


def test_given_a_ledger_that_does_not_hold_then_nothing_is_exported(tmp_path, monkeypatch):
    store = ledger_of(300)
    rows = list(store.raw())
    rows[270] = rows[270]._replace(bytes=rows[270].bytes.replace(b"tester", b"teaser"))
    monkeypatch.setattr(store, "raw", lambda since=0: iter(rows[since:]))
    for export in (export_tiles, export_jsonl, export_sqlite):
        assert isinstance(refused("hash_mismatch", export, store, tmp_path / "out"), ExportMismatch)
    assert not list(tmp_path.iterdir())


def test_given_a_database_then_it_has_typed_tables_search_and_a_view_for_each_type(tmp_path):
    path = tmp_path / "ledger.db"
    store = SqliteStore.create(path, LEDGER, at=AT)
    store.append([draft(n) for n in range(1, 301)], at=AT)
    written = export_sqlite(store, tmp_path / "read.db")
    store.close()
    connection = sqlite3.connect(tmp_path / "read.db")
    try:
        rows = connection.execute(
            "select seq, type, payload, hash, bytes from entries order by seq"
        ).fetchall()
        assert [row[0] for row in rows] == list(range(1, 301))
        assert orjson.loads(rows[4][2]) == orjson.loads(rows[4][4])["payload"]
        assert rows[-1][3] == written.head.hash
        assert connection.execute("select * from ledger").fetchall() == [
            (LEDGER, 300, written.head.hash, written.root.hex())
        ]
        assert connection.execute("select task, entries from tasks order by task").fetchall() == [
            (f"T-{n}", 100) for n in range(3)
        ]
        assert connection.execute("select type, entries from types order by type").fetchall() == [
            ("evidence.added", 150),
            ("task.opened", 150),
        ]
        found = connection.execute(
            "select rowid from entries_fts where entries_fts match '\"note 7\"'"
        ).fetchall()
        assert found == [(7,)]
        view = connection.execute('select seq, note, "payload seq" from "task.opened" limit 1').fetchone()
        assert view == (2, "note 2, é", 2)
        types = {row[1]: row[2] for row in connection.execute("pragma table_info(entries)")}
        assert (types["seq"], types["attempt"], types["task"], types["bytes"]) == (
            "INTEGER",
            "INTEGER",
            "TEXT",
            "BLOB",
        )
    finally:
        connection.close()
    refused("exists", export_sqlite, store, tmp_path / "read.db")


def test_given_odd_names_then_views_quote_them(tmp_path):
    store = ledger_of(0)
    payload = {"a'b": 1, 'a"b': 2, "A": 3, "a": 4, "$.x": 5, "[0]": 6}
    store.append([draft(1, **payload), draft(2)], at=AT)
    export_sqlite(store, tmp_path / "read.db")
    connection = sqlite3.connect(tmp_path / "read.db")
    try:
        cursor = connection.execute('select * from "evidence.added"')
        row = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    finally:
        connection.close()
    assert (row["a'b"], row["$.x"], row["[0]"]) == (1, 5, 6)
    assert 'a"b' not in row  # SQLite has no path to it; it is in the payload
    assert {row["A"], row["payload a"]} == {3, 4}


def test_given_nothing_then_every_format_is_empty_and_says_so(tmp_path):
    store = ledger_of(0)
    assert export_jsonl(store, tmp_path / "l.jsonl").root == EMPTY_ROOT
    assert export_sqlite(store, tmp_path / "l.db").entries == 0
    report = verify_path(tmp_path / "l.jsonl")
    assert (report.exit_code, report.ok) == (3, False)
    assert report.not_evaluated[0].startswith("the entries: there are none")
    assert LOG.key.text.startswith(LEDGER)
