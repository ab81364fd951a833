"""OTLP over real sockets: a receiver that parses protobuf, a dead port, and servers that do not answer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from metrics_ledger import DAYS, three_days
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from telemetry_ledger import TRACE, FakeSource, child_environment, span_id, story

from phasegate.telemetry import names
from phasegate.telemetry.endpoints import Endpoints
from phasegate.telemetry.errors import ExportError
from phasegate.telemetry.export import SEND_TIMEOUT_MS, send_objectives, send_timeout_ms
from phasegate.telemetry.follow import Follower
from phasegate.telemetry.happenings import counted, told
from phasegate.telemetry.probe import probe
from phasegate.telemetry.slo import slos_of
from phasegate.telemetry.spans import commands_of, spans_of

GENEROUS = {"OTEL_EXPORTER_OTLP_TIMEOUT": "10000"}


class Receiver(ThreadingHTTPServer):
    """Keeps the requests it got by path; answers as it is told, empty requests (the probe's) always with 200."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies, self.headers, self.status, self.silent = {}, [], {}, threading.Event()
        self.released = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body:
            self.server.bodies.setdefault(self.path, []).append(body)
            self.server.headers.append(self.headers)
            if self.server.silent.is_set():
                self.server.released.wait(30)
                return
        self.send_response(self.server.status.get(self.path, 200) if body else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


@contextmanager
def black_hole() -> Iterator[str]:
    """A listener whose connections succeed and are never answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def dead_port() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def run(directory, url, monkeypatch, **environ):
    for name, value in {**GENEROUS, **environ}.items():
        monkeypatch.setenv(name, value)
    return Follower(FakeSource(story()), directory, {"OTEL_EXPORTER_OTLP_ENDPOINT": url}).run()


def attributes_of(message):
    found = {}
    for item in message.attributes:
        kind = item.value.WhichOneof("value")
        value = getattr(item.value, kind)
        found[item.key] = (
            [element.string_value for element in value.values] if kind == "array_value" else value
        )
    return found


def test_given_a_collector_when_followed_then_it_gets_the_very_spans_with_ids_and_times_of_the_entries(
    tmp_path, monkeypatch
):
    with receiver() as server:
        outcome = run(tmp_path, server.url, monkeypatch, OTEL_EXPORTER_OTLP_HEADERS="x-key=abc")
    assert (outcome.otlp, outcome.spans_sent, outcome.problem) == ("sent", 10, "")
    (body,) = server.bodies["/v1/traces"]
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert attributes_of(resource.resource)["service.name"] == "phasegate"
    (scope,) = resource.scope_spans
    expected = [span for command in commands_of(story()) for span in spans_of(command)]
    assert [
        (
            s.trace_id.hex(),
            s.span_id.hex(),
            s.parent_span_id.hex() or None,
            s.name,
            s.start_time_unix_nano,
            s.end_time_unix_nano,
        )
        for s in scope.spans
    ] == [(s.trace_id, s.span_id, s.parent_id, s.name.value, s.start_ns, s.end_ns) for s in expected]
    transition, verify = scope.spans[2], scope.spans[3]
    assert (transition.trace_id.hex(), transition.span_id.hex()) == (TRACE, span_id(4))
    assert [event.name for event in transition.events] == ["phase.entered"]
    assert attributes_of(verify)[names.ARTIFACT_DIGESTS] == ["a" * 64]
    assert attributes_of(verify)[names.LEDGER_HASH] == story()[3].hash
    assert scope.spans[1].status.code == 2
    assert server.headers[0]["x-key"] == "abc"
    assert server.headers[0]["Content-Type"] == "application/x-protobuf"


def test_given_a_collector_when_followed_then_counters_arrive_cumulative_since_the_first_entry(
    tmp_path, monkeypatch
):
    with receiver() as server:
        run(tmp_path, server.url, monkeypatch)
    (body,) = server.bodies["/v1/metrics"]
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    metrics = {metric.name: metric.sum for metric in resource.scope_metrics[0].metrics}
    assert {name: sum(p.as_int for p in total.data_points) for name, total in metrics.items()} == {
        "phase_skips_attempted": 1, "phase_validations_failed": 1, "phase_backtracks": 1, "prompt_drift_detected": 0,
        "evidence_gate_failed": 3, "tool_calls_rejected": 0, "lease_contention": 0, "tasks_rejected_for_process_violation": 2,
    }  # fmt: skip
    gate = metrics["evidence_gate_failed"]
    assert (gate.is_monotonic, gate.aggregation_temporality) == (True, 2)
    (point,) = gate.data_points
    assert attributes_of(point) == {names.PHASE: "VERIFY"}
    assert 0 < point.start_time_unix_nano < point.time_unix_nano


def test_given_a_collector_when_objectives_are_sent_then_it_gets_a_gauge_for_each_that_has_a_value(
    monkeypatch,
):
    for name, value in GENEROUS.items():
        monkeypatch.setenv(name, value)
    slos = slos_of(counted(told(three_days()).happenings, DAYS[0]))
    with receiver() as server:
        send_objectives(Endpoints("", f"{server.url}/v1/metrics"), slos, DAYS[0], "24h")
    (body,) = server.bodies["/v1/metrics"]
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    gauges = {
        metric.name: (metric.unit, metric.gauge.data_points[0])
        for metric in resource.scope_metrics[0].metrics
    }
    assert {name: point.as_double for name, (_, point) in gauges.items()} == {
        "success_rate": 1.0, "loop_rate": 0.5, "tool_mttr": 30.0, "groundedness_score": 0.5,
        "spurious_block_rate": 0.5, "false_positive_gate_rate": 0.0,
    }  # fmt: skip
    assert gauges["tool_mttr"][0] == "s"
    point = gauges["loop_rate"][1]
    assert attributes_of(point) == {names.WINDOW: "24h"}
    assert point.time_unix_nano == DAYS[0].until_us * 1000


def test_given_no_collector_when_objectives_are_sent_then_it_is_told(dead_port):
    for endpoints in (Endpoints("http://t", ""), Endpoints("", f"{dead_port}/v1/metrics")):
        with pytest.raises(ExportError) as caught:
            send_objectives(endpoints, (), DAYS[0], "24h")
        assert caught.value.remedy


def test_given_a_collector_for_traces_alone_when_followed_then_spans_count_as_sent(tmp_path, monkeypatch):
    with receiver() as server:
        server.status["/v1/metrics"] = 404
        first = run(tmp_path, server.url, monkeypatch)
        second = run(tmp_path, server.url, monkeypatch)
    assert (first.otlp, second.otlp) == ("sent", "current")
    assert first.problem.startswith("metrics were not exported")
    assert len(server.bodies["/v1/traces"]) == 1


def test_given_a_collector_that_refuses_spans_when_followed_then_they_stay_for_later(tmp_path, monkeypatch):
    with receiver() as server:
        server.status["/v1/traces"] = 400
        outcome = run(tmp_path, server.url, monkeypatch)
        assert (outcome.otlp, outcome.spans_sent) == ("failed", 0)
        (tmp_path / "otlp_cursor.json").unlink()
        server.status.clear()
        assert run(tmp_path, server.url, monkeypatch).spans_sent == 10


def test_given_a_collector_that_answers_the_probe_and_then_hangs_when_followed_then_it_fails_in_time(
    tmp_path, monkeypatch
):
    with receiver() as server:
        server.silent.set()
        outcome = run(tmp_path, server.url, monkeypatch, OTEL_EXPORTER_OTLP_TIMEOUT="50")
    assert outcome.otlp == "failed"
    assert "did not answer in time" in outcome.problem or "did not take them" in outcome.problem
    assert len((tmp_path / "traces.jsonl").read_text().splitlines()) == 10


def test_given_a_dead_port_when_followed_then_files_are_written_and_the_problem_is_told(
    tmp_path, monkeypatch, dead_port
):
    outcome = run(tmp_path, dead_port, monkeypatch)
    assert (outcome.otlp, outcome.spans_written) == ("failed", 10)
    assert "is not there" in outcome.problem


TIMED = """
import json, sys, time
from pathlib import Path
from telemetry_ledger import FakeSource, story
from phasegate.telemetry.follow import Follower
source = FakeSource(story())
start = time.monotonic()
outcome = Follower(source, Path(sys.argv[1]), {"OTEL_EXPORTER_OTLP_ENDPOINT": sys.argv[2]}).run()
heavy = [name for name in sys.modules if name.startswith(("opentelemetry", "requests"))]
print(json.dumps([outcome.otlp, outcome.spans_written, time.monotonic() - start, heavy]))
"""


def timed(directory, url):
    env = child_environment()
    done = subprocess.run(
        [sys.executable, "-c", TIMED, str(directory), url],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_given_a_dead_port_when_a_fresh_process_follows_then_it_adds_less_than_half_a_second_and_imports_nothing(
    tmp_path, dead_port
):
    otlp, written, seconds, heavy = timed(tmp_path, dead_port)
    assert (otlp, written, heavy) == ("failed", 10, [])
    assert seconds < 0.5


def test_given_a_black_hole_when_a_fresh_process_follows_then_it_adds_less_than_half_a_second_and_imports_nothing(
    tmp_path,
):
    with black_hole() as url:
        otlp, written, seconds, heavy = timed(tmp_path, url)
    assert (otlp, written, heavy) == ("failed", 10, [])
    assert seconds < 0.5


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("ftp://localhost/x", "not an http or https address"),
        ("http://", "not an http or https address"),
        ("http://[::1/x", "the configured endpoint"),
        ("http://localhost:notaport/x", "the configured endpoint"),
        ("collector:4318", "not an http or https address"),
    ],
)
def test_given_an_address_that_is_none_when_probed_then_it_is_an_export_error(endpoint, told):
    with pytest.raises(ExportError, match="is not there") as caught:
        probe(endpoint)
    assert told in str(caught.value)


def test_given_a_password_in_the_endpoint_when_the_probe_fails_then_it_is_not_told(dead_port):
    with pytest.raises(ExportError) as caught:
        probe(dead_port.replace("http://", "http://user:hunter2@") + "/v1/traces?token=t0ken")
    assert "hunter2" not in str(caught.value)
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"},
            Endpoints("http://c:4318/v1/traces", "http://c:4318/v1/metrics"),
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x"}, Endpoints("http://t/x", "")),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m/x"}, Endpoints("", "http://m/x")),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t"},
            Endpoints("http://t", "http://c/v1/metrics"),
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "none"},
            Endpoints("http://c/v1/traces", ""),
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "TRUE"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, None),
    ],
)
def test_given_the_standard_variables_when_read_then_endpoints_follow_the_specification(environ, expected):
    assert Endpoints.from_environ(environ) == expected


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("", SEND_TIMEOUT_MS),
        ("x", SEND_TIMEOUT_MS),
        ("-1", SEND_TIMEOUT_MS),
        ("1500", 1500),
        ("0", 1),
        ("99999", 10_000),
        ("9" * 5000, SEND_TIMEOUT_MS),
    ],
)
def test_given_a_configured_timeout_when_read_then_it_stays_within_bounds(configured, expected):
    assert send_timeout_ms(configured) == expected
