"""Tensors that don't fit, each told in one line over a real channel; and noise, which is read or refused."""

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends.errors import RequestError
from bothends.kserve.v2 import inference_pb2
from bothends.server.fronts.kserve.tensors import texts
from bothends.server.server import Server
from tests.support.doors import connected
from tests.support.infer import Stub, packed, parameters, refused, request

HUGE = 2**62
MOST = 300


@pytest.fixture
def stub(server: Server) -> Iterator[Stub]:
    with connected(server) as channel:
        yield Stub(channel)


def changed(change: Callable[[Any], object], *texts: str | bytes, raw: bool = True) -> Any:
    made = request(*texts or ("a", "b"), raw=raw)
    change(made)
    return made


def shaped(*shape: int) -> Any:
    return changed(lambda made: made.inputs[0].ClearField("shape") or made.inputs[0].shape.extend(shape))


BAD = {
    "wrong dtype": (
        changed(lambda m: setattr(m.inputs[0], "datatype", "FP32")),
        "inputs[0].datatype",
        "must be 'BYTES'",
    ),
    "no dtype": (changed(lambda m: setattr(m.inputs[0], "datatype", "")), "inputs[0].datatype", "must be 'BYTES'"),
    "no input": (changed(lambda m: m.ClearField("inputs")), "inputs", "this model has one, 'text'"),
    "two inputs": (changed(lambda m: m.inputs.add(name="more")), "inputs", "2 inputs came"),
    "other input": (changed(lambda m: setattr(m.inputs[0], "name", "image")), "inputs", "this model has one, 'text'"),
    "shared memory": (
        changed(lambda m: setattr(m.inputs[0].parameters["shared_memory_region"], "string_param", "x")),
        "inputs[0].parameters",
        "shared memory isn't offered",
    ),
    "no shape": (shaped(), "inputs[0].shape", "must be [n] or [n, 1]"),
    "negative": (shaped(-1), "inputs[0].shape", "[-1]; it must be"),
    "most negative": (shaped(-(2**63)), "inputs[0].shape", "must be [n] or [n, 1]"),
    "n of zero columns": (shaped(2, 0), "inputs[0].shape", "[2, 0]; it must be"),
    "two columns": (shaped(1, 2), "inputs[0].shape", "[1, 2]; it must be"),
    "three axes": (shaped(2, 1, 1), "inputs[0].shape", "[2, 1, 1]; it must be"),
    "hundreds of axes": (shaped(*[1] * 500), "inputs[0].shape", "[1, 1, 1, 1, …]; it must be"),
    "huge": (shaped(HUGE), "sentences", f"{HUGE} sentences are more than this server's limit of 300"),
    "less data": (shaped(3), "inputs[0].shape", "says 3 elements, and its data holds 2"),
    "more data": (shaped(1), "inputs[0].shape", "says 1 elements, and its data holds more"),
    "no data": (
        changed(lambda m: m.ClearField("raw_input_contents")),
        "inputs[0].shape",
        "says 2 elements, and its data holds 0",
    ),
    "more contents": (
        changed(lambda m: m.inputs[0].contents.bytes_contents.append(b"c"), raw=False),
        "inputs[0].shape",
        "says 2 elements, and its data holds 3",
    ),
    "both": (
        changed(lambda m: m.inputs[0].contents.bytes_contents.extend([b"a", b"b"])),
        "inputs",
        "both contents and raw_input_contents",
    ),
    "other contents": (
        changed(lambda m: m.inputs[0].contents.fp32_contents.extend([1.0, 2.0]), raw=False),
        "inputs[0].contents",
        "not in fp32_contents",
    ),
    "two raw entries": (
        changed(lambda m: m.raw_input_contents.append(b"")),
        "raw_input_contents",
        "2 entries for 1 input",
    ),
    "half a length": (
        changed(lambda m: m.raw_input_contents.__setitem__(0, packed([b"a"]) + b"\x01\x00")),
        "raw_input_contents[0]",
        "ends within element 1",
    ),
    "half an element": (
        changed(lambda m: m.raw_input_contents.__setitem__(0, packed([b"a", b"b"])[:-1])),
        "raw_input_contents[0]",
        "ends within element 1",
    ),
    "a length of 4 GiB": (
        changed(lambda m: m.raw_input_contents.__setitem__(0, b"\xff\xff\xff\xff" + b"a" * 100)),
        "raw_input_contents[0]",
        "ends within element 0",
    ),
    "no UTF-8": (request("a", b"\xc3\x28"), "sentences[1]", "no UTF-8 text"),
    "a surrogate": (request(b"\xed\xa0\x80", raw=False), "sentences[0]", "no UTF-8 text"),
    "no texts": (request(), "sentences", "no sentences; send at least one"),
    "no texts in contents": (request(raw=False), "sentences", "no sentences; send at least one"),
    "an empty text": (request("a", ""), "sentences[1]", "is empty"),
    "too many": (
        request(*["a"] * 301, raw=False),
        "sentences",
        "301 sentences are more than this server's limit of 300",
    ),
    "unknown output": (request("a", outputs=[{"name": "h_n"}]), "outputs[0].name", "none of this model's"),
    "classification": (
        request("a", outputs=[{"name": "embedding", **parameters(classification=3)}]),
        "outputs[0].parameters",
        "classification",
    ),
    "unknown parameter": (request("a", **parameters(pooling="mean")), "parameters[pooling]", "'pooling' isn't known"),
    "a parameter of another type": (
        request("a", **parameters(normalize="yes")),
        "parameters[normalize]",
        "came as string_param; it must be bool_param",
    ),
    "a parameter without a value": (
        request("a", parameters={"normalize": inference_pb2.InferParameter()}),
        "parameters[normalize]",
        "it must be bool_param",
    ),
    "unknown truncation": (
        request("a", **parameters(truncation="middle")),
        "parameters[truncation]",
        "start, error, end",
    ),
    "negative timeout": (request("a", **parameters(timeout=-1)), "parameters[timeout]", "not below 0"),
    "dimensions": (request("a", **parameters(dimensions=100)), "dimensions", "100 dimensions can't be had"),
    "no dimensions": (request("a", **parameters(dimensions=0)), "dimensions", "0 dimensions can't be had"),
}


