"""The follower: what it writes, that it writes once, and that nothing stops a command."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections import Counter as Tally

import pytest
from telemetry_ledger import FakeEntry, FakeSource, child_environment, story, violation

from phasegate.ledger.entry import Draft
from phasegate.ledger.memory import MemoryStore
from phasegate.telemetry import cursor, jsonl
from phasegate.telemetry.errors import ExportError
from phasegate.telemetry.follow import Follower, Settings, follow
from phasegate.telemetry.names import Counter

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.invalid:4318"}


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def spans_in(directory):
    return rows(directory / "traces.jsonl")


def latest(directory):
    values = {}
    for row in rows(directory / "metrics.jsonl"):
        values[row["name"], row["phase"]] = row["value"]
    return {
        counter.value: sum(v for (name, _), v in values.items() if name == counter) for counter in Counter
    }


class Collector:
    """Stands for the OTLP stage: remembers what it got, and fails when told to."""

    def __init__(self):
        self.spans, self.counters, self.failing, self.problem = [], None, False, ""

    def __call__(self, endpoints, spans, counters):
        if self.failing:
            raise ExportError("the collector is not there", "start it")
        self.spans += spans
        self.counters = counters
        return self.problem


def follower(source, directory, *, environ=None, now=lambda: 1_000.0, send=None, settings=None):
    return Follower(source, directory, environ or {}, now, settings or Settings(), send or Collector())


def test_given_a_ledger_when_followed_then_spans_and_counters_lie_in_files(tmp_path):
    outcome = follower(FakeSource(story()), tmp_path / "telemetry").run()
    assert (outcome.spans_written, outcome.otlp, outcome.problem) == (10, "off", "")
    assert len(spans_in(tmp_path / "telemetry")) == 10
    assert latest(tmp_path / "telemetry")["evidence_gate_failed"] == 3
    assert latest(tmp_path / "telemetry")["tasks_rejected_for_process_violation"] == 2


def test_given_nothing_new_when_followed_again_then_nothing_is_written_and_one_entry_is_read(tmp_path):
    follower(FakeSource(story()), tmp_path).run()
    before = {name: (tmp_path / name).read_bytes() for name in ("traces.jsonl", "metrics.jsonl")}
    source = FakeSource(story())
    assert follower(source, tmp_path).run().spans_written == 0
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert source.served == 1


def test_given_new_entries_when_followed_again_then_only_what_changed_is_written(tmp_path):
    follower(FakeSource(story()), tmp_path).run()
    old = len(rows(tmp_path / "metrics.jsonl"))
    follower(FakeSource([*story(), violation(14, "out_of_sequence", "SPEC")]), tmp_path).run()
    assert len(spans_in(tmp_path)) == 11
    assert [(row["name"], row["phase"], row["value"]) for row in rows(tmp_path / "metrics.jsonl")[old:]] == [
        ("phase_skips_attempted", "SPEC", 1)
    ]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"seq": "x"}', b'{"seq": 13, "hash": "0", "counters": 3}']
)
def test_given_a_lost_or_damaged_cursor_when_followed_then_all_is_exported_again_under_the_same_ids(
    tmp_path, damage
):
    follower(FakeSource(story()), tmp_path).run()
    (tmp_path / "cursor.json").write_bytes(damage)
    follower(FakeSource(story()), tmp_path).run()
    ids = [row["span_id"] for row in spans_in(tmp_path)]
    assert ids[:10] == ids[10:]
    assert latest(tmp_path)["evidence_gate_failed"] == 3


def test_given_another_ledger_in_the_same_home_when_followed_then_it_is_read_from_its_start(tmp_path):
    follower(FakeSource(story()), tmp_path).run()
    other = [FakeEntry(n, "phase.backtracked", "SPEC", {}, ledger="ledger-2") for n in range(1, 4)]
    assert follower(FakeSource(other), tmp_path).run().spans_written > 0
    assert json.loads((tmp_path / "cursor.json").read_bytes())["counters"]["by_phase"] == {
        "phase_backtracks": {"SPEC": 3}
    }


def test_given_many_entries_when_followed_in_small_batches_then_the_result_is_the_same_and_runs_are_bounded(
    tmp_path,
):
    entries = [violation(n, "out_of_sequence", "SPEC", task=f"T-{n % 7}") for n in range(1, 101)]
    settings = Settings(batch_entries=10, run_entries=40)
    written = [
        follower(FakeSource(entries), tmp_path, settings=settings).run().spans_written for _ in range(4)
    ]
    assert written == [40, 40, 20, 0]
    assert latest(tmp_path)["phase_skips_attempted"] == 100
    assert latest(tmp_path)["tasks_rejected_for_process_violation"] == 7


def test_given_a_crash_between_write_and_cursor_when_followed_again_then_nothing_is_lost(
    tmp_path, monkeypatch
):
    def crash(path, content):
        raise OSError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(cursor, "save", crash)
        assert "killed here" in follower(FakeSource(story()), tmp_path).run().problem
    follower(FakeSource(story()), tmp_path).run()
    assert {row["attributes"]["phasegate.ledger.seq"] for row in spans_in(tmp_path)} == {
        1,
        3,
        4,
        5,
        7,
        9,
        10,
        11,
        12,
        13,
    }
    assert latest(tmp_path)["evidence_gate_failed"] == 3


def test_given_a_file_cut_in_the_middle_of_a_line_when_appended_then_the_new_row_stands_alone(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": ')
    assert jsonl.append(path, [{"c": 3}]) == 1
    assert path.read_bytes().splitlines()[-1] == b'{"c":3}'


def test_given_a_directory_that_cannot_be_written_when_followed_then_it_says_so_and_does_not_raise(tmp_path):
    (tmp_path / "file").write_text("")
    outcome = follower(FakeSource(story()), tmp_path / "file" / "telemetry").run()
    assert outcome.problem.startswith("telemetry could not be written")


def test_given_another_process_that_writes_when_followed_then_it_gives_way(tmp_path):
    descriptor = os.open(tmp_path / "jsonl.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert (
            follower(FakeSource(story()), tmp_path, settings=Settings(lock_wait_ms=10)).run().spans_written
            == 0
        )
    finally:
        os.close(descriptor)
    assert follower(FakeSource(story()), tmp_path).run().spans_written == 10


def test_given_four_processes_when_they_follow_one_ledger_at_once_then_no_span_is_written_twice(tmp_path):
    program = (
        "import sys; from pathlib import Path; from telemetry_ledger import FakeSource, violation;"
        "from phasegate.telemetry.follow import Follower, Settings;"
        "source = FakeSource(violation(n, 'out_of_sequence', 'SPEC') for n in range(1, 301));"
        "settings = Settings(lock_wait_ms=2000, batch_entries=7, run_entries=14);"
        "[Follower(source, Path(sys.argv[1]), {}, settings=settings).run() for _ in range(25)]"
    )
    env = child_environment()
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], env=env) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0, 0]
    times = Tally(row["attributes"]["phasegate.ledger.seq"] for row in spans_in(tmp_path))
    assert times == dict.fromkeys(range(1, 301), 1)
    assert latest(tmp_path)["phase_skips_attempted"] == 300


def test_given_a_collector_when_followed_then_it_gets_each_span_once_and_the_counters(tmp_path):
    collector = Collector()
    run = follower(FakeSource(story()), tmp_path, environ=COLLECTOR, send=collector).run
    assert [run().otlp, run().otlp] == ["sent", "current"]
    assert len(collector.spans) == 10
    assert collector.counters.total(Counter.EVIDENCE_GATE_FAILED) == 3


def test_given_a_dead_collector_when_followed_then_files_are_whole_and_spans_go_out_later(tmp_path):
    collector, clock = Collector(), [1_000.0]
    collector.failing = True
    run = follower(FakeSource(story()), tmp_path, environ=COLLECTOR, send=collector, now=lambda: clock[0]).run
    first = run()
    assert (first.otlp, first.spans_written, first.problem) == ("failed", 10, "the collector is not there")
    second = run()
    assert (second.otlp, second.problem) == ("paused", "")
    clock[0], collector.failing = 1_006.0, False
    assert run().spans_sent == 10


def test_given_failure_upon_failure_when_followed_then_pauses_double_up_to_the_longest(tmp_path):
    collector, clock, pauses = Collector(), [1_000.0], []
    collector.failing = True
    run = follower(FakeSource(story()), tmp_path, environ=COLLECTOR, send=collector, now=lambda: clock[0]).run
    for _ in range(9):
        assert run().otlp == "failed"
        resume_at = json.loads((tmp_path / "otlp_cursor.json").read_bytes())["resume_at"]
        pauses.append(resume_at - int(clock[0]))
        clock[0] = float(resume_at)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_given_a_clock_set_back_when_followed_then_the_pause_does_not_last(tmp_path):
    collector = Collector()
    cursor.save(tmp_path / "otlp_cursor.json", {"failures": 1, "resume_at": 9_999_999})
    assert follower(FakeSource(story()), tmp_path, environ=COLLECTOR, send=collector).run().otlp == "sent"


def test_given_another_process_that_sends_when_followed_then_it_gives_way_at_once(tmp_path):
    descriptor = os.open(tmp_path / "otlp.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    outcome = follower(FakeSource(story()), tmp_path, environ=COLLECTOR).run()
    os.close(descriptor)
    assert (outcome.otlp, outcome.spans_written) == ("busy", 10)


def test_given_counters_refused_when_spans_were_taken_then_spans_are_not_sent_again(tmp_path):
    collector = Collector()
    collector.problem = "metrics were not exported"
    run = follower(FakeSource(story()), tmp_path, environ=COLLECTOR, send=collector).run
    assert [run().problem, run().otlp, len(collector.spans)] == ["metrics were not exported", "current", 10]


def test_given_a_real_store_when_followed_then_its_entries_are_read(tmp_path):
    store = MemoryStore("ledger-1", at="2026-01-02T03:04:05.000000Z")
    payload = {"violation": "out_of_sequence", "command": "advance", "message": "no", "remedy": "in order"}
    (last,) = store.append(
        [Draft("T-1", "SPEC", 1, "violation.recorded", "local:me", "", payload)],
        at="2026-01-02T03:04:05.000000Z",
    )
    assert follow(store, tmp_path) == ""
    (row,) = spans_in(tmp_path)
    assert row["attributes"]["phasegate.ledger.hash"] == last.hash
    assert row["name"] == "process.violation"


def test_given_no_endpoint_when_followed_then_opentelemetry_is_not_imported(tmp_path):
    program = (
        "import sys; from pathlib import Path; from telemetry_ledger import FakeSource, story;"
        "from phasegate.telemetry.follow import Follower; Follower(FakeSource(story()), Path(sys.argv[1]), {}).run();"
        "print([m for m in sys.modules if m.startswith(('opentelemetry', 'requests', 'http.client'))])"
    )
    env = child_environment()
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_given_an_exporter_that_cannot_be_imported_when_followed_then_it_is_told_and_nothing_raises(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("phasegate.telemetry.export.probe", lambda endpoint: None)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    outcome = Follower(FakeSource(story()), tmp_path, COLLECTOR).run()
    assert (outcome.otlp, outcome.spans_written) == ("failed", 10)
    assert "cannot be imported" in outcome.problem
