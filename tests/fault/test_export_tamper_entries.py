"""Entries tampered with in an export are named, in tiles that fit them and in lines."""

import pytest
from exported_ledgers import LEDGER, datas_of, draft, forged_tiles, jsonl_file, ledger_of
from tampered_exports import DATAS, SIZE, code

from phasegate.ledger.entry import parse, seal

pytestmark = pytest.mark.attack


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
