"""Requests that are small and within every window, and cost much more than their bytes, keep nobody waiting."""

import gzip
import time
from collections import Counter
from collections.abc import Callable

import pytest

from bothends.kserve.v2 import inference_pb2
from bothends.v1.embedding_pb2 import EmbedRequest, EmbedStreamRequest
from tests.support.infer import parameters, request
from tests.support.serving import Running

from .answers import Reference
from .callers import EMBED, OK
from .conftest import Form
from .costs import Costs, for_so_long, singles
from .hostile import message
from .storms import beside

pytest.importorskip("bothends_native.transport", reason="these bounds are the native transport's", exc_type=ImportError)

from tests.native.transport.raw import Raw

from .connections import STREAM, port_of

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
INFER = "/inference.GRPCInferenceService/ModelInfer"
CONNECTIONS = 4
MAX_GROWTH_MB = 300
MAX_ANSWERED = 30
"""Bytes of an answer for each that was sent, where the request is refused."""


def _gzipped(content: bytes) -> bytes:
    return message(gzip.compress(content, 9), flag=1)


def costly(kind: str) -> tuple[str, bytes, str]:
    """Make a request of a kind: its method, its bytes with their prefix, and the status with which it ends."""
    if kind == "empty sentences":
        return STREAM, message(EmbedStreamRequest(sentences=[""] * 1024).SerializeToString()), "0"
    if kind == "long sentences":
        return EMBED, _gzipped(EmbedRequest(sentences=["dragon " * 9_000] * 64).SerializeToString()), "0"
    if kind == "tokens":
        return EMBED, message(EmbedRequest(sentences=["dragon " * 256] * 64).SerializeToString()), "0"
    made = {
        "parameters": lambda: request("a", **parameters(**{f"{number:x}": 1 for number in range(260_000)})),
        "outputs": lambda: request(
            "a", outputs=[inference_pb2.ModelInferRequest.InferRequestedOutputTensor()] * 300_000
        ),
        "id": lambda: request("a", id="x" * 4_000_000),
    }[kind]()
    return INFER, _gzipped(made.SerializeToString()), "3"


def flood(port: int, kind: str, *, seconds: float) -> tuple[Counter[str], int, int]:
    """Ask on four connections for so long, again once all are answered; returns statuses, bytes sent and received."""
    path, content, _ = costly(kind)
    found, received, goes_on = Counter[str](), 0, for_so_long(seconds)
    raws = [Raw(port) for _ in range(CONNECTIONS)]
    headers = [] if kind in ("empty sentences", "tokens") else [("grpc-encoding", "gzip")]
    try:
        while goes_on():
            asked = [(raw, raw.call(path, content, headers=headers)) for raw in raws]
            for raw, response in asked:
                raw.over(response)
                found[response.status or ""] += 1
                received += len(response.content) + len(response.message or "")
        return found, sum(raw.sent for raw in raws), received
    finally:
        for raw in raws:
            raw.socket.close()


@pytest.mark.parametrize("kind", ["empty sentences", "parameters", "outputs", "id", "long sentences", "tokens"])
def test_costly_requests(
    serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None], kind: str
) -> None:
    """Each of them again and again, beside a caller of single sentences, who waits about as long as without."""
    running, seconds = serve(), form.pick(5, 30)
    with Costs(running, singles(running, reference)) as costs:
        with beside(flood, port_of(running), kind, seconds=seconds) as storm, costs.calling():
            time.sleep(seconds)  # the time that is measured
            statuses, sent, received = storm.result()
        costs.recover()
    record(
        f"gRPC: costly requests, {kind}",
        calls=statuses.total(),
        received_bytes=received,
        **costs.figures(sent_bytes=sent, before="p50 10–38 ms"),
    )
    assert set(statuses) == {costly(kind)[2]}, statuses
    assert set(costs.others.kinds) == {OK}, costs.others.kinds
    assert costs.grew_mb < MAX_GROWTH_MB
    if costly(kind)[2] != "0":
        assert received < MAX_ANSWERED * sent
