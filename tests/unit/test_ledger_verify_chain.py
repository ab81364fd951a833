from __future__ import annotations

import json
import random
from hashlib import sha256

import pytest

from phasegate.ledger import verify
from phasegate.ledger.chain import Head, extend, genesis
from phasegate.ledger.entry import FIELDS, ZERO_HASH, Draft, seal
from phasegate.ledger.errors import RowUnreadable
from phasegate.ledger.verify import BATCH_ROWS, NOT_RULED_OUT, verify_chain

CREATED = "2026-01-01T00:00:00.000000Z"
SIZE = 2 * BATCH_ROWS + 7
SEED = 6962


def at(second):
    return f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000Z"


def draft(number, **changes):
    fields = {
        "task": f"T-{number % 3}",
        "phase": "PLAN",
        "attempt": 0,
        "type": "t",
        "actor": "a",
        "trace": "",
        "payload": {"n": number, "list": [{"x": [None, True]}]},
    }
    return Draft(**{**fields, **changes})


def chain(size=SIZE, ledger="L"):
    head, entries = genesis(CREATED), []
    for number in range(1, size + 1):
        (entry,) = extend(head, [draft(number)], at=at(number), ledger=ledger)
        head = Head(entry.seq, entry.hash, entry.at)
        entries.append(entry)
    return entries


ENTRIES = chain()
ROWS = [(e.seq, e.task, e.type, e.bytes) for e in ENTRIES]
PLACES = [1, 2, BATCH_ROWS, BATCH_ROWS + 1, BATCH_ROWS + 5, SIZE]


def replaced(seq, row):
    return [*ROWS[: seq - 1], row, *ROWS[seq:]]


def found(rows, **options):
    result = verify_chain(rows, **options)
    assert not result.ok
    assert result.problem is not None
    assert result.entries == result.head.size
    return result.problem.seq, result.problem.code


def test_given_a_good_chain_then_it_is_counted_and_its_head_is_the_last_entry():
    result = verify_chain(iter(ROWS), ledger="L")
    last = ENTRIES[-1]
    assert result == (True, SIZE, Head(SIZE, last.hash, last.at), None, NOT_RULED_OUT, None, (), "L", ())
    assert verify_chain(ROWS) == result


def test_given_no_rows_then_nothing_is_claimed_but_an_empty_chain():
    result = verify_chain([])
    assert (result.ok, result.entries, result.head.hash) == (True, 0, ZERO_HASH)
    assert result.not_ruled_out == NOT_RULED_OUT


@pytest.mark.parametrize("seq", PLACES)
def test_given_a_row_missing_then_the_gap_is_named(seq):
    rows = ROWS[: seq - 1] + ROWS[seq:]
    expected = (seq, "sequence_gap")
    if seq == SIZE:
        assert verify_chain(rows).ok
        assert found(rows, known={SIZE: ENTRIES[-1].hash}) == (seq, "truncated")
    else:
        assert found(rows) == expected


@pytest.mark.parametrize("seq", PLACES[:-1])
def test_given_two_rows_swapped_or_one_repeated_then_it_is_named(seq):
    swapped = [*ROWS[: seq - 1], ROWS[seq], ROWS[seq - 1], *ROWS[seq + 1 :]]
    assert found(swapped) == (seq, "sequence_gap")
    assert found([*ROWS[:seq], ROWS[seq - 1], *ROWS[seq:]]) == (seq + 1, "sequence_gap")


@pytest.mark.parametrize("seq", PLACES)
@pytest.mark.parametrize("column", [1, 2])
@pytest.mark.parametrize("value", ["other", None, b"T-1", 5], ids=repr)
def test_given_a_column_that_differs_then_it_is_named(seq, column, value):
    row = list(ROWS[seq - 1])
    row[column] = value
    assert found(replaced(seq, tuple(row))) == (seq, "column_mismatch")


@pytest.mark.parametrize("seq", PLACES)
@pytest.mark.parametrize("value", [None, "text", 5, bytearray(b"{}")], ids=repr)
def test_given_a_bytes_column_without_bytes_then_it_is_named(seq, value):
    assert found(replaced(seq, (*ROWS[seq - 1][:3], value))) == (seq, "column_mismatch")


@pytest.mark.parametrize("number", [None, "1", 1.0, True, -1], ids=repr)
def test_given_a_number_that_is_none_then_it_is_named(number):
    assert found([(number, *ROWS[0][1:])]) == (1, "sequence_gap")


