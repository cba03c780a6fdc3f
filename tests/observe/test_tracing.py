"""A server's spans as a collector gets them: OTLP over gRPC, from a real server to a real receiver."""

import logging
import re
import signal
from collections.abc import Iterator

import grpc
import httpx
import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider, sampling

from bothends.kserve.v2 import inference_pb2
from bothends.observe import tracing
from bothends.observe.tracing import Metadata, MethodName
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support import infer
from tests.support.serving import Running, finish, start

from .conftest import PARENT, TRACE, Collector, Reported


@pytest.fixture
def traced(collector: tuple[Collector, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector[1])
    running = start("--tracing")
    yield running
    finish(running)


def attributes_of(span: Span) -> dict[str, str | int]:
    return {attribute.key: attribute.value.string_value or attribute.value.int_value for attribute in span.attributes}


def test_a_request_is_one_span_linked_to_its_batches(reported: Reported) -> None:
    """A request's span is a child of its caller's; refused ones have one too; no sentence is in any."""
    batches = {span.span_id for span in reported.spans if span.name == "batch"}
    requests = [span for span in reported.spans if span.name.endswith("/Embed")]
    served, refused = sorted(requests, key=lambda span: span.start_time_unix_nano)
    assert (served.trace_id.hex(), served.parent_span_id.hex()) == (TRACE, PARENT)
    assert {link.span_id for link in served.links} == batches
    assert batches
    assert served.status.code == Status.STATUS_CODE_UNSET
    codes = [attributes_of(span)["rpc.grpc.status_code"] for span in (served, refused)]
    assert codes == [0, grpc.StatusCode.INVALID_ARGUMENT.value[0]]
    assert not refused.links
    assert "secret" not in str(reported.spans)


def test_a_histograms_exemplars_lead_to_their_traces(reported: Reported) -> None:
    """A bucket keeps the last of its calls: which of the two it is depends on how long they took."""
    exemplars = set(re.findall(r'# \{trace_id="(\w+)"\}', reported.page))
    assert exemplars
    assert exemplars <= {span.trace_id.hex() for span in reported.spans if span.name.endswith("/Embed")}


@pytest.mark.parametrize(
    "metadata",
    [(), (("traceparent", "\udcff"),), (("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "\udcff" * 9)),
     (("traceparent", b"\xff"),), (("baggage", "\udcff"),)],
)  # fmt: skip
def test_a_header_that_names_no_trace_costs_nobody_anything(
    metadata: Metadata, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever bytes come, those of who was served in the same batch among them."""
    caplog.set_level(logging.ERROR, "opentelemetry.trace")  # as a server has it: what is logged has those bytes
    span = tracing.request(MethodName.rpc("a.Service", "Embed"), metadata)
    assert tracing.trace_id(span) in (None, TRACE)
    span.end()


def test_only_calls_whose_spans_are_kept_come_to_python(collector: tuple[Collector, str], traced: Running) -> None:
    """A caller who says that it keeps no trace of a call costs no more than one without tracing."""
    pytest.importorskip("bothends_native.transport", reason="no fast path is here", exc_type=ImportError)
    body = {"model": "english", "input": "a dragon"}
    with grpc.insecure_channel(traced.target) as channel, httpx.Client(base_url=traced.http, timeout=60) as http:
        stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
        for flags in ("00", "01", "00"):
            header = ("traceparent", f"00-{TRACE}-{PARENT}-{flags}")
            stub.Embed(embedding_pb2.EmbedRequest(sentences=["a dragon"]), metadata=[header], timeout=60)
            assert http.post("/v1/embeddings", json=body, headers=[header]).status_code == 200
        page = http.get("/metrics").text
    for method in ("Embed", "POST /v1/embeddings"):
        assert f'bothends_path_requests_total{{method="{method}",path="native"}} 2.0' in page
        assert f'bothends_path_requests_total{{method="{method}",path="python"}} 1.0' in page
    traced.process.send_signal(signal.SIGTERM)
    traced.process.communicate(timeout=60)
    assert [span.parent_span_id.hex() for span in collector[0].taken() if span.name != "batch"] == [PARENT] * 2


@pytest.mark.parametrize(
    ("sampler", "keeps"), [(None, False), (sampling.ALWAYS_ON, True), (sampling.ParentBased(sampling.ALWAYS_ON), False)]
)
def test_a_sampler_may_keep_what_callers_do_not(
    sampler: sampling.Sampler | None, keeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenTelemetry's own keeps the spans that a parent keeps; another may be asked for."""
    if sampler is not None:
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: TracerProvider(sampler=sampler))
    assert tracing.keeps_what_callers_do_not() is keeps


def test_a_span_is_named_by_its_own_protocol(collector: tuple[Collector, str], traced: Running) -> None:
    """OpenTelemetry's conventions: a route and a status of HTTP, a gRPC service by its own name."""
    with grpc.insecure_channel(traced.target) as channel:
        infer.Stub(channel).ServerMetadata(inference_pb2.ServerMetadataRequest(), timeout=60)
    with httpx.Client(base_url=traced.http, timeout=60) as http:
        http.post("/v1/embeddings", json={"model": "english", "input": "a secret dragon"})
        http.post("/v1/embeddings", content=b"a secret dragon", headers={"content-type": "text/plain"})
        http.get("/v1/models/secret")
    traced.process.send_signal(signal.SIGTERM)
    traced.process.communicate(timeout=60)
    spans = sorted(collector[0].taken(), key=lambda span: span.start_time_unix_nano)
    service = "inference.GRPCInferenceService"
    post = {"http.request.method": "POST", "http.route": "/v1/embeddings"}
    assert [(span.name, attributes_of(span)) for span in spans if span.name != "batch"] == [
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