@pytest.mark.parametrize(("bad", "field", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_named(stub: Stub, bad: Any, field: str, text: str) -> None:
    """INVALID_ARGUMENT, one line that says what, the field; and the next request is served."""
    code, told, named = refused(lambda: stub.ModelInfer(bad))
    assert (code, named) == (grpc.StatusCode.INVALID_ARGUMENT, field)
    assert text in told
    assert "\n" not in told
    assert stub.ModelInfer(request("a")).outputs


def test_elements_past_those_that_the_shape_says_are_not_counted_out() -> None:
    """4 MiB of empty ones would be a million objects; what is read beside the message's own bytes is small."""
    asked = request(*["a"] * MOST)
    asked.raw_input_contents[0] = bytes(4 << 20)
    tracemalloc.start()
    with pytest.raises(RequestError, match="its data holds more"):
        texts(asked, max_texts=MOST)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (4 << 20) + 100_000


@given(st.lists(st.text(max_size=20), max_size=8), st.booleans())
def test_what_is_packed_is_read(elements: list[str], raw: bool) -> None:
    assert texts(request(*elements, raw=raw), max_texts=MOST) == elements


@given(st.binary(max_size=60), st.lists(st.integers(-1, 9), max_size=3))
def test_noise_is_read_as_many_as_the_shape_says_or_refused(content: bytes, shape: list[int]) -> None:
    asked = inference_pb2.ModelInferRequest(raw_input_contents=[content])
    asked.inputs.add(name="text", datatype="BYTES", shape=shape)
    try:
        found = texts(asked, max_texts=MOST)
    except RequestError:
        return
    assert len(found) == shape[0]
    assert packed(text.encode() for text in found) == content
