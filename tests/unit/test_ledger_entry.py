from __future__ import annotations

import hashlib
import json

import pytest

from phasegate.ledger.entry import FIELDS, ZERO_HASH, Draft, checked_ledger, is_time, parse, seal
from phasegate.ledger.errors import CanonicalError, EntryError, EntryTooLarge, LedgerError

AT = "2026-01-02T03:04:05.000006Z"
DRAFT = Draft("IMP-27", "SPEC", 1, "task.opened", "uid:1000", "", {"title": "x"})


def rewritten(**changes):
    value = json.loads(seal(DRAFT, 1, ZERO_HASH, AT, "L").bytes) | changes
    value = {key: item for key, item in value.items() if item is not ...}
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_given_a_draft_then_its_bytes_are_these_and_their_sha256_is_the_hash():
    entry = seal(DRAFT, 1, ZERO_HASH, AT, "L")
    assert entry.bytes == (
        b'{"actor":"uid:1000","at":"2026-01-02T03:04:05.000006Z","attempt":1,"ledger":"L",'
        b'"payload":{"title":"x"},"phase":"SPEC","prev":"' + b"0" * 64 + b'","seq":1,'
        b'"task":"IMP-27","trace":"","type":"task.opened","v":1}'
    )
    assert entry.hash == hashlib.sha256(entry.bytes).hexdigest()
    assert set(json.loads(entry.bytes)) == set(FIELDS)
    assert entry._fields == (*FIELDS, "bytes", "hash")


def test_given_sealed_bytes_then_they_parse_to_the_same_entry():
    entry = seal(DRAFT, 7, "ab" * 32, AT, "L")
    assert parse(entry.bytes) == entry


def test_given_a_draft_then_it_cannot_be_changed():
    with pytest.raises(AttributeError):
        DRAFT.task = "other"  # type: ignore[misc]


@pytest.mark.parametrize("field", FIELDS)
def test_given_a_field_missing_then_it_is_named(field):
    with pytest.raises(EntryError, match=f"`{field}` is missing"):
        parse(rewritten(**{field: ...}))


def test_given_a_field_too_many_then_it_is_named():
    with pytest.raises(EntryError, match="`extra` is not a field"):
        parse(rewritten(extra=1))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, True, [], 1.0], ids=repr)
def test_given_a_field_of_another_type_then_it_is_refused(field, value):
    with pytest.raises((EntryError, CanonicalError)):
        parse(rewritten(**{field: value}))


def test_given_midnight_as_hour_24_then_it_is_no_time_whatever_python_makes_of_it(monkeypatch):
    class Newer:
        @staticmethod
        def fromisoformat(text):
            return text

    monkeypatch.setattr("phasegate.ledger.entry.datetime", Newer)
    assert is_time("2026-01-02T23:00:00.000000Z")
    assert not is_time("2026-01-02T24:00:00.000000Z")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("v", 0),
        ("seq", 0),
        ("seq", -1),
        ("attempt", -1),
        ("prev", "0" * 63),
        ("prev", "A" * 64),
        ("prev", "g" * 64),
        ("prev", "0" * 64 + "\n"),
        ("at", "2026-01-02T03:04:05Z"),
        ("at", "2026-13-02T03:04:05.000006Z"),
        ("at", "2026-02-29T03:04:05.000006Z"),
        ("at", "2026-01-02T24:04:05.000006Z"),
        ("at", "2026-01-02T03:04:60.000006Z"),
        ("at", "2026-01-02T03:04:05.000006+"),
        ("at", "2026-01-02 03:04:05.000006Z"),
        ("at", "٢٠٢٦-01-02T03:04:05.000006Z"),
        ("ledger", ""),
        ("ledger", "x" * 129),
        ("task", "x" * 129),
        ("task", "a\tb"),
        ("phase", "x" * 65),
        ("type", ""),
        ("type", "x" * 65),
        ("actor", ""),
        ("actor", "x" * 257),
        ("actor", "a\u202eb"),
        ("trace", "x" * 129),
        ("trace", "\x7f"),
    ],
)
def test_given_a_field_out_of_bounds_then_it_is_named(field, value):
    with pytest.raises(EntryError, match=f"`{field}`|entry version"):
        parse(rewritten(**{field: value}))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((0, ZERO_HASH, AT, "L"), "`seq`"),
        ((2**53, ZERO_HASH, AT, "L"), "`seq`"),
        ((True, ZERO_HASH, AT, "L"), "`seq`"),
        ((1, "0", AT, "L"), "`prev`"),
        ((1, ZERO_HASH, "now", "L"), "`at`"),
        ((1, ZERO_HASH, AT, ""), "`ledger`"),
        ((1, None, AT, "L"), "`prev`"),
    ],
)
def test_given_a_malformed_place_then_sealing_names_it(place, message):
    with pytest.raises(EntryError, match=message):
        seal(DRAFT, *place)


def test_given_an_entry_just_too_large_then_the_remedy_is_the_object_store():
    room = 65_535 - len(seal(Draft("", "", 0, "t", "a", "", {"x": ""}), 1, ZERO_HASH, AT, "L").bytes)
    assert len(seal(Draft("", "", 0, "t", "a", "", {"x": "a" * room}), 1, ZERO_HASH, AT, "L").bytes) == 65_535
    with pytest.raises(EntryTooLarge, match="object store"):
        seal(Draft("", "", 0, "t", "a", "", {"x": "a" * (room + 1)}), 1, ZERO_HASH, AT, "L")


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b"{}", b"\xff", b'{"a":1}', b"[" * 5000])
def test_given_bytes_that_are_no_entry_then_only_a_ledger_error_comes_out(data):
    with pytest.raises(LedgerError):
        parse(data)


@pytest.mark.parametrize("ledger", ["", "x" * 129, "a\n", None, 5])
def test_given_an_impossible_ledger_id_then_it_is_refused(ledger):
    with pytest.raises(EntryError, match="ledger id"):
        checked_ledger(ledger)


def test_given_real_and_unreal_times_then_only_the_real_pass():
    assert is_time("2024-02-29T23:59:59.999999Z")
    assert not is_time("2023-02-29T23:59:59.999999Z")
    assert not is_time("0000-01-01T00:00:00.000000Z")
