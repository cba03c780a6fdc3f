"""Describes a trained encoder: what stands in the config.json of its checkpoint. It needs no PyTorch."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bothends.model.architecture import EncoderConfig, Languages
from bothends.model.bundle import MAX_TOKENS, NAME, VERSION


class CheckpointConfig(BaseModel):
    """Content of a checkpoint's config.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME)
    version: str = Field(pattern=VERSION)
    max_tokens: int = Field(ge=1, le=MAX_TOKENS, description="longer sentences are cut to this many tokens")
    encoder: EncoderConfig
    nested_dimensions: tuple[int, ...] = Field(
        (), description="sizes k, going up: the first k/2 numbers of each half are an embedding by themselves"
    )
    languages: Languages = ()
    training: dict[str, Any] = Field(default_factory=dict, description="how the weights came to be, for the model card")

    @model_validator(mode="after")
    def _sizes_can_be_nested(self) -> Self:
        self.encoder.check_nested_dimensions(self.nested_dimensions)
        return self
