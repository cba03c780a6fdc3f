"""Requests and answers of the Open Inference Protocol over HTTP, as pydantic models that check JSON.

What they say of tensors, outputs and options is checked later, in tensors.py, as over gRPC.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

_Int64: TypeAlias = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Parameters: TypeAlias = Mapping[str, bool | _Int64 | float | str]
"""Parameters by their names."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)  # which also stands in the OpenAPI document

    parameters: Parameters = Field(default_factory=dict)


class InputTensor(_Asked):
    """Input of a request: the texts to embed."""

    name: str = Field(description="text")
    datatype: str = Field(description="BYTES")
    shape: list[_Int64] = Field(description="[n] or [n, 1] for n texts.")
    data: list[Any] | None = Field(
        None, description="The texts; left out where they come in binary, in `binary_data_size` bytes behind the JSON."
    )


class RequestedOutput(_Asked):
    """Tensor that a request asks for; `binary_data` among its parameters says whether it comes in binary."""

    name: str


class InferRequest(_Asked):
    """Request of POST /v2/models/{model}/infer."""

    id: str = Field("", max_length=1024)
    inputs: Sequence[InputTensor]
    outputs: Sequence[RequestedOutput] = Field((), description="All tensors, if it is empty.")


class OutputTensor(BaseModel):
    """Tensor of an answer."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = Field(None, description="Its values, row by row; left out where they come in binary.")
    parameters: dict[str, int] | None = Field(
        None, description="`binary_data_size`: how many bytes it takes behind the JSON."
    )


class InferResponse(BaseModel):
    """Answer of POST /v2/models/{model}/infer."""

    model_name: str
    model_version: str = Field(description="Vectors of different versions must not be compared.")
    id: str | None = Field(None, description="As the request has it.")
    outputs: list[OutputTensor]


class ServerMetadata(BaseModel):
    """Answer of GET /v2."""

    name: str
    version: str = Field(description="Version of bothends.")
    extensions: list[str]


class TensorMetadata(BaseModel):
    """What a tensor is."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 stands for the number of texts.")


class ModelMetadata(BaseModel):
    """Answer of GET /v2/models/{model}."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class TensorConfig(BaseModel):
    """What a tensor is, as Triton's configs have it."""

    name: str
    data_type: str
    dims: list[int] = Field(description="Of one text.")


class ModelConfig(BaseModel):
    """Answer of GET /v2/models/{model}/config."""

    name: str
    platform: str
    max_batch_size: int = Field(description="Texts in one request of this caller's.")
    input: list[TensorConfig]
    output: list[TensorConfig]
    dynamic_batching: dict[str, Any]


class Live(BaseModel):
    """Answer of GET /v2/health/live."""

    live: bool


class Ready(BaseModel):
    """Answer of GET /v2/health/ready, and with a name of GET /v2/models/{model}/ready."""

    name: str | None = None
    ready: bool


class InferErrorResponse(BaseModel):
    """Answer to a request that failed."""

    error: str = Field(description="One line for a person.")
