"""What leases are in every ledger store. A store's test class inherits this and gives it a `store` fixture."""

from __future__ import annotations

import threading

import pytest
from contract.ledger_store_contract import at, draft

from phasegate.ledger.errors import LeaseHeld, LeaseInvalid, LeaseLost, StoreClosed, VersionConflict
from phasegate.ledger.leases import (
    LEASE_CLOCK_MS_MAX,
    LEASE_EPOCH_MAX,
    LEASE_HOLDER_CHARS_MAX,
    LEASE_TTL_MS_MAX,
    LEASE_WINDOW_MS_MAX,
    Fence,
    Lease,
)
from phasegate.ledger.store import Expect, Projection

TASK, PHASE = "IMP-1", "PLAN"
TTL_MS = 100
WINDOW_MS = 30


def acquire(store, holder="a", now_ms=0, ttl_ms=TTL_MS, task=TASK, phase=PHASE):
    return store.lease_acquire(task, phase, holder, now_ms=now_ms, ttl_ms=ttl_ms)


def renew(store, holder="a", epoch=1, now_ms=0, ttl_ms=TTL_MS, window_ms=WINDOW_MS):
    return store.lease_renew(TASK, PHASE, holder, epoch, now_ms=now_ms, ttl_ms=ttl_ms, window_ms=window_ms)


def release(store, holder="a", epoch=1, now_ms=0):
    return store.lease_release(TASK, PHASE, holder, epoch, now_ms=now_ms)


def append(store, epoch, now_ms, **more):
    return store.append([draft()], at=at(1), fence=Fence(TASK, PHASE, epoch, now_ms), **more)


def lost(call, *arguments, **more):
    with pytest.raises(LeaseLost) as caught:
        call(*arguments, **more)
    return caught.value.reason, caught.value.found


