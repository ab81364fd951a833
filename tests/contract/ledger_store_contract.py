"""What every ledger store does. A store's test class inherits this and gives it a `store` fixture."""

from __future__ import annotations

import threading

import pytest

from phasegate.ledger.entry import ZERO_HASH, Draft, parse
from phasegate.ledger.errors import (
    AppendError,
    CanonicalError,
    EntryError,
    EntryTooLarge,
    StoreClosed,
    VersionConflict,
)
from phasegate.ledger.merkle import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
)
from phasegate.ledger.store import MAX_DRAFTS_PER_APPEND, Expect, Projection, Row
from phasegate.ledger.tree import Tile, subtree_of
from phasegate.ledger.verify import verify_chain

LEDGER = "ledger-under-test"
CREATED = "2026-01-01T00:00:00.000000Z"


def at(second: int) -> str:
    return f"2026-01-01T00:{second // 60:02}:{second % 60:02}.000000Z"


def draft(number: int = 0, **changes: object) -> Draft:
    fields: dict[str, object] = {
        "task": "IMP-1",
        "phase": "PLAN",
        "attempt": 1,
        "type": "evidence.added",
        "actor": "uid:1000",
        "trace": "",
        "payload": {"number": number},
    }
    return Draft(**{**fields, **changes})  # type: ignore[arg-type]


