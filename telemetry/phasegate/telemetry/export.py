"""Spans and counters to a collector: OTLP over HTTP with protobuf bodies, by the OpenTelemetry exporters.

The one module that imports OpenTelemetry, and only after a server has answered. Ids and times come from the
entries, so spans are built as finished records instead of being recorded by a tracer. Every wait is bounded; an
export that overruns its time is left to a daemon thread, reported as failed, and sent again later.
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
from phasegate.telemetry.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.util.types import AttributeValue

    from phasegate.telemetry.endpoints import Endpoints
    from phasegate.telemetry.metrics import Counters
    from phasegate.telemetry.spans import Span

# Whoever has a distant collector raises it by the standard variable.
SEND_TIMEOUT_MS = 250
MAX_SEND_TIMEOUT_MS = 10_000
_TIMEOUT_VARIABLE = "OTEL_EXPORTER_OTLP_TIMEOUT"


def send(endpoints: Endpoints, spans: tuple[Span, ...], counters: Counters) -> None:
    """Send spans, then the counters as they stand.

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
        _export_metrics(endpoints.metrics, _metrics(counters, resource), timeout_ms)


def send_timeout_ms(configured: str) -> int:
    """Return how long to wait for one export: what is configured, within bounds, else the default."""
    text = configured.strip()
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_SEND_TIMEOUT_MS)):
        return SEND_TIMEOUT_MS
    return min(max(int(text), 1), MAX_SEND_TIMEOUT_MS)
