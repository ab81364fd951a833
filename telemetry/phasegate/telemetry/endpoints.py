"""Where a collector is, by the standard environment variables.

OpenTelemetry specification, "OTLP exporter configuration": the variables of one signal are used as they
are, the common one gets `v1/traces` or `v1/metrics` appended. `OTEL_SDK_DISABLED=true` turns all off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_METRICS = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Full addresses for traces and metrics; empty for a signal that is not exported."""

    traces: str
    metrics: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Endpoints | None:
        """Return the endpoints, or None if no collector is configured."""
        if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return None
        base = environ.get(_BASE, "").strip()
        traces = environ.get(_TRACES, "").strip() or _below(base, "v1/traces")
        metrics = environ.get(_METRICS, "").strip() or _below(base, "v1/metrics")
        if _is_none(environ, "OTEL_TRACES_EXPORTER"):
            traces = ""
        if _is_none(environ, "OTEL_METRICS_EXPORTER"):
            metrics = ""
        return cls(traces, metrics) if traces or metrics else None


def _below(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path}" if base else ""


def _is_none(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() == "none"
