"""Result of an import of any format: an encoder, its weights and tokenizer, and what differs from the original."""

from dataclasses import dataclass, field

import torch

from bothends.model.architecture import EncoderConfig


@dataclass(frozen=True, slots=True)
class ImportedEncoder:
    """Encoder with this project's names, whatever its original names were."""

    encoder: EncoderConfig
    weights: dict[str, torch.Tensor]
    """Tensors by the names that `bothends_export.encoder.Encoder` gives them; float32."""
    tokenizer: str
    """The text of a tokenizer.json."""
    max_tokens: int
    name: str
    """Name of the model, unless the caller gives another."""
    origins: dict[str, str]
    """Name of the tensor of the source, or of what else, that each of `weights` was."""
    rows: list[int]
    """Row of the source's own table that each id of the tokenizer has: what a person can check."""
    notes: list[str] = field(default_factory=list)
    """Differences from the original, a sentence each."""
