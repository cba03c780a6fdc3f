"""A server's spans as a collector gets them: OTLP over gRPC, from a real server to a real receiver."""

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from .conftest import PARENT, TRACE, Reported


def test_a_request_is_one_span_linked_to_its_batches(reported: Reported) -> None:
    """A request's span is a child of its caller's; refused ones have one too; no sentence is in any."""
    batches = {span.span_id for span in reported.spans if span.name == "batch"}
    requests = [span for span in reported.spans if span.name.endswith("/Embed")]
    served, refused = sorted(requests, key=lambda span: span.start_time_unix_nano)
    assert (served.trace_id.hex(), served.parent_span_id.hex()) == (TRACE, PARENT)
    assert {link.span_id for link in served.links} == batches
    assert len(batches) >= 3, "40 sentences are three batches of 16 at least"
    assert served.status.code == Status.STATUS_CODE_UNSET
    codes = [{a.key: a.value.string_value for a in span.attributes}["rpc.grpc.status_code"] for span in requests]
    assert sorted(codes) == ["INVALID_ARGUMENT", "OK"]
    assert not refused.links
    assert "secret" not in str(reported.spans)


def test_a_histograms_exemplar_leads_to_its_trace(reported: Reported) -> None:
    assert f'# {{trace_id="{TRACE}"}}' in reported.page
