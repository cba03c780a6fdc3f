"""Reads texts and options from requests of the Open Inference Protocol, and writes embeddings as its tensors.

A shape is only ever compared with the data that came: nothing is allocated by what a request claims.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....embeddings import Embeddings
from ....errors import RequestError, SentenceError
from ....kserve.v2 import inference_pb2
from ....options import OPTIONS, Options
from ....text import printable

INPUT = "text"
_LENGTH_BYTES = 4
"""Bytes of the length before each element of raw BYTES."""
_US = 1e-6
_WITHOUT_MEANING = frozenset(
    ("priority", "sequence_id", "sequence_start", "sequence_end", "triton_enable_empty_final_response")
)
"""Parameters that Triton's clients send of their own to any model. Like Triton, we pass over those that only models
with priorities, sequences or streams heed."""
FIELDS = {bool: "bool_param", int: "int64_param", str: "string_param"}
"""Field of InferParameter for a value's type."""
_KINDS = {name: FIELDS[option.kind] for name, option in OPTIONS.items() if "kserve" in option.called}
_KINDS["timeout"] = "int64_param"
"""Known parameters, and the field of InferParameter in which each comes."""


@dataclass(frozen=True, slots=True)
class Output:
    """Output tensor that has one row, or one number, for each text."""

    datatype: str
    data_type: int
    """Datatype as ModelConfig has it."""
    values: Callable[[Embeddings], NDArray[Any]]


OUTPUTS: Mapping[str, Output] = {
    "embedding": Output("FP32", inference_pb2.TYPE_FP32, lambda found: found.rows.astype("<f4", copy=False)),
    "token_count": Output("INT32", inference_pb2.TYPE_INT32, lambda found: np.array(found.token_counts, "<i4")),
    "truncated": Output("BOOL", inference_pb2.TYPE_BOOL, lambda found: np.array(found.truncated, np.bool_)),
}


def texts(request: inference_pb2.ModelInferRequest, *, max_texts: int) -> list[str]:
    """Read the texts of a request, at most `max_texts`. Raises RequestError if its tensors don't fit the protocol."""
    count = text_count(request, max_texts=max_texts)
    return [_decoded(index, element) for index, element in enumerate(_elements(request, count))]


def text_count(request: inference_pb2.ModelInferRequest, *, max_texts: int) -> int:
    """Return how many texts the request's input is said to hold. Raises like `texts`, without a look at its data."""
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        raise RequestError(
            f"{len(request.inputs)} inputs came, or one of another name; this model has one, {INPUT!r}", field="inputs"
        )
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES":
        raise RequestError(
            f"input {INPUT!r} is {printable(tensor.datatype)!r}; it must be 'BYTES', text in UTF-8",
            field="inputs[0].datatype",
        )
    if tensor.parameters:
        raise RequestError(
            f"input {INPUT!r} has parameters, and none are known; shared memory isn't offered",
            field="inputs[0].parameters",
        )
    return _count(tensor.shape, max_texts)


def unpacked_texts(content: bytes, count: int, *, name: str) -> list[str]:
    """Read `count` texts from `content`, which errors call `name`. Raises like `texts`."""
    return [_decoded(index, element) for index, element in enumerate(_unpacked(content, count, name=name))]


def _count(shape: Any, max_texts: int) -> int:
    if len(shape) not in (1, 2) or shape[0] < 0 or tuple(shape[1:]) not in ((), (1,)):
        shown = ", ".join(map(str, shape[:4])) + (", …" if len(shape) > 4 else "")
        raise RequestError(
            f"input {INPUT!r} has the shape [{shown}]; it must be [n] or [n, 1] for n texts", field="inputs[0].shape"
        )
    count: int = shape[0]
    if count > max_texts:
        raise RequestError(
            f"{count} sentences are more than this server's limit of {max_texts} a request", costs=max_texts
        )
    return count