class LedgerStoreContract:
    def test_given_an_empty_store_then_its_head_is_the_zero_hash(self, store):
        assert store.ledger == LEDGER
        assert store.head() == (0, ZERO_HASH, CREATED)
        assert list(store.entries()) == []
        assert list(store.raw()) == []
        assert store.get(1) is None
        assert store.projection("task", "IMP-1") is None

    def test_given_appends_then_entries_link_and_read_back_as_returned(self, store):
        first = store.append([draft(1)], at=at(1))
        rest = store.append([draft(2), draft(3)], at=at(2))
        written = first + rest
        assert [entry.seq for entry in written] == [1, 2, 3]
        assert [entry.prev for entry in written] == [ZERO_HASH, written[0].hash, written[1].hash]
        assert {entry.ledger for entry in written} == {LEDGER}
        assert tuple(store.entries()) == written
        assert [store.get(n) for n in (0, 1, 2, 3, 4)] == [None, *written, None]
        assert store.head() == (3, written[2].hash, at(2))
        assert all(parse(entry.bytes) == entry for entry in written)

    def test_given_a_size_then_the_head_asked_for_has_at_least_that_size_and_is_one_of_the_chain(self, store):
        for number in range(1, 4):
            store.append([draft(number)], at=at(number))
            head = store.head(at_least=number)
            entry = store.get(head.size)
            assert head.size >= number
            assert entry is not None
            assert head == (entry.seq, entry.hash, entry.at)

    def test_given_appends_then_the_raw_rows_verify(self, store):
        store.append([draft(n) for n in range(300)], at=at(1))
        rows = list(store.raw())
        assert [(row.seq, row.task, row.type) for row in rows[:2]] == [
            (1, "IMP-1", "evidence.added"),
            (2, "IMP-1", "evidence.added"),
        ]
        assert [row.seq for row in store.raw(since=298)] == [299, 300]
        found = verify_chain(rows, ledger=LEDGER)
        assert (found.ok, found.entries, found.head) == (True, 300, store.head())

    def test_given_a_clock_that_jumps_back_then_time_stands_still(self, store):
        store.append([draft()], at=at(30))
        store.append([draft()], at=at(10))
        store.append([draft()], at=at(31))
        assert [entry.at for entry in store.entries()] == [at(30), at(30), at(31)]

    def test_given_a_time_before_the_ledger_was_created_then_the_creation_time_is_written(self, store):
        (entry,) = store.append([draft()], at="2025-12-31T23:59:59.000000Z")
        assert entry.at == CREATED

    @pytest.mark.parametrize(
        "time",
        [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "2026-02-30T00:00:00.000000Z",
            "2026-W01-1T00:00:00.000000Z",
            5,
        ],
    )
    def test_given_a_malformed_time_then_nothing_is_written(self, store, time):
        with pytest.raises(AppendError, match="not a UTC time"):
            store.append([draft()], at=time)
        assert store.head().size == 0

    def test_given_projections_then_they_carry_the_last_sequence_number_of_the_append(self, store):
        store.append([draft(), draft()], at=at(1), projections=[Projection("task", "IMP-1", b"one")])
        assert store.projection("task", "IMP-1") == Row("task", "IMP-1", 2, b"one")
        store.append([draft()], at=at(2), projections=[Projection("task", "IMP-1", b"two")])
        assert store.projection("task", "IMP-1") == Row("task", "IMP-1", 3, b"two")
        store.append([draft()], at=at(3), projections=[Projection("task", "IMP-1", None)])
        assert store.projection("task", "IMP-1") is None

    def test_given_a_projection_function_then_it_sees_the_sealed_entries(self, store):
        seen = []

        def project(entries):
            seen.extend(entries)
            return [Projection("head", "x", entries[-1].hash.encode())]

        written = store.append([draft(1), draft(2)], at=at(1), projections=project)
        assert tuple(seen) == written
        assert store.projection("head", "x") == Row("head", "x", 2, written[1].hash.encode())

    def test_given_a_projection_function_that_fails_then_nothing_is_written(self, store):
        store.append([draft(1)], at=at(1))
        before = store.head()

        def fail(_):
            raise KeyError("gone")

        with pytest.raises(KeyError):
            store.append([draft(2)], at=at(2), projections=fail)
        assert store.head() == before
        (entry,) = store.append([draft(3)], at=at(3))
        assert (entry.seq, entry.prev) == (2, before.hash)

    def test_given_rows_of_several_kinds_then_they_list_by_kind_prefix_and_key(self, store):
        rows = [
            ("lease", "a/1"),
            ("task", "a/2"),
            ("task", "a/10"),
            ("task", "b"),
            ("task", "ä/1"),
            ("task", "a%1"),
        ]
        store.append([draft()], at=at(1), projections=[Projection(kind, key, b"") for kind, key in rows])
        assert [row.key for row in store.projections("task")] == ["a%1", "a/10", "a/2", "b", "ä/1"]
        assert [row.key for row in store.projections("task", "a/")] == ["a/10", "a/2"]
        assert [row.key for row in store.projections("task", "a%")] == ["a%1"]
        assert [row.key for row in store.projections("task", "ä")] == ["ä/1"]
        assert [row.key for row in store.projections("nothing")] == []

    def test_given_the_version_as_expected_then_the_append_goes_through(self, store):
        store.append(
            [draft()],
            at=at(1),
            projections=[Projection("task", "IMP-1", b"1")],
            expect=[Expect("task", "IMP-1", 0)],
        )
        store.append(
            [draft()],
            at=at(2),
            projections=[Projection("task", "IMP-1", b"2")],
            expect=[Expect("task", "IMP-1", 1)],
        )
        assert store.projection("task", "IMP-1") == Row("task", "IMP-1", 2, b"2")

    @pytest.mark.parametrize(
        ("expect", "found"),
        [
            (Expect("task", "IMP-1", 1), 2),
            (Expect("task", "IMP-1", 0), 2),
            (Expect("task", "IMP-1", 3), 2),
            (Expect("task", "IMP-2", 1), 0),
        ],
    )
    def test_given_another_version_then_nothing_is_written(self, store, expect, found):
        store.append([draft(), draft()], at=at(1), projections=[Projection("task", "IMP-1", b"1")])
        before = (store.head(), store.projection("task", "IMP-1"))
        with pytest.raises(VersionConflict) as caught:
            store.append(
                [draft()],
                at=at(2),
                projections=[Projection("task", "IMP-1", b"2")],
                expect=[Expect("task", "IMP-1", 2), expect],
            )
        conflict = caught.value
        assert (conflict.kind, conflict.key, conflict.expected, conflict.found) == (*expect, found)
        assert (store.head(), store.projection("task", "IMP-1")) == before

    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            (draft(task="x" * 129), EntryError),
            (draft(phase="x" * 65), EntryError),
            (draft(type="x" * 65), EntryError),
            (draft(type=""), EntryError),
            (draft(actor=""), EntryError),
            (draft(actor="x" * 257), EntryError),
            (draft(trace="x" * 129), EntryError),
            (draft(task="a\nb"), EntryError),
            (draft(actor="\x1b[31m"), EntryError),
            (draft(phase="\u202e"), EntryError),
            (draft(attempt=-1), EntryError),
            (draft(attempt=True), EntryError),
            (draft(attempt=2**53), EntryError),
            (draft(task=None), EntryError),
            (draft(payload=[1]), EntryError),
            (draft(payload={"x": 1.5}), CanonicalError),
            (draft(payload={"x": "a" * 70_000}), EntryTooLarge),
        ],
    )
    def test_given_a_bad_draft_behind_a_good_one_then_neither_is_written(self, store, bad, error):
        with pytest.raises(error):
            store.append([draft(), bad], at=at(1), projections=[Projection("task", "IMP-1", b"1")])
        assert store.head().size == 0
        assert store.projection("task", "IMP-1") is None

    @pytest.mark.parametrize("count", [0, MAX_DRAFTS_PER_APPEND + 1])
    def test_given_no_draft_or_too_many_then_the_append_is_refused(self, store, count):
        with pytest.raises(AppendError, match="drafts"):
            store.append([draft()] * count, at=at(1))
        assert store.head().size == 0

    @pytest.mark.parametrize(
        "row",
        [
            ("", "key", b""),
            ("kind", "", b""),
            ("k" * 65, "key", b""),
            ("kind", "k" * 513, b""),
            ("kind", "\ud800", b""),
            ("kind", "a\0b", b""),
        ],
    )
    def test_given_a_projection_no_store_could_hold_then_nothing_is_written(self, store, row):
        with pytest.raises(AppendError, match="projection"):
            store.append([draft()], at=at(1), projections=[Projection(*row)])
        assert store.head().size == 0

    def test_given_the_largest_group_then_it_is_one_append(self, store):
        written = store.append([draft(n) for n in range(MAX_DRAFTS_PER_APPEND)], at=at(1))
        assert len(written) == store.head().size == MAX_DRAFTS_PER_APPEND

    def test_given_filters_then_only_matching_entries_come_in_order(self, store):
        phases = ("PLAN", "SPEC", "VERIFY")
        store.append(
            [draft(n, task=f"T-{n % 2}", type=f"type.{n % 4}", phase=phases[n % 3]) for n in range(1, 25)],
            at=at(1),
        )

        def found(**filters):
            return [entry.seq for entry in store.entries(**filters)]

        def expected(test):
            return [n for n in range(1, 25) if test(n)]

        assert found() == expected(lambda n: True)
        assert found(since=20) == [21, 22, 23, 24]
        assert found(since=99) == []
        assert found(since=-5, limit=2) == [1, 2]
        assert found(task="T-1") == expected(lambda n: n % 2 == 1)
        assert found(type="type.3") == expected(lambda n: n % 4 == 3)
        assert found(phase="SPEC") == expected(lambda n: n % 3 == 1)
        assert found(task="T-1", type="type.3", phase="SPEC", since=5) == expected(
            lambda n: n % 4 == 3 and n % 3 == 1 and n > 5
        )
        assert found(reverse=True, limit=3) == [24, 23, 22]
        assert found(reverse=True, since=20, task="T-0") == [24, 22]
        assert found(phase="SPEC", limit=2) == [1, 4]
        assert found(limit=0) == []
        assert found(task="unknown") == []
        assert found(task="\ud800") == found(type="\0") == found(since=2**70) == []
        assert store.get(2**70) is None
        assert store.get(-1) is None

    def test_given_more_entries_than_a_chunk_then_both_directions_see_each_once(self, store):
        store.append([draft(n) for n in range(1300)], at=at(1))
        assert [entry.seq for entry in store.entries()] == list(range(1, 1301))
        assert [entry.seq for entry in store.entries(reverse=True)] == list(range(1300, 0, -1))

    def test_given_an_append_during_iteration_then_the_iteration_ends_where_it_began(self, store):
        store.append([draft(n) for n in range(600)], at=at(1))
        seen = 0
        for entry in store.entries():
            seen += 1
            if entry.seq % 100 == 0:
                store.append([draft()], at=at(2))
        assert seen == 600
        assert store.head().size == 606

    def test_given_an_entry_then_the_callers_payload_and_its_own_are_apart(self, store):
        payload = {"list": [1], "dict": {"a": 1}}
        (entry,) = store.append([draft(payload=payload)], at=at(1))
        payload["list"].append(2)
        payload["dict"]["a"] = 2
        assert entry.payload == {"list": [1], "dict": {"a": 1}}
        assert store.get(1) == entry

    @pytest.mark.parametrize("portions", [[1], [3, 1, 5], [250, 10, 300], [256, 256], [511, 1, 1]])
    def test_given_appends_then_the_tree_is_that_of_all_entries(self, store, portions):
        assert store.frontier() == Frontier()
        for portion in portions:
            store.append([draft(n) for n in range(portion)], at=at(1))
        leaves = [leaf_hash(row.bytes) for row in store.raw()]
        size = sum(portions)
        assert store.frontier() == Frontier().extended(leaves)
        assert store.leaves(0, size + 5) == leaves
        assert store.leaves(size // 2, size) == leaves[size // 2 :]
        for number in range(size // 256):
            hashes = leaves[number * 256 : (number + 1) * 256]
            assert store.tile(0, number) == Tile(0, number, root_of(hashes), b"".join(hashes))
        assert store.tile(0, size // 256) is None
        assert store.tile(1, 0) is None

    def test_given_a_ledger_then_proofs_can_be_made_of_its_tiles(self, store):
        for portion in (200, 100, 400):
            store.append([draft(n) for n in range(portion)], at=at(1))
        root, subtree = store.frontier().root(), subtree_of(700, store)
        leaf = leaf_hash(store.get(300).bytes)
        check_inclusion(leaf, 299, 700, inclusion_proof(299, 700, subtree), root)
        old = root_of(store.leaves(0, 256))
        check_consistency(256, old, 700, root, consistency_proof(256, 700, subtree))

    def test_given_a_refused_append_then_the_tree_is_as_before(self, store):
        store.append([draft()], at=at(1))
        before = store.frontier()
        with pytest.raises(VersionConflict):
            store.append([draft()], at=at(1), expect=[Expect("task", "NOPE", 7)])
        assert store.frontier() == before

    def test_given_threads_on_one_store_then_no_append_is_lost(self, store):
        def work(name):
            for n in range(40):
                store.append([draft(n, task=name)], at=at(n))

        threads = [threading.Thread(target=work, args=(f"T-{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.head().size == 160
        assert verify_chain(store.raw(), ledger=LEDGER).ok
        for n in range(4):
            assert [e.payload["number"] for e in store.entries(task=f"T-{n}")] == list(range(40))

    def test_given_threads_that_race_on_one_version_then_exactly_one_wins(self, store):
        outcomes = []
        barrier = threading.Barrier(4)

        def work():
            barrier.wait()
            try:
                store.append(
                    [draft()],
                    at=at(1),
                    projections=[Projection("task", "IMP-1", b"")],
                    expect=[Expect("task", "IMP-1", 0)],
                )
            except VersionConflict as conflict:
                outcomes.append(conflict.found)
            else:
                outcomes.append(0)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == [0, 1, 1, 1]
        assert store.head().size == 1

    def test_given_a_closed_store_then_everything_says_so_and_closing_again_is_fine(self, store):
        store.append([draft()], at=at(1))
        store.close()
        store.close()
        for use in (
            lambda: store.append([draft()], at=at(1)),
            store.head,
            lambda: store.get(1),
            lambda: list(store.entries()),
            lambda: list(store.raw()),
            lambda: store.projection("task", "x"),
            lambda: list(store.projections("task")),
        ):
            with pytest.raises(StoreClosed, match="closed"):
                use()
