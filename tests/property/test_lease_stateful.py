"""Leases under any interleaving: several holders, clocks that jump back and forth, tokens kept for ever.

Every step is done on the in-memory store and on one SQLite file through two store objects, as two
processes would; all must answer alike. What must hold is written down here from the definition, not
taken from the rules under test: it knows only what the stores have answered so far.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from contract.ledger_store_contract import CREATED, LEDGER, at, draft
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from phasegate.ledger.errors import LeaseError, LeaseHeld, LeaseLost
from phasegate.ledger.leases import Fence, Lease
from phasegate.ledger.memory import MemoryStore
from phasegate.ledger.sqlite import SqliteStore
from phasegate.ledger.store import Store

EXAMPLES = 100
STEPS = 40

keys = st.sampled_from([("IMP-1", "PLAN"), ("IMP-1", "VERIFY"), ("IMP-2", "PLAN")])
holders = st.sampled_from(["a", "b", "c"])
# Times are whole quarters of a second, so that a few steps cross the second after which a time is kept.
QUARTER_MS = 250
STEP_MS = 1000
jumps = st.integers(-60, 15).map(lambda quarters: quarters * QUARTER_MS)
durations = st.integers(1, 40).map(lambda quarters: quarters * QUARTER_MS)
Key = tuple[str, str]


@dataclass
class Known:
    """What is known of a task and phase from the answers so far."""

    epoch: int = 0
    holder: str = ""
    expires_ms: int = 0
    over: bool = True

    def held(self, time_ms: int) -> bool:
        return not self.over and time_ms < self.expires_ms


class Leases(RuleBasedStateMachine):
    tokens = Bundle("tokens")

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.stores = [MemoryStore(LEDGER, at=CREATED), *self.pair()]
        self.turn = 0
        self.seen_ms = 0
        self.known: dict[Key, Known] = {}
        self.accepted: list[tuple[Key, int]] = []

    def pair(self) -> tuple[Store, Store]:
        """Two stores of one new ledger."""
        first = SqliteStore.create(self.folder / "ledger.db", LEDGER, at=CREATED)
        return first, SqliteStore.open(first.path)

    def teardown(self) -> None:
        if not hasattr(self, "stores"):
            return
        try:
            self.no_stale_epoch_is_in_the_ledger()
        finally:
            for store in self.stores:
                store.close()
            shutil.rmtree(self.folder)

    def ask(self, call):
        """Do one thing in memory and through one of the two file stores; return the common answer."""
        memory, *files = self.stores
        self.turn += 1
        answers = []
        for store in (memory, files[self.turn % 2]):
            try:
                answers.append(call(store))
            except LeaseError as error:
                answers.append((type(error), str(error)))
        assert answers[0] == answers[1]
        return answers[0]

    def times(self, jump_ms: int) -> tuple[int, int]:
        """The clock of the holder whose turn it is, and the time by which it will be judged."""
        now_ms = max(0, self.seen_ms + jump_ms)
        return now_ms, max(self.seen_ms, now_ms)

    def keep(self, time_ms: int, known: Known) -> None:
        """What time is kept: one by which a lease was over, and any other a second after the last."""
        over = not known.over and self.seen_ms < known.expires_ms <= time_ms
        if over or time_ms >= self.seen_ms + STEP_MS:
            self.seen_ms = time_ms

    def end(self, key: Key) -> None:
        self.known[key].over = True

    @rule(target=tokens, key=keys, holder=holders, jump_ms=jumps, ttl_ms=durations)
    def acquire(self, key, holder, jump_ms, ttl_ms):
        known, now_ms, time_ms = self.known.setdefault(key, Known()), *self.times(jump_ms)
        answer = self.ask(lambda store: store.lease_acquire(*key, holder, now_ms=now_ms, ttl_ms=ttl_ms))
        assert isinstance(answer, Lease) == (not known.held(time_ms)), "one live lease, and none refused"
        if not isinstance(answer, Lease):
            assert answer[0] is LeaseHeld
            return multiple()
        of_task = [other.epoch for (task, _), other in self.known.items() if task == key[0]]
        assert answer.epoch == max(of_task) + 1, "a token is worth nothing in any other phase of its task"
        assert answer.expires_ms == time_ms + ttl_ms
        self.keep(time_ms, known)
        self.known[key] = Known(answer.epoch, holder, answer.expires_ms, over=False)
        return key, holder, answer.epoch

    @rule(token=tokens, jump_ms=jumps, ttl_ms=durations, window_ms=durations)
    def renew(self, token, jump_ms, ttl_ms, window_ms):
        key, holder, epoch = token
        known, now_ms, time_ms = self.known[key], *self.times(jump_ms)
        answer = self.ask(
            lambda store: store.lease_renew(
                *key, holder, epoch, now_ms=now_ms, ttl_ms=ttl_ms, window_ms=window_ms
            )
        )
        mine = (epoch, holder) == (known.epoch, known.holder) and known.held(time_ms)
        assert isinstance(answer, Lease) == mine, "only the holder, only in time, and always then"
        if isinstance(answer, Lease):
            assert answer.expires_ms in {known.expires_ms, time_ms + ttl_ms}
            assert answer.expires_ms >= known.expires_ms
            if known.expires_ms - time_ms > window_ms:
                assert answer.expires_ms == known.expires_ms, "too early"
            if answer.expires_ms != known.expires_ms:
                self.keep(time_ms, known)
                known.expires_ms = answer.expires_ms
        else:
            self.refused(answer, key, epoch, time_ms)

    @rule(token=tokens, jump_ms=jumps)
    def release(self, token, jump_ms):
        key, holder, epoch = token
        known, now_ms, time_ms = self.known[key], *self.times(jump_ms)
        answer = self.ask(lambda store: store.lease_release(*key, holder, epoch, now_ms=now_ms))
        assert isinstance(answer, Lease) == (epoch == known.epoch)
        if isinstance(answer, Lease):
            assert (answer.epoch, answer.released) == (epoch, True)
            if answer.seen_ms == time_ms:  # and not one released before, which changes nothing
                self.keep(time_ms, known)
            self.end(key)

    @rule(token=tokens, name=holders, jump_ms=jumps)
    def use_a_token_under_another_name(self, token, name, jump_ms):
        key, holder, epoch = token
        if name == holder:
            return
        now_ms, _ = self.times(jump_ms)
        for answer in (
            self.ask(lambda store: store.lease_release(*key, name, epoch, now_ms=now_ms)),
            self.ask(
                lambda store: store.lease_renew(*key, name, epoch, now_ms=now_ms, ttl_ms=1000, window_ms=1000)
            ),
        ):
            assert not isinstance(answer, Lease)
            assert "another holder" in answer[1] or "stale" in answer[1]

    @rule(token=tokens, jump_ms=jumps)
    def append_with_a_token(self, token, jump_ms):
        key, _, epoch = token
        known, now_ms, time_ms = self.known[key], *self.times(jump_ms)
        answer = self.ask(lambda store: self.write(store, key, epoch, now_ms))
        valid = epoch == known.epoch and known.held(time_ms)
        assert (answer == "written") == valid, "the latest token, in time, and always then"
        if answer == "written":
            self.accepted.append((key, epoch))
            self.keep(time_ms, known)
        else:
            self.refused(answer, key, epoch, time_ms)

    @rule(key=keys, jump_ms=jumps)
    def append_without_a_token(self, key, jump_ms):
        known, now_ms, time_ms = self.known.get(key, Known()), *self.times(jump_ms)
        answer = self.ask(lambda store: self.write(store, key, None, now_ms))
        assert (answer == "written") == (not known.held(time_ms)), "never beside a holder"
        if answer == "written":
            if known.epoch:
                self.keep(time_ms, known)
        else:
            assert answer[0] is LeaseHeld

    @rule(key=keys, epoch=st.integers(1, 12), jump_ms=jumps)
    def append_with_a_token_made_up(self, key, epoch, jump_ms):
        known, now_ms, time_ms = self.known.get(key, Known()), *self.times(jump_ms)
        if epoch == known.epoch and known.held(time_ms):
            return
        answer = self.ask(lambda store: self.write(store, key, epoch, now_ms))
        assert answer != "written"
        self.refused(answer, key, epoch, time_ms)

    def write(self, store, key: Key, epoch: int | None, now_ms: int) -> str:
        task, phase = key
        payload = {"epoch": epoch or 0}
        store.append(
            [draft(task=task, phase=phase, payload=payload)],
            at=at(1),
            fence=Fence(task, phase, epoch, now_ms),
        )
        return "written"

    def refused(self, answer, key: Key, epoch: int, time_ms: int) -> None:
        """A token once refused because its time was up is over, whatever the clocks say later."""
        assert answer[0] is LeaseLost
        known = self.known.get(key, Known())
        if epoch == known.epoch and not known.over:
            assert "has expired" in answer[1]
            self.end(key)
        if "has expired" in answer[1]:
            self.seen_ms = time_ms

    @invariant()
    def the_row_says_what_was_answered(self):
        for (task, phase), known in getattr(self, "known", {}).items():
            for store in self.stores:
                lease = store.lease(task, phase)
                assert (lease.epoch if lease else 0) == known.epoch
                assert not (known.over and lease is not None and lease.live(0)), "over is over"

    def no_stale_epoch_is_in_the_ledger(self) -> None:
        for store in self.stores[:2]:
            latest: dict[Key, int] = {}
            written = []
            for entry in store.entries():
                epoch = entry.payload["epoch"]
                if epoch:
                    key = entry.task, entry.phase
                    written.append((key, epoch))
                    assert epoch >= latest.get(key, 0)
                    latest[key] = epoch
            assert written == self.accepted


TestLeases = pytest.mark.slow(Leases.TestCase)
TestLeases.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, derandomize=True
)
