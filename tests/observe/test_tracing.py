"""A server's spans as a collector gets them: OTLP over gRPC, from a real server to a real receiver."""

import signal
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bothends.kserve.v2 import inference_pb2
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support import infer
from tests.support.serving import Running, finish, start

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps all spans that are exported to it."""

    def __init__(self) -> None:
        self.spans: SimpleQueue[Span] = SimpleQueue()

    def Export(  # noqa: N802  the contract's name
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.put(span)
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    server, kept = grpc.server(ThreadPoolExecutor(1)), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(kept, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield kept, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def traced(collector: tuple[Collector, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector[1])
    running = start("--tracing", "true")
    yield running
    finish(running)


def spans_of(server: Running, collector: Collector) -> list[Span]:
    """All spans of a server, which is stopped."""
    server.process.send_signal(signal.SIGTERM)
    server.process.communicate(timeout=60)
    spans: list[Span] = []
    while not collector.spans.empty():
        spans.append(collector.spans.get())
    return spans


def attributes_of(span: Span) -> dict[str, str | int]:
    return {attribute.key: attribute.value.string_value or attribute.value.int_value for attribute in span.attributes}


def test_a_request_is_one_span_linked_to_its_batches(collector: tuple[Collector, str], traced: Running) -> None:
    """A child of its caller's span; refused ones too; a histogram's exemplar leads to it; no sentence is in any."""
    metadata = [("traceparent", f"00-{TRACE}-{PARENT}-01")]
    with grpc.insecure_channel(traced.target) as channel:
        stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
        stub.Embed(embedding_pb2.EmbedRequest(sentences=["a secret dragon"] * 40), metadata=metadata)
        with pytest.raises(grpc.RpcError):
            stub.Embed(embedding_pb2.EmbedRequest(sentences=[" "]))
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    with urllib.request.urlopen(urllib.request.Request(f"{traced.http}/metrics", headers=accept)) as page:  # noqa: S310  our own
        assert f'# {{trace_id="{TRACE}"}}' in page.read().decode()
    spans = spans_of(traced, collector[0])
    batches = {span.span_id for span in spans if span.name == "batch"}
    requests = [span for span in spans if span.name.endswith("/Embed")]
    served, refused = sorted(requests, key=lambda span: span.start_time_unix_nano)
    assert (served.trace_id.hex(), served.parent_span_id.hex()) == (TRACE, PARENT)
    assert {link.span_id for link in served.links} == batches
    assert len(batches) >= 3, "40 sentences are three batches of 16 at least"
    assert served.status.code == Status.STATUS_CODE_UNSET
    codes = [attributes_of(span)["rpc.grpc.status_code"] for span in (served, refused)]
    assert codes == [0, grpc.StatusCode.INVALID_ARGUMENT.value[0]]
    assert not refused.links
    assert "secret" not in str(spans)


def test_a_span_is_named_by_its_own_protocol(collector: tuple[Collector, str], traced: Running) -> None:
    """OpenTelemetry's conventions: a route and a status of HTTP, a gRPC service by its own name."""
    with grpc.insecure_channel(traced.target) as channel:
        infer.Stub(channel).ServerMetadata(inference_pb2.ServerMetadataRequest(), timeout=60)
    with httpx.Client(base_url=traced.http, timeout=60) as http:
        http.post("/v1/embeddings", json={"model": "english", "input": "a secret dragon"})
        http.post("/v1/embeddings", content=b"a secret dragon", headers={"content-type": "text/plain"})
        http.get("/v1/models/secret")
    spans = spans_of(traced, collector[0])
    found = [(span.name, attributes_of(span)) for span in sorted(spans, key=lambda span: span.start_time_unix_nano)]
    service = "inference.GRPCInferenceService"
    post = {"http.request.method": "POST", "http.route": "/v1/embeddings"}
    assert [span for span in found if span[0] != "batch"] == [
        (
            f"{service}/ServerMetadata",
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": "ServerMetadata", "rpc.grpc.status_code": 0},
        ),
        ("POST /v1/embeddings", {**post, "http.response.status_code": 200}),
        ("POST /v1/embeddings", {**post, "http.response.status_code": 415}),
        (
            "GET /v1/models/{id}",
            {"http.request.method": "GET", "http.route": "/v1/models/{id}", "http.response.status_code": 404},
        ),
    ]
    assert "secret" not in str(spans)
