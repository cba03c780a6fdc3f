"""Requests and answers of text-embeddings-inference's API over HTTP, as pydantic models that check JSON.

Sizes and token ids are checked later, where the model is known.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, RootModel

from ....engines.contract import TokenIds
from ....errors import RequestError
from ....options import OPTIONS, Truncation
from ...http.formats import ABOUT, Format
from ...http.json_requests import TRUNCATION, Asking, Input, texts, texts_or_ids, token_ids, with_options

Direction = Literal["left", "right", "Left", "Right"]
NO_PROMPTS = "this model has no prompts; write what is to stand before a text into the text"


def _no_prompt(name: Any) -> None:
    if name is not None:
        raise RequestError(f"prompt_name: {NO_PROMPTS}", field="prompt_name")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)  # which also stands in the OpenAPI document


class Parameters(_Strict):
    """Options for how texts are read."""

    truncation: Truncation | None = Field(None, description=TRUNCATION)
    truncate: bool | None = Field(
        None,
        description="Whether a text longer than the model reads is cut, or an error; what the server's "
        "--http-truncation says unless it is said, which is to cut it, by default at its end.",
    )
    truncation_direction: Direction = Field("right", description="The side that is cut.")
    prompt_name: Annotated[None, PlainValidator(_no_prompt, json_schema_input_type=None)] = Field(
        None, description="null: the model has no prompts."
    )

    def kept(self, default: Truncation) -> Truncation:
        """Return what to do with a text that is too long; `default` if the request doesn't say."""
        if self.truncation is not None:
            return self.truncation
        if self.truncate is None and default != "start":
            return default
        if self.truncate is False:
            return "error"
        return "end" if self.truncation_direction.lower() == "left" else "start"


@with_options("tei")
class TeiEmbedRequest(Parameters, Asking):
    """Request of POST /embed."""

    inputs: Annotated[
        Input,
        PlainValidator(
            partial(texts_or_ids, name="inputs"), json_schema_input_type=str | list[str] | list[int] | list[list[int]]
        ),
    ] = Field(description="One text or several, as texts or as token ids of the model's own tokenizer.")
    normalize: bool = Field(True, description=OPTIONS["normalize"].what)
    encoding_format: Format | None = Field(None, description=f"Not the API's. {ABOUT}")


class TeiEmbedResponse(RootModel[list[list[float]] | list[str]]):
    """Answer of POST /embed: one vector for each text, as numbers or as base64."""


class TokenizeRequest(_Strict):
    """Request of POST /tokenize."""

    inputs: Annotated[
        Sequence[str], PlainValidator(partial(texts, name="inputs"), json_schema_input_type=str | list[str])
    ] = Field(description="One text or several.")
    add_special_tokens: bool = Field(True, description="Taken for compatibility: the model reads none.")
    prompt_name: Annotated[None, PlainValidator(_no_prompt, json_schema_input_type=None)] = Field(
        None, description="null: the model has no prompts."
    )


class Token(BaseModel):
    """Token of a text, with the characters that it stands for."""

    id: int
    text: str = Field(description="What stands for it in the text.")
    special: bool = Field(description="Always false.")
    start: int | None = Field(description="Where it stands in the text, in characters.")
    stop: int | None


class TokenizeResponse(RootModel[list[list[Token]]]):
    """Answer of POST /tokenize: for each text, the tokens that the model reads."""


class DecodeRequest(_Strict):
    """Request of POST /decode."""

    ids: Annotated[
        Sequence[TokenIds],
        PlainValidator(partial(token_ids, name="ids"), json_schema_input_type=list[int] | list[list[int]]),
    ] = Field(description="Token ids of the model's own tokenizer, of one text or several.")
    skip_special_tokens: bool = Field(True, description="Whether special tokens, as [PAD], are left out.")


class DecodeResponse(RootModel[list[str]]):
    """Answer of POST /decode: one text for each list of ids."""


class Compared(_Strict):
    """Inputs of a similarity request: a text, and the texts to compare it with."""

    source_sentence: str
    sentences: Annotated[
        Sequence[str], PlainValidator(partial(texts, name="inputs.sentences"), json_schema_input_type=list[str])
    ]


class SimilarityRequest(_Strict):
    """Request of POST /similarity."""

    inputs: Compared
    parameters: Parameters | None = None


class SimilarityResponse(RootModel[list[float]]):
    """Answer of POST /similarity: the cosine of the text and each of the others."""


class TeiRequest(RootModel[TeiEmbedRequest | SimilarityRequest | Compared]):
    """Request of POST /: texts to embed, or to compare."""


class TeiResponse(RootModel[list[list[float]] | list[str] | list[float]]):
    """Answer of POST /, as that of POST /embed or POST /similarity."""


class Info(BaseModel):
    """Answer of GET /info."""

    model_id: str
    model_sha: str = Field(description="Version of the model. Vectors of different versions must not be compared.")
    model_dtype: str
    model_type: dict[str, dict[str, str]] = Field(description="Pooling is the API's word that comes nearest.")
    max_concurrent_requests: int
    max_input_length: int = Field(description="Tokens that the model reads of a text.")
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int = Field(description="Texts in one request of this caller's.")
    auto_truncate: bool = Field(description="Whether texts are cut where `truncate` isn't said.")
    tokenization_workers: int
    version: str = Field(description="Version of bothends.")
    sha: str | None
    docker_label: str | None


class TeiErrorResponse(BaseModel):
    """Answer to a request that failed."""

    error: str = Field(description="One line for a person.")
    error_type: Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"]
