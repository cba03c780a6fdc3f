"""Fields of a ModelInferRequest that are too many or too long: refused on the wire, each by its name."""

from typing import Any

import grpc
import pytest

from bothends.errors import RequestError
from bothends.kserve.v2 import inference_pb2
from bothends.server.fronts.kserve.bounds import check
from bothends.server.server import Server
from tests.support.doors import connected
from tests.support.infer import Stub, parameters, refused, request

MOST = 300
NOISE = b"\xff" * 2000
"""Bytes that no parser takes: who looks at them has looked too far."""


def tensor(**fields: Any) -> Any:
    return inference_pb2.ModelInferRequest(inputs=[{"name": "text", "datatype": "BYTES", **fields}])


BAD: dict[str, tuple[Any, str]] = {
    "id": (request("a", id="x" * 1025), "id"),
    "ids": (b"\x1a\x01a" * 400, "id"),
    "model_name": (request("a", model="x" * 20_000), "model_name"),
    "parameters": (request("a", **parameters(**{f"p{number}": 1 for number in range(200)})), "parameters"),
    "a parameter": (request("a", **parameters(truncation="x" * 2000)), "parameters"),
    "outputs": (request("a", outputs=[{"name": "embedding"}] * 100), "outputs"),
    "an output": (request("a", outputs=[{"name": "embedding", **parameters(x="y" * 2000)}]), "outputs"),
    "inputs": (inference_pb2.ModelInferRequest(inputs=[{"name": "x" * 100}] * 17), "inputs"),
    "raw": (inference_pb2.ModelInferRequest(raw_input_contents=[b"x" * 100] * 17), "raw_input_contents"),
    "a shape": (tensor(shape=range(2000)), "inputs[0].shape"),
    "a shape's parts": (b"\x2a\xe8\x07" + b"\x18\x01" * 500 + NOISE, "inputs[0].shape"),
    "a tensor's parameters": (tensor(**parameters(**{f"p{n}": 1 for n in range(200)})), "inputs[0].parameters"),
    "texts": (request(*["a"] * 601, raw=False), "inputs[0].contents.bytes_contents"),
    "numbers": (tensor(contents={"int64_contents": range(2000)}), "inputs[0].fields that aren't known"),
    "unknown fields": (b"\x78\x01" * 600, "fields that aren't known"),
}


@pytest.mark.parametrize(("bad", "name"), BAD.values(), ids=BAD)
def test_each_is_refused_by_its_name(bad: Any, name: str) -> None:
    content = bad if isinstance(bad, bytes) else bad.SerializeToString()
    with pytest.raises(RequestError) as raised:
        check(content, max_texts=MOST)
    assert raised.value.field == name
    assert name in str(raised.value)


@pytest.mark.parametrize("piece", [b"\x32\x00", b"\x22\x00", b"\x3a\x00", b"\x78\x01", b"\x2a\x00"])
def test_a_million_cost_no_more_than_a_few(piece: bytes) -> None:
    """Counting stops at the first that is too many: anything may follow."""
    with pytest.raises(RequestError):
        check(piece * 65 + NOISE, max_texts=MOST)


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "contents"])
def test_what_clients_send_is_not_refused(raw: bool) -> None:
    """Texts in the largest number, long ones, and all else that the protocol's clients send."""
    options = parameters(truncation="end", normalize=True, dimensions=64, timeout=10**9)
    outputs = [{"name": name} for name in ("embedding", "token_count", "truncated")]
    for texts in (["a"] * MOST, ["x" * 60_000] * 20):
        asked = request(*texts, raw=raw, id="x" * 1024, outputs=outputs, **options)
        check(asked.SerializeToString(), max_texts=MOST)


def test_it_is_the_callers_error_and_the_next_request_is_served(server: Server) -> None:
    """Errors are told of requests that are read together with others', too."""
    with connected(server) as channel:
        stub = Stub(channel)
        for bad, name in (BAD["id"], BAD["outputs"]):
            code, _, field = refused(lambda: stub.ModelInfer(bad))  # noqa: B023  called here
            assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, name)
        assert stub.ModelInfer(request("a")).outputs