@pytest.mark.parametrize("seq", PLACES)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"actor"', b'{ "actor"'),
        (b'"attempt":0', b'"attempt":0.0'),
        (b'"attempt":0', b'"attempt":-0'),
        (b'"attempt":0', b'"attempt":0,"attempt":0'),
        (b'"n":', b'"m":1e5,"n":'),
        (b'"n":', b'"m":9007199254740992,"n":'),
        (b'"n":', b'"\xc3\xa9":1,"n":'),
        (b'"n":', b'"l\\u0069":1,"n":'),
        (b"true", b"tru"),
        (b"null", b"[" * 40 + b"]" * 40),
        (b"null", b"[" * 3000 + b"]" * 3000),
        (b"null", b'"\xff"'),
        (b"null", b'"' + b"a" * 70_000 + b'"'),
    ],
)
def test_given_bytes_that_are_not_canonical_then_it_is_named(seq, old, new):
    data = ROWS[seq - 1][3].replace(old, new)
    assert data != ROWS[seq - 1][3]
    assert found(replaced(seq, (*ROWS[seq - 1][:3], data))) == (seq, "not_canonical")


@pytest.mark.parametrize("seq", PLACES)
@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"attempt": True},
        {"attempt": -1},
        {"extra": 1},
        {"payload": []},
        {"actor": ""},
        {"phase": "x" * 65},
        {"trace": "\x7f"},
        {"at": "now"},
        {"seq": "1"},
    ],
    ids=str,
)
def test_given_fields_that_are_no_entrys_then_it_is_named(seq, changes):
    value = json.loads(ROWS[seq - 1][3]) | changes
    data = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert found(replaced(seq, (*ROWS[seq - 1][:3], data))) == (seq, "bad_entry")


@pytest.mark.parametrize("seq", PLACES)
def test_given_an_entry_rewritten_then_it_is_named_by_what_follows_or_by_the_noted_head(seq):
    entry = ENTRIES[seq - 1]
    forged = seal(draft(seq, payload={"n": "forged"}), seq, entry.prev, entry.at, "L")
    rows = replaced(seq, (forged.seq, forged.task, forged.type, forged.bytes))
    if seq == SIZE:
        assert verify_chain(rows).ok
        assert found(rows, known={SIZE: entry.hash}) == (SIZE, "head_mismatch")
    else:
        assert found(rows) == (seq, "hash_mismatch")
    assert found(rows, known={seq: entry.hash}) == (seq, "head_mismatch")


@pytest.mark.parametrize("seq", PLACES)
def test_given_an_entry_of_another_ledger_time_or_number_then_it_is_named(seq):
    entry = ENTRIES[seq - 1]

    def forged(number=seq, time=entry.at, ledger="L"):
        other = seal(draft(seq), number, entry.prev, time, ledger)
        return replaced(seq, (seq, other.task, other.type, other.bytes))

    assert found(forged(ledger="other"), ledger="L") == (seq, "foreign_ledger")
    assert found(forged(number=seq + 1)) == (seq, "sequence_gap")
    if seq > 1:
        assert found(forged(time=at(0))) == (seq, "time_backward")


def test_given_another_ledger_asked_for_then_the_first_entry_is_foreign():
    assert found(ROWS, ledger="other") == (1, "foreign_ledger")


def test_given_noted_hashes_all_along_then_the_true_ones_pass_and_any_false_one_is_named():
    noted = {entry.seq: entry.hash for entry in ENTRIES}
    assert verify_chain(ROWS, known=noted | {0: ZERO_HASH}).ok
    for seq in PLACES:
        assert found(ROWS, known=noted | {seq: "0" * 64}) == (seq, "head_mismatch")
    assert found(ROWS, known={SIZE + 1: "0" * 64}) == (SIZE + 1, "truncated")


@pytest.mark.parametrize("seq", PLACES)
def test_given_rows_that_stop_being_readable_then_the_next_entry_is_named(seq):
    def rows():
        yield from ROWS[: seq - 1]
        raise RowUnreadable("the disk is gone")

    result = verify_chain(rows())
    assert result.problem == (seq, "unreadable", "the disk is gone")
    assert result.entries == seq - 1


def test_given_an_entry_that_does_not_link_and_none_to_read_after_it_then_it_is_named_itself():
    def rows():
        yield from ROWS[: BATCH_ROWS - 1]
        seq, task, kind, data = ROWS[BATCH_ROWS - 1]
        yield seq, task, kind, data.replace(ENTRIES[seq - 1].prev.encode(), b"0" * 64)
        raise RowUnreadable("the disk is gone")

    assert found(rows()) == (BATCH_ROWS, "hash_mismatch")


