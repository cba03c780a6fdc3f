"""Reads the TOML file that describes weights whose names and shapes don't say everything, and checks each key.

    max_tokens = 128
    ignore = ["classifier.*"]        # tensors that don't belong to the encoder

    [names]
    embedding = "embed.weight"       # a tensor; the others of [names] but h_0 and c_0 are modules
    cells = "encoder.rnn"
    head = "fc"

    [encoder]
    pooling = "max"
    head_then = "tanh"

    [tokenizer]
    vocabulary = "vocab.txt"

Every key is optional.
"""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bothends.model.bundle import NAME
from bothends.model.pooling import Pooling
from bothends.text import printable
from bothends.validation import first_problem, one_line

from ..source import SourceError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Names(_Section):
    """Names of the encoder's parts in the state dict; parts that are None are guessed."""

    embedding: str | None = Field(None, description="the table, a tensor [vocabulary, embedding]")
    cells: str | list[str] | None = Field(
        None,
        description='the nn.LSTM or nn.GRU, a module; "" where it is the whole file; several where each reads the '
        "one before it",
    )
    attention_hidden: str | None = Field(None, description="the nn.Linear before attention's tanh")
    attention_scores: str | None = Field(
        None, description="the nn.Linear that scores each step, or a tensor of as many numbers, the context vector"
    )
    input_projection: str | None = Field(None, description="the nn.Linear between table and cells")
    head: str | None = Field(None, description="the nn.Linear after pooling")
    head_norm: str | None = Field(None, description="the nn.LayerNorm after the head")
    h_0: str | None = Field(None, description="the learned initial state, a tensor [layers·directions, (1,) state]")
    c_0: str | None = Field(None, description="the LSTM's other one, a tensor [layers·directions, (1,) hidden]")


class EncoderOptions(_Section):
    """Facts about the encoder that tensors don't show."""

    pooling: Pooling | None = None
    head_then: Literal["none", "tanh", "relu", "layer_norm"] | None = None
    head_epsilon: float | None = Field(None, gt=0, le=1, description="of the layer norm, as PyTorch's eps")
    batch_first: bool | None = Field(None, description="changes no weights and nothing here")


class TokenizerOptions(_Section):
    """Steps from text to the rows of the table. File names are relative to the TOML file."""

    file: str | None = Field(None, description="a tokenizer.json, or a SentencePiece model")
    vocabulary: str | None = Field(None, description="a text file of one token a line, in the order of the rows")
    split: str | None = None
    lower: bool = False
    unknown: str | None = Field(None, description="the token that stands for every other")
    unused_rows: list[int | str] = Field(
        default_factory=list, description='rows of the table that no token has: 7, or "7-9" for several'
    )
    padding: str | None = Field(None, description="the token whose row no text can have")
    before: list[str] = Field(default_factory=list, description="tokens that every sentence begins with")
    after: list[str] = Field(default_factory=list, description="tokens that every sentence ends with")


class StateDictConfig(_Section):
    """Content of the TOML file that describes a state dict."""

    name: str | None = Field(None, pattern=NAME, description="of the model")
    max_tokens: int | None = Field(None, ge=1, description="longer sentences are cut to this many tokens")
    layers: str | None = Field(
        None, description="a Keras model's to_json(), where the source is weights only; named relative to the TOML"
    )
    ignore: list[str] = Field(
        default_factory=list, description="patterns (`*`, `?`) of tensors that aren't the encoder's"
    )
    names: Names = Field(default_factory=Names)
    encoder: EncoderOptions = Field(default_factory=EncoderOptions)
    tokenizer: TokenizerOptions = Field(default_factory=TokenizerOptions)


def is_json(file: Path | None) -> bool:
    """Return True if `--encoder` is the JSON of a Keras model's layers, not TOML."""
    return file is not None and file.suffix == ".json"


def read(file: Path) -> StateDictConfig:
    """Read a TOML file. Raises SourceError if it is missing or malformed, or has an unknown key or a wrong value."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{file} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{file} is no TOML: {printable(error)}") from error
    try:
        return StateDictConfig.model_validate(found)
    except ValidationError as error:
        raise SourceError(f"{file}: {one_line(error)}{_known(error)}") from error


def _known(error: ValidationError) -> str:
    """The keys that the first problem could have meant, if it is an unknown key."""
    first = first_problem(error)
    if first.kind != "extra_forbidden":
        return ""
    section: type[BaseModel] = StateDictConfig
    for part in first.path[:-1]:
        inner = section.model_fields[part].annotation
        assert isinstance(inner, type)  # noqa: S101  only sections hold keys
        section = inner
    return f"; known are {', '.join(section.model_fields)}"
