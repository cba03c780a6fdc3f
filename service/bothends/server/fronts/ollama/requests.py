"""Requests and answers of Ollama's API, as pydantic models that check JSON.

Model names and sizes are checked later, where the model is known.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from ....options import Truncation
from ...http.json_requests import TRUNCATION, Asking, texts, with_options


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)  # which also stands in the OpenAPI document

    model: str | None = Field(
        None, description='Name of the model that is served, with or without ":latest"; left out, it is whichever is.'
    )
    options: dict[str, Any] | None = Field(None, description="Taken for compatibility, and ignored.")
    keep_alive: float | int | str | None = Field(None, description="Taken for compatibility, and ignored.")


@with_options("ollama")
class OllamaEmbedRequest(_Asked, Asking):
    """Request of POST /api/embed."""

    input: Annotated[
        Sequence[str], PlainValidator(partial(texts, name="input"), json_schema_input_type=str | list[str])
    ] = Field(description="One text or several.")
    truncation: Truncation | None = Field(None, description=TRUNCATION)
    truncate: bool | None = Field(
        None,
        description="Whether the end of a text longer than the model reads is cut (the default, unless the server's "
        "--http-truncation says otherwise), or an error.",
    )

    def kept(self, default: Truncation) -> Truncation:
        """Return what to do with a text that is too long; `default` if the request doesn't say."""
        if self.truncation is not None:
            return self.truncation
        if self.truncate is None:
            return default
        return "start" if self.truncate else "error"


class OllamaEmbedResponse(BaseModel):
    """Answer of POST /api/embed."""

    model: str = Field(description="As it was asked for.")
    embeddings: list[list[float]] = Field(description="Of length 1.")
    total_duration: int = Field(description="Nanoseconds.")
    load_duration: int = Field(description="0: the model is loaded.")
    prompt_eval_count: int = Field(description="Tokens that the model read.")


class EmbeddingsRequest(_Asked):
    """Request of POST /api/embeddings."""

    prompt: str = Field(
        description="One text. What is longer than the model reads of it is cut, unless the server's "
        "--http-truncation says otherwise."
    )


class EmbeddingsResponse(BaseModel):
    """Answer of POST /api/embeddings."""

    embedding: list[float] = Field(description="As the model computes it, of any length.")


class ShowRequest(BaseModel):
    """Request of POST /api/show."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = None
    name: str | None = Field(None, description="An older word for `model`.")
    verbose: bool | None = None


class Details(BaseModel):
    """Short description of a model: its format, family and size."""

    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


class OllamaModel(BaseModel):
    """Entry for one model in a list of models."""

    name: str
    model: str
    modified_at: str = Field(description="Not kept: the epoch.")
    size: int = Field(description="Not told: 0.")
    digest: str = Field(description="SHA-256 of the model's file.")
    details: Details


class OllamaModelList(BaseModel):
    """Answer of GET /api/tags and /api/ps."""

    models: list[OllamaModel]


class ShowResponse(BaseModel):
    """Answer of POST /api/show."""

    modelfile: str
    template: str
    modified_at: str
    details: Details
    model_info: dict[str, Any]
    capabilities: list[str]


class Version(BaseModel):
    """Answer of GET /api/version."""

    version: str = Field(description="Version of bothends.")


class OllamaErrorResponse(BaseModel):
    """Answer to a request that failed."""

    error: str = Field(description="One line for a person.")