def _elements(request: inference_pb2.ModelInferRequest, count: int) -> list[bytes]:
    """Return the input's elements, wherever they are."""
    contents, raw = request.inputs[0].contents, request.raw_input_contents
    given = [field.name for field, _ in contents.ListFields()]
    if raw and given:
        raise RequestError("data is in both contents and raw_input_contents; it must be in one of them", field="inputs")
    if len(raw) > 1:
        raise RequestError(f"raw_input_contents has {len(raw)} entries for 1 input", field="raw_input_contents")
    if raw:
        return _unpacked(raw[0], count, name="raw_input_contents[0]")
    if others := [name for name in given if name != "bytes_contents"]:
        raise RequestError(
            f"BYTES are in contents.bytes_contents, not in {', '.join(others)}", field="inputs[0].contents"
        )
    found = contents.bytes_contents
    if len(found) != count:
        raise mismatch(count, str(len(found)))
    return list(found)


def _unpacked(content: bytes, count: int, *, name: str) -> list[bytes]:
    """Unpack `count` elements, each behind its length in 4 bytes, little-endian."""
    found: list[bytes] = []
    end = 0
    while end < len(content) and len(found) < count:
        start = end + _LENGTH_BYTES
        end = start + int.from_bytes(content[end:start], "little")
        if start > len(content) or end > len(content):
            raise RequestError(
                f"{name} ends within element {len(found)}: its length, or its bytes, aren't all there", field=name
            )
        found.append(content[start:end])
    if len(found) != count:
        raise mismatch(count, str(len(found)))
    if end != len(content):
        raise mismatch(count, "more")
    return found


def mismatch(count: int, found: str) -> RequestError:
    """Make the error for an input whose shape says `count` elements, and whose data holds as many as `found` says."""
    message = f"the shape of input {INPUT!r} says {count} elements, and its data holds {found}"
    return RequestError(message, field="inputs[0].shape")


def _decoded(index: int, element: bytes) -> str:
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise SentenceError(index, f"is no UTF-8 text: byte {error.start} isn't any") from None


def options(request: inference_pb2.ModelInferRequest) -> tuple[Options, float | None]:
    """Read the options of a request, and the seconds that its caller waits (None if it doesn't say).

    Raises RequestError for an unknown parameter or one of the wrong type.
    """
    given: dict[str, Any] = {}
    for name, parameter in request.parameters.items():
        if name in _WITHOUT_MEANING:
            continue
        where = f"parameters[{printable(name)}]"
        if name not in _KINDS:
            raise RequestError(f"parameter {printable(name)!r} isn't known; {', '.join(_KINDS)} are", field=where)
        if (kind := parameter.WhichOneof("parameter_choice")) != _KINDS[name]:
            raise RequestError(f"parameter {name!r} came as {kind}; it must be {_KINDS[name]}", field=where)
        given[name] = getattr(parameter, kind)
        if name in OPTIONS and (words := OPTIONS[name].words) and given[name] not in words:
            raise RequestError(f"parameter {name!r} must be {', '.join(words)}", field=where)
    timeout_us = given.pop("timeout", 0)
    if timeout_us < 0:
        raise RequestError("parameter 'timeout' is a time in microseconds, not below 0", field="parameters[timeout]")
    return Options(**given), timeout_us * _US if timeout_us else None


def outputs(request: inference_pb2.ModelInferRequest) -> list[str]:
    """Return the names of the tensors that the response holds, each once; all tensors if the request names none."""
    for index, output in enumerate(request.outputs):
        if output.name not in OUTPUTS:
            raise RequestError(
                f"outputs[{index}] is none of this model's, which are {', '.join(OUTPUTS)}",
                field=f"outputs[{index}].name",
            )
        if output.parameters:
            raise RequestError(
                f"outputs[{index}] has parameters, and none are known; classification and shared memory aren't offered",
                field=f"outputs[{index}].parameters",
            )
    return list(dict.fromkeys(output.name for output in request.outputs)) or list(OUTPUTS)


def response(found: Embeddings, *, wanted: list[str], model: str, request_id: str) -> bytes:
    """Serialise the ModelInferResponse with the tensors named in `wanted`, made of the embeddings `found`. It repeats
    the name of the `model` and the request's own `request_id`.
    """
    message = inference_pb2.ModelInferResponse(model_name=model, model_version=found.model_version, id=request_id)
    for name in wanted:
        values = OUTPUTS[name].values(found)
        message.outputs.add(name=name, datatype=OUTPUTS[name].datatype, shape=values.shape)
        message.raw_output_contents.append(values.tobytes())
    content: bytes = message.SerializeToString()
    return content
