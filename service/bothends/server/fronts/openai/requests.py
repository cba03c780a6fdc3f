"""Requests and answers of OpenAI's embeddings API, as pydantic models that check JSON.

Model names, sizes and token ids are checked later, where the model is known.
"""

from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, Field, PlainValidator

from ....options import Truncation
from ...http.formats import ABOUT, Format
from ...http.json_requests import Asking, Input, texts_or_ids, with_options


@with_options("openai")
class EmbeddingRequest(Asking):
    """Request of POST /v1/embeddings."""

    model: str | None = Field(
        None, description='Name of a model that is served; left out, or "default", it is the first.'
    )
    input: Annotated[
        Input,
        PlainValidator(
            partial(texts_or_ids, name="input"), json_schema_input_type=str | list[str] | list[int] | list[list[int]]
        ),
    ] = Field(description="One sentence or several, as texts or as token ids of the model's own tokenizer.")
    encoding_format: Format | None = Field(None, description=ABOUT)
    user: str | None = Field(None, description="Taken for compatibility, and ignored.")
    truncation: Truncation | None = Field(
        None,
        description="Not OpenAI's. What becomes of an input longer than the model reads: an error (as at OpenAI; the "
        "default, unless the server's --http-truncation says otherwise), its start or end is kept, or its vector is "
        "the mean of its pieces'.",
    )


class Embedding(BaseModel):
    """Embedding of one input."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(description="Of length 1: numbers, or base64.")
    scale: float | None = Field(None, description="Not OpenAI's. What numbers of int8 are to be multiplied by.")


class Usage(BaseModel):
    """Number of tokens that the model read for a request."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingResponse(BaseModel):
    """Answer of POST /v1/embeddings."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    model_version: str = Field(description="Not OpenAI's. Vectors of different versions must not be compared.")
    usage: Usage


class Model(BaseModel):
    """Served model. The fields after `owned_by` are this server's additions to OpenAI's API."""

    id: str
    object: Literal["model"]
    created: int = Field(description="Not kept: 0.")
    owned_by: str
    version: str
    dimensions: list[int] = Field(description="Sizes that a vector may have, the largest unless said.")
    max_tokens: int = Field(description="That the model reads of an input.")
    max_inputs: int = Field(description="In one request of this caller's.")


class ModelList(BaseModel):
    """Answer of GET /v1/models."""

    object: Literal["list"]
    data: list[Model]


class Problem(BaseModel):
    """Error as OpenAI's API describes it."""

    message: str = Field(description="One line for a person.")
    type: str
    param: str | None = Field(description="The part of the request that is at fault.")
    code: str | None


class ErrorResponse(BaseModel):
    """Answer to a request that failed."""

    error: Problem
