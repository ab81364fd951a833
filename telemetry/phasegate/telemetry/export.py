"""Spans and counters to a collector: OTLP over HTTP with protobuf bodies, by the OpenTelemetry exporters.

The one module that imports OpenTelemetry, and only after a server has answered. Ids and times come from the
entries, so spans are built as finished records instead of being recorded by a tracer. Every wait is
bounded; an export that overruns its time is left to a daemon thread, reported as failed, and sent again
later.
"""

from __future__ import annotations

import logging
import os
import threading
from importlib import metadata
from typing import TYPE_CHECKING, Any

from phasegate.telemetry import names
from phasegate.telemetry.entry_like import time_ns
from phasegate.telemetry.errors import ExportError
from phasegate.telemetry.probe import probe, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.util.types import AttributeValue

    from phasegate.telemetry.endpoints import Endpoints
    from phasegate.telemetry.metrics import Counters
    from phasegate.telemetry.slo import Slo
    from phasegate.telemetry.spans import Attributes, Span
    from phasegate.telemetry.window import Window

# Whoever has a distant collector raises it by the standard variable.
SEND_TIMEOUT_MS = 250
MAX_SEND_TIMEOUT_MS = 10_000
_NS_PER_US = 1_000
_TIMEOUT_VARIABLE = "OTEL_EXPORTER_OTLP_TIMEOUT"
_REMEDY = "look at the collector's log, or raise OTEL_EXPORTER_OTLP_TIMEOUT (milliseconds)"


def send(endpoints: Endpoints, spans: tuple[Span, ...], counters: Counters) -> str:
    """Send spans, then the counters as they stand.

    Returns:
        What went wrong with the counters after the spans were taken, empty if nothing did. Counters are
        cumulative, so the next export makes up for it; a collector for traces alone refuses them always.

    Raises:
        ExportError: no collector answered in time, or it refused the spans.
    """
    probe(endpoints.traces or endpoints.metrics)
    # The exporters log each failure; without a handler of their own it would go to standard error.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    timeout_ms = send_timeout_ms(os.environ.get(_TIMEOUT_VARIABLE, ""))
    resource = _resource()
    if endpoints.traces:
        _export_spans(endpoints.traces, [_readable(span, resource) for span in spans], timeout_ms)
    if endpoints.metrics:
        try:
            _export_metrics(endpoints.metrics, _metrics(counters, resource), timeout_ms)
        except ExportError as error:
            if not endpoints.traces:
                raise
            return str(error)
    return ""


def send_objectives(endpoints: Endpoints, slos: Sequence[Slo], window: Window, length: str) -> None:
    """Send the objectives of one window as gauges; one without a value is not sent.

    Args:
        endpoints: where metrics go.
        slos: the objectives.
        window: the window they are of.
        length: how the window was asked for, such as `24h`; an attribute of each gauge.

    Raises:
        ExportError: no metrics endpoint is set, no collector answered in time, or it refused them.
    """
    if not endpoints.metrics:
        raise ExportError("no endpoint for metrics is set", "set OTEL_EXPORTER_OTLP_ENDPOINT")
    probe(endpoints.metrics)
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    timeout_ms = send_timeout_ms(os.environ.get(_TIMEOUT_VARIABLE, ""))
    _export_metrics(endpoints.metrics, _objectives(slos, window, length), timeout_ms)


def send_timeout_ms(configured: str) -> int:
    """Return how long to wait for one export: what is configured, within bounds, else the default."""
    text = configured.strip()
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_SEND_TIMEOUT_MS)):
        return SEND_TIMEOUT_MS
    return min(max(int(text), 1), MAX_SEND_TIMEOUT_MS)


def _resource() -> Resource:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # see the module's head

    return Resource.create(
        {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or names.SERVICE_NAME,
            "service.version": _version(),
        }
    )


