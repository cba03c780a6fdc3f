"""Reads the protocol's requests over HTTP, and writes its answers: JSON, and behind it tensors in binary.

A request becomes a message as gRPC's callers send it, without its texts, so that both are checked by the same code.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
from google.protobuf.message import Message

from ....embeddings import Embeddings
from ....errors import RequestError
from ....kserve.v2 import inference_pb2
from ...context import CallContext
from ...http.formats import tell_truncated
from ...http.json_requests import parse
from .requests import InferRequest, Parameters
from .tensors import FIELDS, INPUT, OUTPUTS, mismatch, text_count, unpacked_texts

JSON_BYTES = "inference-header-content-length"
"""Header that says how many bytes of a body are JSON; all are if there is none."""
_SIZE, _BINARY, _BINARY_BY_DEFAULT = "binary_data_size", "binary_data", "binary_data_output"
"""Parameters of inputs, of outputs and of requests that only HTTP has."""
_KINDS = {**FIELDS, float: "double_param"}
_MAX_DIGITS = 10


class InferBody(NamedTuple):
    """Body of a request."""

    request: InferRequest
    binary: bytes
    """What follows its JSON."""

    @classmethod
    def of(cls, json: bytes, binary: bytes) -> Self:
        """Parse a request. Raises RequestError."""
        return cls(parse(json, InferRequest), binary)

    def message(self, model: str, version: str) -> inference_pb2.ModelInferRequest:
        """Return the request as a message, without its texts and what only HTTP has. Raises RequestError."""
        try:
            return self._message(model, version)
        except UnicodeEncodeError:  # JSON can write halves of characters, which no message holds
            raise RequestError("the body holds text that is no valid Unicode", field="") from None

    def _message(self, model: str, version: str) -> inference_pb2.ModelInferRequest:
        made = inference_pb2.ModelInferRequest(model_name=model, model_version=version, id=self.request.id)
        _fill(made.parameters, self.request.parameters, but=_BINARY_BY_DEFAULT)
        for tensor in self.request.inputs:
            added = made.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            _fill(added.parameters, tensor.parameters, but=_SIZE)
        for output in self.request.outputs:
            _fill(made.outputs.add(name=output.name).parameters, output.parameters, but=_BINARY)
        return made

    def texts(self, message: inference_pb2.ModelInferRequest, *, max_texts: int) -> Sequence[str]:
        """Read the texts, which `message` describes, at most `max_texts`. Raises RequestError."""
        count = text_count(message, max_texts=max_texts)
        tensor = self.request.inputs[0]
        if _SIZE not in tensor.parameters:
            if self.binary:
                raise RequestError(
                    f"{len(self.binary)} bytes follow the JSON, and no input has {_SIZE}", field="inputs[0].parameters"
                )
            return _texts(tensor.data, count)
        if tensor.data is not None:
            raise RequestError(f"input {INPUT!r} has data and {_SIZE}; it must have one of them", field="inputs[0]")
        size = tensor.parameters[_SIZE]
        if type(size) is not int or size != len(self.binary):
            raise RequestError(
                f"parameter {_SIZE!r} must be {len(self.binary)}, as many bytes as follow the JSON",
                field=f"inputs[0].parameters[{_SIZE}]",
            )
        return unpacked_texts(self.binary, count, name="the binary data")

    def binary_outputs(self) -> frozenset[str]:
        """Return the names of the tensors that are to come in binary. Raises RequestError."""
        usual = _flag(self.request.parameters, _BINARY_BY_DEFAULT, default=False)
        if not self.request.outputs:
            return frozenset(OUTPUTS) if usual else frozenset()
        asked = {each.name: _flag(each.parameters, _BINARY, default=usual) for each in self.request.outputs}
        return frozenset(name for name, is_binary in asked.items() if is_binary)


def split(content: bytes, json_bytes: str | None) -> tuple[bytes, bytes]:
    """Split a body into its JSON and what follows it; `json_bytes` is what the header says. Raises RequestError."""
    if json_bytes is None:
        return content, b""
    is_number = json_bytes.isascii() and json_bytes.isdecimal() and len(json_bytes) <= _MAX_DIGITS
    if not is_number or (size := int(json_bytes)) > len(content):
        raise RequestError(
            f"the header {JSON_BYTES} must say how many of the body's {len(content)} bytes are JSON", field=""
        )
    return content[:size], content[size:]


def respond(
    context: CallContext,
    in_binary: Collection[str],
    found: Embeddings,
    *,
    wanted: Sequence[str],
    model: str,
    request_id: str,
) -> bytes:
    """Write the answer with the tensors named in `wanted`, those named in `in_binary` behind the JSON."""
    tell_truncated(context, found.truncated)
    binary: list[bytes] = []
    tensors = [_tensor(name, found, binary if name in in_binary else None) for name in wanted]
    answer = {"model_name": model, "model_version": found.model_version, "outputs": tensors}
    if request_id:
        answer["id"] = request_id
    json = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    if not binary:
        return json
    context.add_header("content-type", "application/octet-stream")
    context.add_header(JSON_BYTES, str(len(json)))
    return b"".join((json, *binary))


def _tensor(name: str, found: Embeddings, binary: list[bytes] | None) -> dict[str, Any]:
    """Describe an output, with its values; those go to the end of `binary` if that is a list."""
    values = OUTPUTS[name].values(found)
    described: dict[str, Any] = {"name": name, "datatype": OUTPUTS[name].datatype, "shape": values.shape}
    if binary is None:
        return described | {"data": np.ascontiguousarray(values).reshape(-1)}
    binary.append(values.tobytes())
    return described | {"parameters": {_SIZE: len(binary[-1])}}


def _fill(parameters: Mapping[str, Message], given: Parameters, *, but: str) -> None:
    """Fill a message's `parameters` with what is `given`, `but` for one that only HTTP has."""
    for name, value in given.items():
        if name != but:
            setattr(parameters[name], _KINDS[type(value)], value)


def _flag(given: Parameters, name: str, *, default: bool) -> bool:
    found = given.get(name, default)
    if not isinstance(found, bool):
        raise RequestError(f"parameter {name!r} must be true or false", field=f"parameters[{name}]")
    return found


def _texts(data: Sequence[Any] | None, count: int) -> list[str]:
    """Return the texts of an input's data, whether they are in rows of their own or not."""
    if data is None:
        raise RequestError(f"input {INPUT!r} has no data", field="inputs[0].data")
    texts = [text for row in data for text in (row if isinstance(row, list) else (row,))]
    if len(texts) != count:
        raise mismatch(count, str(len(texts)))
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise RequestError(f"inputs[0].data[{index}] isn't a string", field=f"inputs[0].data[{index}]")
    return texts