class LeaseContract:
    def test_given_no_lease_ever_then_there_is_none(self, store):
        assert store.lease(TASK, PHASE) is None
        assert list(store.leases()) == []

    def test_given_an_acquisition_then_it_is_epoch_one_and_nobodys_before(self, store):
        lease = acquire(store, now_ms=1000)
        assert lease == Lease(TASK, PHASE, 1, "a", 1000 + TTL_MS)
        assert (lease.taken_over, lease.taken_from, lease.released) == (False, None, False)
        assert store.lease(TASK, PHASE) == lease
        assert [lease.live(now) for now in (0, 1000, 1099, 1100)] == [True, True, True, False]

    def test_given_a_version_that_moved_then_an_acquisition_is_refused_before_the_lease_is_looked_at(
        self, store
    ):
        store.append([draft()], at=at(1), projections=[Projection("task", TASK, b"{}")])
        held = store.lease_acquire(
            TASK,
            PHASE,
            "a",
            now_ms=0,
            ttl_ms=TTL_MS,
            expect=[Expect("task", TASK, 1), Expect("task", "-", 0)],
        )
        for stale in (0, 2):
            with pytest.raises(VersionConflict, match=TASK):
                store.lease_acquire(
                    TASK, PHASE, "b", now_ms=9 * TTL_MS, ttl_ms=TTL_MS, expect=[Expect("task", TASK, stale)]
                )
        assert store.lease(TASK, PHASE) == held

    def test_given_leases_then_no_entry_is_written_for_them(self, store):
        before = store.head()
        acquire(store)
        renew(store, now_ms=90)
        release(store, now_ms=95)
        assert store.head() == before
        (entry,) = store.append([draft()], at=at(1))
        assert entry.seq == 1

    @pytest.mark.parametrize("holder", ["a", "b"])
    def test_given_a_held_lease_then_another_acquisition_is_refused_and_told_whose_it_is(self, store, holder):
        acquire(store, now_ms=1000)
        with pytest.raises(LeaseHeld, match=r"IMP-1.*PLAN.*leased by `a`.*epoch 1.*60 ms more") as caught:
            acquire(store, holder, now_ms=1040)
        held = caught.value
        assert (held.task, held.phase) == (TASK, PHASE)
        assert (held.holder, held.epoch, held.expires_ms, held.wait_ms) == ("a", 1, 1100, 60)
        assert store.lease(TASK, PHASE) == Lease(TASK, PHASE, 1, "a", 1100)

    def test_given_an_expired_lease_then_it_is_taken_over_from_its_holder_under_the_next_epoch(self, store):
        acquire(store, "a", now_ms=0)
        with pytest.raises(LeaseHeld):
            acquire(store, "b", now_ms=TTL_MS - 1)
        taken = acquire(store, "b", now_ms=TTL_MS)
        assert (taken.epoch, taken.holder, taken.taken_over, taken.taken_from) == (2, "b", True, "a")
        again = acquire(store, "b", now_ms=9 * TTL_MS)
        assert (again.epoch, again.taken_over, again.taken_from) == (3, True, "b")

    def test_given_a_released_lease_then_the_next_one_has_the_next_epoch_and_is_no_takeover(self, store):
        acquire(store)
        released = release(store, now_ms=10)
        assert (released.epoch, released.holder, released.released) == (1, "a", True)
        assert store.lease(TASK, PHASE) == released
        assert not released.live(0)
        lease = acquire(store, "b", now_ms=10)
        assert (lease.epoch, lease.taken_over) == (2, False)

    def test_given_many_rounds_then_the_epoch_never_resets(self, store):
        for epoch in range(1, 30):
            assert acquire(store, now_ms=epoch * 10 * TTL_MS).epoch == epoch
            if epoch % 3 == 0:
                release(store, epoch=epoch, now_ms=epoch * 10 * TTL_MS)

    def test_given_a_renewal_before_its_window_then_the_lease_stays_as_it_is(self, store):
        lease = acquire(store)
        assert renew(store, now_ms=TTL_MS - WINDOW_MS - 1) == lease
        assert store.lease(TASK, PHASE) == lease

    @pytest.mark.parametrize("now_ms", [TTL_MS - WINDOW_MS, TTL_MS - 1])
    def test_given_a_renewal_within_its_window_then_it_expires_later(self, store, now_ms):
        acquire(store)
        lease = renew(store, now_ms=now_ms)
        assert lease == Lease(TASK, PHASE, 1, "a", now_ms + TTL_MS)
        assert store.lease(TASK, PHASE) == lease

    def test_given_a_renewal_for_less_time_than_is_left_then_it_is_not_shortened(self, store):
        lease = acquire(store)
        assert renew(store, now_ms=80, ttl_ms=5) == lease
        assert store.lease(TASK, PHASE) == lease

    def test_given_a_lease_that_is_not_the_callers_then_renewal_and_release_say_why(self, store):
        assert lost(renew, store) == lost(release, store) == ("unknown", 0)
        acquire(store, "a")
        for call in (renew, release):
            assert lost(call, store, "b", 1, now_ms=90) == ("foreign", 1)
            assert lost(call, store, "a", 2, now_ms=90) == ("unknown", 1)
        assert lost(renew, store, now_ms=TTL_MS) == ("expired", 1)
        acquire(store, "b", now_ms=TTL_MS)
        for call in (renew, release):
            assert lost(call, store, "a", 1, now_ms=TTL_MS) == ("superseded", 2)
            assert lost(call, store, "b", 1, now_ms=TTL_MS) == ("superseded", 2)
        release(store, "b", 2, now_ms=TTL_MS)
        assert lost(renew, store, "b", 2, now_ms=TTL_MS) == ("released", 2)
        assert store.lease(TASK, PHASE).released

    def test_given_a_refused_renewal_or_release_then_the_holder_keeps_its_lease(self, store):
        lease = acquire(store)
        for call in (renew, release):
            lost(call, store, "b", 1, now_ms=90)
            lost(call, store, "a", 7, now_ms=90)
        assert store.lease(TASK, PHASE) == lease
        append(store, 1, 90)

    def test_given_a_second_release_then_it_changes_nothing(self, store):
        acquire(store)
        assert release(store, now_ms=10) == release(store, now_ms=20)

    def test_given_an_expired_lease_that_nobody_took_then_its_holder_can_still_release_it(self, store):
        acquire(store)
        assert release(store, now_ms=5 * TTL_MS).released
        assert not acquire(store, "b", now_ms=5 * TTL_MS).taken_over

    def test_given_other_tasks_and_phases_then_leases_are_apart_and_list_in_order(self, store):
        pairs = [("b", "PLAN"), ("a", "SPEC"), ("a", "PLAN"), ("ä", "PLAN")]
        epochs = [acquire(store, task=task, phase=phase).epoch for task, phase in pairs]
        assert epochs == [1, 1, 2, 1]
        release_one = store.lease_release("a", "SPEC", "a", 1, now_ms=1)
        assert [(lease.task, lease.phase) for lease in store.leases()] == sorted(pairs)
        assert [lease.phase for lease in store.leases("a")] == ["PLAN", "SPEC"]
        assert list(store.leases("a"))[1] == release_one
        assert list(store.leases("nobody's")) == []
        assert store.lease("b", "SPEC") is None

    def test_given_the_right_epoch_then_the_append_goes_through_until_the_lease_expires(self, store):
        acquire(store)
        (entry,) = append(store, 1, 0)
        (other,) = append(store, 1, TTL_MS - 1)
        assert (entry.seq, other.seq) == (1, 2)
        assert lost(append, store, 1, TTL_MS) == ("expired", 1)
        assert store.head().size == 2

    @pytest.mark.parametrize("epoch", [1, 3, LEASE_EPOCH_MAX])
    def test_given_another_epoch_then_nothing_is_written(self, store, epoch):
        acquire(store, "a")
        acquire(store, "b", now_ms=TTL_MS)
        reason = "superseded" if epoch == 1 else "unknown"
        rows = [Projection("task", TASK, b"1")]
        assert lost(append, store, epoch, TTL_MS, projections=rows) == (reason, 2)
        assert store.head().size == 0
        assert store.projection("task", TASK) is None
        append(store, 2, TTL_MS)

    def test_given_the_right_epoch_of_another_holder_then_nothing_is_written(self, store):
        acquire(store, "a")
        named = [Fence(TASK, PHASE, 1, 0, holder) for holder in ("b", "a ", "A")]
        for fence in named:
            assert lost(store.append, [draft()], at=at(1), fence=fence) == ("foreign", 1)
        assert store.head().size == 0
        store.append([draft()], at=at(1), fence=Fence(TASK, PHASE, 1, 0, "a"))
        assert store.head().size == 1

    def test_given_a_holder_and_no_token_then_the_lease_it_holds_is_in_its_way_too(self, store):
        acquire(store, "a")
        with pytest.raises(LeaseHeld):
            store.append([draft()], at=at(1), fence=Fence(TASK, PHASE, None, 0, "a"))
        assert store.head().size == 0

    def test_given_a_token_for_a_lease_that_never_was_then_nothing_is_written(self, store):
        assert lost(append, store, 1, 0) == ("unknown", 0)
        acquire(store, phase="SPEC")
        assert lost(append, store, 1, 0) == ("unknown", 0)
        assert store.head().size == 0

    def test_given_a_released_lease_then_its_token_is_worth_nothing(self, store):
        acquire(store)
        release(store)
        assert lost(append, store, 1, 0) == ("released", 1)
        assert store.head().size == 0

    def test_given_no_token_then_the_append_goes_through_only_while_nobody_holds_the_lease(self, store):
        append(store, None, 0)
        acquire(store)
        with pytest.raises(LeaseHeld) as caught:
            append(store, None, 50)
        assert (caught.value.holder, caught.value.epoch, caught.value.wait_ms) == ("a", 1, 50)
        assert store.head().size == 1
        append(store, None, TTL_MS)
        acquire(store, "b", now_ms=TTL_MS)
        release(store, "b", 2, now_ms=TTL_MS)
        append(store, None, TTL_MS)
        assert store.head().size == 3

    def test_given_no_fence_then_a_lease_does_not_matter(self, store):
        acquire(store)
        store.append([draft()], at=at(1))
        assert store.head().size == 1

    def test_given_a_moved_version_and_a_lost_lease_then_the_version_is_told_first(self, store):
        with pytest.raises(VersionConflict):
            append(store, 1, 0, expect=[Expect("task", TASK, 5)])

    def test_given_a_clock_that_jumps_back_then_a_lease_is_not_prolonged_by_it(self, store):
        acquire(store, now_ms=5000, ttl_ms=1050)
        acquire(store, now_ms=6000, task="elsewhere")
        # The time is 6000 for everybody now, whatever their clocks say.
        assert acquire(store, task="late", now_ms=0).expires_ms == 6000 + TTL_MS
        assert renew(store, now_ms=0, window_ms=50).expires_ms == 6000 + TTL_MS
        acquire(store, task="later", now_ms=7000)
        assert not store.lease(TASK, PHASE).live(0)
        assert lost(append, store, 1, 0) == ("expired", 1)
        assert lost(renew, store, now_ms=0) == ("expired", 1)
        assert acquire(store, "b", now_ms=0).taken_from == "a"

    def test_given_a_clock_that_jumps_back_within_a_second_then_a_lease_is_prolonged_by_no_more(self, store):
        acquire(store, now_ms=5000)
        for now_ms in (5001, 5500, 5999):
            acquire(store, now_ms=now_ms, task=f"at {now_ms}")
            assert store.lease(TASK, PHASE).seen_ms == 5000, "a time is not worth a write of its own"
        assert acquire(store, now_ms=0, task="late").expires_ms == 5000 + TTL_MS

    @pytest.mark.parametrize("call", ["acquire", "append"])
    def test_given_a_second_has_passed_then_whatever_is_done_keeps_the_time(self, store, call):
        acquire(store, now_ms=5000, ttl_ms=5000)
        if call == "acquire":
            acquire(store, now_ms=6000, task="elsewhere")
        else:
            append(store, 1, 6000)
        assert store.lease(TASK, PHASE).seen_ms == 6000

    def test_given_an_append_where_there_never_was_a_lease_then_no_time_is_kept(self, store):
        acquire(store, now_ms=5000)
        store.append([draft()], at=at(1), fence=Fence("elsewhere", PHASE, None, 9000))
        assert store.lease(TASK, PHASE).seen_ms == 5000

    @pytest.mark.parametrize("call", ["renew", "append"])
    def test_given_a_lease_once_refused_as_expired_then_no_clock_revives_it(self, store, call):
        acquire(store)
        refused = (append, store, 1) if call == "append" else (renew, store, "a", 1)
        assert lost(*refused, now_ms=TTL_MS) == ("expired", 1)
        assert lost(append, store, 1, 0) == ("expired", 1)
        assert lost(renew, store, now_ms=0) == ("expired", 1)
        assert acquire(store, "b", now_ms=0).taken_over
        assert store.head().size == 0

    def test_given_a_lease_released_after_it_expired_then_no_clock_revives_it(self, store):
        acquire(store)
        release(store, now_ms=TTL_MS)
        assert lost(append, store, 1, 0) == ("released", 1)

    def test_given_an_append_without_token_into_an_expired_lease_then_no_clock_revives_it(self, store):
        acquire(store)
        append(store, None, TTL_MS)
        assert lost(append, store, 1, 0) == ("expired", 1)

    def test_given_an_append_that_fails_behind_its_fence_then_nothing_is_kept_of_it(self, store):
        acquire(store)

        def fail(_):
            raise KeyError("gone")

        with pytest.raises(KeyError):
            append(store, 1, TTL_MS - 1, projections=fail)
        assert store.lease(TASK, PHASE).seen_ms == 0
        assert store.head().size == 0

    def test_given_a_clock_far_ahead_then_release_still_lets_the_next_one_in(self, store):
        acquire(store, now_ms=LEASE_CLOCK_MS_MAX, task="elsewhere")
        lease = acquire(store, now_ms=0)
        with pytest.raises(LeaseHeld):
            acquire(store, "b", now_ms=10 * TTL_MS)
        release(store, lease.holder, lease.epoch, now_ms=0)
        assert acquire(store, "b", now_ms=0).epoch == 2

    @pytest.mark.parametrize(
        "wrong",
        [
            {"task": ""},
            {"task": "x" * 129},
            {"task": None},
            {"phase": ""},
            {"phase": "x" * 65},
            {"phase": "a\nb"},
            {"holder": ""},
            {"holder": "x" * (LEASE_HOLDER_CHARS_MAX + 1)},
            {"holder": "\ud800"},
            {"now_ms": -1},
            {"now_ms": LEASE_CLOCK_MS_MAX + 1},
            {"now_ms": 1.5},
            {"now_ms": True},
            {"ttl_ms": 0},
            {"ttl_ms": -TTL_MS},
            {"ttl_ms": LEASE_TTL_MS_MAX + 1},
            {"ttl_ms": "9"},
        ],
    )
    def test_given_a_lease_no_store_can_keep_then_it_is_refused(self, store, wrong):
        with pytest.raises(LeaseInvalid, match=next(iter(wrong))):
            acquire(store, **wrong)
        assert list(store.leases()) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"window_ms": 0},
            {"window_ms": LEASE_WINDOW_MS_MAX + 1},
            {"epoch": 0},
            {"epoch": LEASE_EPOCH_MAX + 1},
            {"epoch": True},
            {"epoch": None},
        ],
    )
    def test_given_a_renewal_out_of_bounds_then_it_is_refused(self, store, wrong):
        lease = acquire(store)
        with pytest.raises(LeaseInvalid, match=next(iter(wrong))):
            renew(store, **{"now_ms": 90, **wrong})
        assert store.lease(TASK, PHASE) == lease

    @pytest.mark.parametrize(
        "fence",
        [
            Fence("", PHASE, 1, 0),
            Fence(TASK, "", 1, 0),
            Fence(TASK, "\0", 1, 0),
            Fence(TASK, PHASE, 0, 0),
            Fence(TASK, PHASE, epoch=False, now_ms=0),
            Fence(TASK, PHASE, "1", 0),
            Fence(TASK, PHASE, 1, -1),
            Fence(TASK, PHASE, None, 2**70),
            Fence(TASK, PHASE, 1, 0, ""),
            Fence(TASK, PHASE, 1, 0, "x" * (LEASE_HOLDER_CHARS_MAX + 1)),
        ],
    )
    def test_given_a_malformed_fence_then_nothing_is_written(self, store, fence):
        acquire(store)
        with pytest.raises(LeaseInvalid, match="cannot be"):
            store.append([draft()], at=at(1), fence=fence)
        assert store.head().size == 0

    @pytest.mark.parametrize(("task", "phase"), [("", PHASE), (TASK, ""), ("\ud800", PHASE)])
    def test_given_a_name_no_lease_can_have_then_reading_says_so(self, store, task, phase):
        with pytest.raises(LeaseInvalid, match="cannot be a lease's"):
            store.lease(task, phase)
        with pytest.raises(LeaseInvalid, match="cannot be a lease's"):
            store.leases("")

    def test_given_a_closed_store_then_leases_say_so(self, store):
        acquire(store)
        store.close()
        for call in (
            lambda: acquire(store, "b", now_ms=TTL_MS),
            lambda: renew(store),
            lambda: release(store),
            lambda: store.lease(TASK, PHASE),
            lambda: list(store.leases()),
        ):
            with pytest.raises(StoreClosed):
                call()

    def test_given_threads_that_race_for_one_lease_then_each_epoch_has_one_winner(self, store):
        won: list[tuple[int, str]] = []

        def work(holder):
            for now_ms in range(40):
                try:
                    won.append((acquire(store, holder, now_ms=now_ms, ttl_ms=1).epoch, holder))
                except LeaseHeld:
                    continue

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(epoch for epoch, _ in won) == list(range(1, 41))
        assert store.lease(TASK, PHASE).epoch == 40
