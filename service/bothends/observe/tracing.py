"""Spans of requests and of the batches that served them, by OpenTelemetry's API.

Spans that are not exported are the API's empty ones, and cost a microsecond or two. Knows nothing of sentences:
spans hold numbers and names only.
"""

from collections.abc import Callable, Iterable

from opentelemetry import propagate, trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode, format_trace_id

from ..engines.contract import BatchRecord
from ..errors import StartupError

Metadata = Iterable[tuple[str, str | bytes]]
NO_SPAN: Span = INVALID_SPAN
_SERVICE = "bothends.v1.EmbeddingService"
_CONTEXT = frozenset(("traceparent", "tracestate", "baggage"))
"""Headers that W3C's Trace Context and Baggage travel in."""
_SERVERS_FAULT = frozenset(("INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"))

_ALONE = trace.set_span_in_context(INVALID_SPAN)
"""A context without a parent."""

_tracer = trace.get_tracer("bothends")


def request(method: str, metadata: Metadata) -> Span:
    """The span of a call that has just come, a child of its caller's if `metadata` names one."""
    carrier = {key: value for key, value in metadata if key in _CONTEXT}
    context = propagate.extract(carrier) if carrier else None
    attributes = {"rpc.system": "grpc", "rpc.service": _SERVICE, "rpc.method": method}
    return _tracer.start_span(f"{_SERVICE}/{method}", context, SpanKind.SERVER, attributes)


def answered(span: Span, code: str) -> None:
    """End the span of a call that was answered with this gRPC status code."""
    if span.is_recording():
        span.set_attribute("rpc.grpc.status_code", code)
        if code in _SERVERS_FAULT:
            span.set_status(StatusCode.ERROR)
    span.end()


def batch() -> Span:
    """Start the span of a model run. It stands alone: its requests come from many traces."""
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


def failed(span: Span) -> None:
    """End the span of a model run that raised."""
    span.set_status(StatusCode.ERROR)
    span.end()


def trace_id(span: Span) -> str | None:
    """Trace id for an exemplar; None where the span is kept nowhere."""
    context = span.get_span_context()
    return format_trace_id(context.trace_id) if context.trace_flags.sampled else None


def export() -> Callable[[], None]:
    """Send spans by OTLP as the OTEL_* variables say; returns what sends the last of them at the end.

    Raises StartupError where the packages for it aren't installed.
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
