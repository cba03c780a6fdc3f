"""OpenTelemetry spans of requests, linked to the spans of the batches that served them.

Spans that aren't exported are the API's no-op ones, and cost a microsecond or two. They hold numbers and names, never a
sentence.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    format_trace_id,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..engines.contract import BatchRecord
from ..errors import StartupError

Metadata = Iterable[tuple[str, str | bytes]]
NO_SPAN: Span = INVALID_SPAN
HEADERS = frozenset(("traceparent", "tracestate"))
"""Headers of W3C's Trace Context. Baggage is ignored, since nothing here uses it and it may hold anything."""
_SERVERS_FAULT = frozenset(("INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"))

_ALONE = trace.set_span_in_context(INVALID_SPAN)
"""A context without a parent."""

_tracer = trace.get_tracer("bothends")
_propagator = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class MethodName:
    """Name of a method in metrics, and the names and attributes of its spans (OpenTelemetry's conventions)."""

    name: str
    """Name in metrics and logs."""
    span_name: str
    attributes: Mapping[str, str]
    status_attribute: str
    """Name of the attribute that holds the protocol's own status number."""

    @classmethod
    def rpc(cls, service: str, method: str) -> Self:
        """Return the name of a gRPC method: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/.

        Metrics label it by `method` alone if the service's name ends in Service, and by service/method otherwise.
        """
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        name = f"{service}/{method}"
        return cls(method if service.endswith("Service") else name, name, attributes, "rpc.grpc.status_code")

    @classmethod
    def http(cls, method: str, route: str) -> Self:
        """Return the name of an HTTP route: https://opentelemetry.io/docs/specs/semconv/http/http-spans/.

        `url.path` is left out of its spans, since callers can write anything into it.
        """
        name = f"{method} {route}"
        attributes = {"http.request.method": method, "http.route": route}
        return cls(name, name, attributes, "http.response.status_code")


def is_on() -> bool:
    """Return True if spans may be exported, because a tracer provider is set."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def keeps_what_callers_do_not() -> bool:
    """Return True if spans are also kept of calls whose callers don't sample theirs (OTEL_TRACES_SAMPLER)."""
    sampler = getattr(trace.get_tracer_provider(), "sampler", None)  # the SDK's, which needn't be installed
    if sampler is None:
        return is_on()
    unsampled = SpanContext(trace_id=1, span_id=1, is_remote=True, trace_flags=TraceFlags(TraceFlags.DEFAULT))
    parent = trace.set_span_in_context(NonRecordingSpan(unsampled))
    return bool(sampler.should_sample(parent, 1, "").decision.is_recording())


def request(method: MethodName, metadata: Metadata) -> Span:
    """Start the span of a call that has just arrived, as a child of its caller's span if `metadata` names one."""
    return _tracer.start_span(method.span_name, _parent(metadata), SpanKind.SERVER, method.attributes)


def _parent(metadata: Metadata) -> Context | None:
    carrier = {key: value for key, value in metadata if key in HEADERS}
    try:
        return _propagator.extract(carrier) if carrier else None
    except Exception:  # whatever a caller writes there, its call is answered, and nobody else's waits
        return None


def answered(span: Span, method: MethodName, code: str, status: int | None) -> None:
    """End the span of a call with its gRPC status `code`, and the `status` of its own protocol."""
    if span.is_recording():
        if status is not None:
            span.set_attribute(method.status_attribute, status)
        if code in _SERVERS_FAULT:
            span.set_status(StatusCode.ERROR)
    span.end()


def batch() -> Span:
    """Start the span of a model run. It has no parent, since its requests belong to many traces."""
    if not is_on():
        return NO_SPAN
    return _tracer.start_span("batch", _ALONE)


def link(requests: Iterable[Span], served_by: Span) -> None:
    """Link each request's span to that of the batch that served it, before the request is answered."""
    if served_by.is_recording():
        for span in set(requests):
            span.add_link(served_by.get_span_context())


def ran(span: Span, record: BatchRecord) -> None:
    """End the span of a model run."""
    if span.is_recording():
        sizes = {"rows": record.rows, "tokens": record.tokens, "padded_tokens": record.padded_tokens}
        span.set_attributes({f"bothends.batch.{name}": value for name, value in sizes.items()})
    span.end()


def served(requests: Iterable[Span], seconds: float, *, rows: int, tokens: int) -> None:
    """Link each request's span to one of the model runs that have just served it, for `seconds` seconds."""
    if not is_on():
        return
    ended = time.time_ns()
    span = _tracer.start_span("batch", _ALONE, start_time=ended - int(seconds * 1e9))
    link(requests, span)
    if span.is_recording():
        span.set_attributes({"bothends.batch.rows": rows, "bothends.batch.tokens": tokens})
    span.end(ended)


def failed(span: Span) -> None:
    """End the span of a model run that raised."""
    span.set_status(StatusCode.ERROR)
    span.end()


def trace_id(span: Span) -> str | None:
    """Return the trace id for an exemplar; None if the span isn't stored anywhere."""
    context = span.get_span_context()
    return format_trace_id(context.trace_id) if context.trace_flags.sampled else None


def export() -> Callable[[], None]:
    """Export spans by OTLP as configured by the OTEL_* variables; returns the function that exports the last ones at
    exit.

    Raises StartupError if the necessary packages aren't installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise StartupError(f"tracing needs {error.name}; pip install 'bothends[tracing]'") from error
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "bothends"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown
