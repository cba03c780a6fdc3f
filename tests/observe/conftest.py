"""One real server for all tests of what it reports: it logs everything, and sends its spans to a collector here."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.serving import finish, start

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """A collector that keeps all spans that are exported to it."""

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

    def taken(self) -> list[Span]:
        """Take all spans that have come so far."""
        spans: list[Span] = []
        while not self.spans.empty():
            spans.append(self.spans.get())
        return spans


@dataclass
class Reported:
    """Reports of a server that answered one request, refused another, and was stopped."""

    log: str
    """Standard error, which is no terminal."""
    spans: list[Span]
    page: str
    """The metrics, as OpenMetrics has them."""

    @property
    def records(self) -> list[dict[str, Any]]:
        """The log's lines, each of which is an object."""
        return [json.loads(line) for line in self.log.splitlines()]


@pytest.fixture(scope="session")
def collector() -> Iterator[tuple[Collector, str]]:
    server, kept = grpc.server(ThreadPoolExecutor(1)), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(kept, server)  # type: ignore[no-untyped-call]  # OpenTelemetry's has no types
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield kept, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture(scope="session")
def reported(collector: tuple[Collector, str], tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Reports of a request of 40 secret sentences, a child of a caller's span, and of a refused one."""
    log = tmp_path_factory.mktemp("reported") / "log"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector[1])
        running = start("--log-level", "debug", "--tracing", log=log)
    try:
        with grpc.insecure_channel(running.target) as channel:
            stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
            metadata = [("traceparent", f"00-{TRACE}-{PARENT}-01")]
            stub.Embed(embedding_pb2.EmbedRequest(sentences=["a secret dragon"] * 40), metadata=metadata)
            with pytest.raises(grpc.RpcError):
                stub.Embed(embedding_pb2.EmbedRequest(sentences=["another secret", " "]))
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        with urllib.request.urlopen(urllib.request.Request(f"{running.http}/metrics", headers=accept)) as answer:  # noqa: S310  our own
            page = answer.read().decode()
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(timeout=60)
    finally:
        finish(running)
    return Reported(Path(log).read_text(), collector[0].taken(), page)
