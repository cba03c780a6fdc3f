"""Requests of the Open Inference Protocol, and their answers, for tests of any folder."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from numpy.typing import NDArray

from bothends.kserve.v2 import inference_pb2, inference_pb2_grpc

Stub = inference_pb2_grpc.GRPCInferenceServiceStub
DTYPES = {"FP32": "<f4", "INT32": "<i4", "BOOL": "?"}


def request(*texts: str | bytes, raw: bool = True, model: str = "english", **others: Any) -> Any:
    """Make a right request; `others` are fields of ModelInferRequest."""
    elements = [text.encode() if isinstance(text, str) else text for text in texts]
    made = inference_pb2.ModelInferRequest(model_name=model, **others)
    tensor = made.inputs.add(name="text", datatype="BYTES", shape=[len(elements), 1])
    if raw:
        made.raw_input_contents.append(packed(elements))
    else:
        tensor.contents.bytes_contents.extend(elements)
    return made


def packed(elements: Iterable[bytes]) -> bytes:
    """Pack texts for raw_input_contents."""
    return b"".join(len(element).to_bytes(4, "little") + element for element in elements)


def parameters(**values: Any) -> dict[str, Any]:
    """Make a request's parameters, of the types that tritonclient chooses for them."""
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
    return {
        "parameters": {
            name: inference_pb2.InferParameter(**{kinds[type(value)]: value}) for name, value in values.items()
        }
    }


def tensors(response: Any) -> dict[str, NDArray[Any]]:
    """A response's tensors by name, in their order."""
    assert len(response.outputs) == len(response.raw_output_contents)
    return {
        tensor.name: np.frombuffer(content, DTYPES[tensor.datatype]).reshape(tuple(tensor.shape))
        for tensor, content in zip(response.outputs, response.raw_output_contents, strict=True)
    }


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str, str]:
    """Make a call that is refused: code, text, and the field that BadRequest names."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    bad = error_details_pb2.BadRequest()
    details = rpc_status.from_call(raised.value).details
    assert any(detail.Unpack(bad) for detail in details)
    return raised.value.code(), raised.value.details() or "", bad.field_violations[0].field
