"""What every format gives: an encoder of ours, its weights and tokenizer, and what differs from the original.

Knows no format.
"""

from dataclasses import dataclass, field

import torch

from bothends.model.architecture import EncoderConfig


@dataclass(frozen=True, slots=True)
class ImportedEncoder:
    """An encoder by our names, whatever its own were."""

    encoder: EncoderConfig
    weights: dict[str, torch.Tensor]
    """By the names that `bothends_export.encoder.Encoder` gives them; float32."""
    tokenizer: str
    """The text of a tokenizer.json."""
    max_tokens: int
    name: str
    """What to call the model if nobody says."""
    origins: dict[str, str]
    """Which tensor of the source, or what else, each of `weights` was."""
    notes: list[str] = field(default_factory=list)
    """What differs from the original, a sentence each."""