def of_ledger(ledger, size):
    """A chain that holds but for the id of the ledger in it."""
    rows, prev = [], ZERO_HASH
    for seq, task, kind, data in ROWS[:size]:
        said = json.loads(data) | {"ledger": ledger, "prev": prev}
        made = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        rows.append((seq, task, kind, made))
        prev = sha256(made).hexdigest()
    return rows


@pytest.mark.parametrize("size", [1, BATCH_ROWS, BATCH_ROWS + 1])
@pytest.mark.parametrize("ledger", [None, "", "x" * 129, "L\u200b"], ids=ascii)
def test_given_a_ledger_id_that_no_entry_may_have_all_along_then_the_first_entry_is_named(ledger, size):
    assert found(of_ledger(ledger, size)) == (1, "bad_entry")
    assert found(of_ledger(ledger, size), ledger=ledger) == (1, "bad_entry")


def test_given_entries_beyond_ascii_or_with_control_characters_in_the_payload_then_they_verify():
    drafts = [draft(n, task="Ä", payload={"t": "é\n\t\0😀", "k": {"": "\x7f"}}) for n in range(300)]
    rows = [(e.seq, e.task, e.type, e.bytes) for e in extend(genesis(CREATED), drafts, at=at(1), ledger="L")]
    assert verify_chain(rows).entries == 300


def one_by_one(rows):
    """The definition alone: every row examined, none accepted in a batch."""
    walk = verify._Walk(None, {})
    try:
        for row in rows:
            digest, time = walk._examine(row)
            walk.size, walk.prev, walk.at = walk.size + 1, digest, time
    except verify._Found as caught:
        return walk.size, caught.problem
    return walk.size, None


@pytest.mark.parametrize("value", [None, True, False, 1, 1.0, "", "T", [], ["a"], {}, {"a": 1}], ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_given_any_kind_of_value_in_any_field_then_the_fast_way_and_the_definition_agree(field, value):
    for seq in (1, 2, 20):
        said = json.loads(ROWS[seq - 1][3]) | {field: value}
        data = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        columns = (seq, said["task"], said["type"])
        rows = [*ROWS[: seq - 1], (*columns, data), *ROWS[seq:20]]
        result, (size, problem) = verify_chain(rows), one_by_one(rows)
        blamed_before = result.problem is not None and result.problem.seq == seq == size
        assert (result.entries, result.problem) == (size, problem) or blamed_before, (result, problem)


@pytest.mark.parametrize("moved", [b"}", b'"v":1}'])
def test_given_bytes_moved_to_the_row_before_then_joining_them_hides_nothing(moved):
    first, second = ROWS[4][3], ROWS[5][3]
    joined = first + b"," + second
    cut = len(first) - len(moved)
    rows = [*ROWS[:4], (*ROWS[4][:3], joined[:cut]), (*ROWS[5][:3], joined[cut + 1 :]), *ROWS[6:20]]
    assert found(rows) == (5, "not_canonical")


def test_given_any_mutation_then_the_fast_way_and_the_definition_agree():
    chosen = random.Random(SEED)
    rows = ROWS[:20]
    for _ in range(3000):
        seq = chosen.randrange(1, 21)
        data = bytearray(rows[seq - 1][3])
        for _ in range(chosen.randrange(1, 3)):
            place = chosen.randrange(len(data))
            action = chosen.randrange(3)
            if action == 0:
                data[place] = chosen.choice(b'0123456789.eE-+"{}[],:\\ tfn\x00\x7f\xc3a')
            elif action == 1:
                del data[place]
            else:
                data.insert(place, chosen.choice(b'01.e-" ,:[]\\a'))
        mutated = [*rows[: seq - 1], (*rows[seq - 1][:3], bytes(data)), *rows[seq:]]
        result, (size, problem) = verify_chain(mutated), one_by_one(mutated)
        blamed_before = result.problem is not None and result.problem.seq == seq == size
        assert (result.entries, result.problem) == (size, problem) or blamed_before, bytes(data)


def test_given_the_hashes_of_the_definition_then_the_chain_is_plain_sha256():
    prev = ZERO_HASH
    for _, _, _, data in ROWS:
        assert json.loads(data)["prev"] == prev
        prev = sha256(data).hexdigest()
