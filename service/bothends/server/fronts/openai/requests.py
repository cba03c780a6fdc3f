"""The requests and answers of OpenAI's embeddings API, as pydantic models that check JSON.

Names, sizes and token ids are checked where the model is known.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from ....engines.contract import TokenIds
from ....errors import RequestError
from ....options import Truncation
from ....text import printable
from ....validation import first_problem

Input: TypeAlias = Sequence[str] | Sequence[TokenIds]
_SHOWN_CHARS = 64
_INPUT = "a string, a list of strings, a list of token ids, or a list of lists of token ids"


def _input(given: Any) -> Input:
    """Make a list of it. Raises RequestError that names what is wrong, and shows nothing of it."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        raise RequestError(f"input is {_INPUT}", field="input")
    if given and type(given[0]) is int:  # a bool is no id, though Python has it for an int
        _check(given, int, "input", "isn't a token id, as the first is")
        return [given]
    if given and isinstance(given[0], list):
        _check(given, list, "input", "isn't a list of token ids, as the first is")
        for index, ids in enumerate(given):
            _check(ids, int, f"input[{index}]", "isn't a token id")
        return given
    _check(given, str, "input", f"isn't a string; input is {_INPUT}")
    return given


def _check(values: list[Any], kind: type, name: str, problem: str) -> None:
    if set(map(type, values)) - {kind}:
        index = next(index for index, value in enumerate(values) if type(value) is not kind)
        raise RequestError(f"{name}[{index}] {problem}", field=f"{name}[{index}]")


class EmbeddingRequest(BaseModel):
    """Request of POST /v1/embeddings."""

    model_config = ConfigDict(extra="forbid", strict=True)  # which also stands in the OpenAPI document

    model: str = Field(description="Name of the model that is served.")
    input: Annotated[
        Input, PlainValidator(_input, json_schema_input_type=str | list[str] | list[int] | list[list[int]])
    ] = Field(description="One sentence or several, as texts or as token ids of the model's own tokenizer.")
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="Numbers, or base64 of their float32 bytes, little-endian; float unless said."
    )
    dimensions: int | None = Field(
        None, description="How many numbers a vector is to have: a size that the model offers."
    )
    user: str | None = Field(None, description="Taken for compatibility, and ignored.")
    truncation: Truncation | None = Field(
        None,
        description="Not OpenAI's. What becomes of an input longer than the model reads: an error (as at OpenAI; the "
        "default, unless the server's --http-truncation says otherwise), or its start or end is kept.",
    )


class Embedding(BaseModel):
    """One vector."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(description="Of length 1: numbers, or base64.")


class Usage(BaseModel):
    """Tokens that the model read."""

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
    """The model that is served; what follows `owned_by` isn't OpenAI's."""

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
    """Description of an error."""

    message: str = Field(description="One line for a person.")
    type: str
    param: str | None = Field(description="The part of the request that is at fault.")
    code: str | None


class ErrorResponse(BaseModel):
    """Answer to a request that failed."""

    error: Problem


def parse(content: bytes) -> EmbeddingRequest:
    """Parse a request. Raises RequestError, in one line, where `content` is none."""
    try:
        given = json.loads(content.decode(), parse_constant=_no_number)
    except UnicodeDecodeError:
        raise RequestError("the body isn't UTF-8 text", field="") from None
    except RecursionError:
        raise RequestError("the body is nested too deeply", field="") from None
    except json.JSONDecodeError as error:
        raise RequestError(
            f"the body isn't valid JSON: {error.msg} at line {error.lineno}, column {error.colno}", field=""
        ) from None
    except ValueError:  # an int of more digits than Python reads
        raise RequestError("the body holds a number that is too long", field="") from None
    if not isinstance(given, dict):
        raise RequestError("the body isn't a JSON object", field="")
    for name in given:
        if name not in EmbeddingRequest.model_fields:  # pydantic would make an error of each
            name = printable(name)[:_SHOWN_CHARS]
            raise RequestError(
                f"unknown parameter {name!r}; there are {', '.join(EmbeddingRequest.model_fields)}", field=name
            )
    try:
        return EmbeddingRequest.model_validate(given)
    except ValidationError as error:
        raise _first_mistake(error) from None


def _no_number(name: str) -> Any:
    raise RequestError(f"the body holds {name}, which isn't JSON", field="")


def _first_mistake(error: ValidationError) -> RequestError:
    """Make an error of the first mistake, without what stands there."""
    first = first_problem(error)
    name = first.path[0]
    if first.kind == "missing":
        return RequestError(f"missing parameter {name!r}", field=name)
    return RequestError(f"{name}: {first.lower_message}", field=name)