def _version() -> str:
    try:
        return metadata.version("phasegate")
    except metadata.PackageNotFoundError:
        return "unknown"


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415
    from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

    def context(span_id: str) -> SpanContext:
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=sampled)

    events = [Event(event.name, _plain(event.attributes), event.at_ns) for event in span.events]
    return ReadableSpan(
        name=span.name.value,
        context=context(span.span_id),
        parent=context(span.parent_id) if span.parent_id else None,
        resource=resource,
        attributes=_plain(span.attributes),
        events=events,
        status=Status(StatusCode.ERROR, span.message) if span.is_error else Status(StatusCode.OK),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=InstrumentationScope(names.SCOPE),
    )


def _plain(attributes: Attributes) -> dict[str, AttributeValue]:
    # The encoder takes no empty list apart from a missing one, and an attribute without a value says nothing.
    return {name: value for name, value in attributes.items() if value not in ("", ())}


def _metrics(counters: Counters, resource: Resource) -> MetricsData:
    from opentelemetry.sdk.metrics import export as sdk  # noqa: PLC0415

    since_ns, until_ns = time_ns(counters.since), time_ns(counters.until)
    points: dict[str, list[sdk.NumberDataPoint]] = {}
    for point in counters.points():
        attributes = {names.PHASE: point.phase} if point.phase else {}
        value = sdk.NumberDataPoint(attributes, since_ns, until_ns, point.value)
        points.setdefault(point.counter.value, []).append(value)
    metrics = [
        sdk.Metric(name, "", "1", sdk.Sum(values, sdk.AggregationTemporality.CUMULATIVE, is_monotonic=True))
        for name, values in points.items()
    ]
    return _data(metrics, resource)


def _objectives(slos: Sequence[Slo], window: Window, length: str) -> MetricsData:
    from opentelemetry.sdk.metrics import export as sdk  # noqa: PLC0415

    after_ns, until_ns = window.after_us * _NS_PER_US, window.until_us * _NS_PER_US
    metrics = [
        sdk.Metric(
            str(slo.name),
            "",
            (slo.target.unit if slo.target else "") or "1",
            sdk.Gauge([sdk.NumberDataPoint({names.WINDOW: length}, after_ns, until_ns, float(slo.value))]),
        )
        for slo in slos
        if slo.value is not None
    ]
    return _data(metrics, _resource())


def _data(metrics: list[Metric], resource: Resource) -> MetricsData:
    from opentelemetry.sdk.metrics import export as sdk  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

    scope = sdk.ScopeMetrics(InstrumentationScope(names.SCOPE), metrics, "")
    return sdk.MetricsData([sdk.ResourceMetrics(resource, [scope], "")])


def _export_spans(endpoint: str, spans: list[ReadableSpan], timeout_ms: int) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=timeout_ms / 1000)
    result = _within(timeout_ms, lambda: exporter.export(spans), exporter.shutdown)
    if result is not SpanExportResult.SUCCESS:
        raise ExportError(_refused("spans", endpoint, timed_out=result is None), _REMEDY)


def _export_metrics(endpoint: str, data: MetricsData, timeout_ms: int) -> None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import MetricExportResult  # noqa: PLC0415

    exporter = OTLPMetricExporter(endpoint=endpoint, timeout=timeout_ms / 1000)
    result = _within(timeout_ms, lambda: exporter.export(data), exporter.shutdown)
    if result is not MetricExportResult.SUCCESS:
        raise ExportError(_refused("metrics", endpoint, timed_out=result is None), _REMEDY)


def _within(timeout_ms: int, export: Callable[[], Any], shutdown: Callable[[], None]) -> Any:
    """Return what `export` returns, or None if it takes longer.

    The exporter's own timeout bounds one read, not the whole: a server that sends a byte now and then would
    keep it for ever. Exporters answer with a result and do not raise.
    """
    results: list[Any] = []
    thread = threading.Thread(
        target=lambda: results.append(export()), name="phasegate-otlp-export", daemon=True
    )
    thread.start()
    thread.join(timeout_ms / 1000)
    shutdown()
    return results[0] if results else None


def _refused(what: str, endpoint: str, *, timed_out: bool) -> str:
    why = "did not answer in time" if timed_out else "did not take them"
    return f"{what} were not exported: the collector at {shown(endpoint)} {why}"
