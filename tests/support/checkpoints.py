"""Checkpoints of small encoders with random weights, and how PyTorch works for tests."""

from pathlib import Path
from typing import Any

import tokenizers
import torch

from bothends.model.architecture import EncoderConfig
from bothends_export import checkpoint
from bothends_export.checkpoint import Checkpoint
from bothends_export.checkpoint_config import CheckpointConfig
from bothends_export.encoder import Encoder

from .bundles import MAX_TOKENS, toy_tokenizer

torch.set_num_threads(1)  # on a busy machine, threads for tiny matrices wait for each other


def make(
    folder: Path,
    *,
    layers: int = 1,
    hidden_size: int = 16,
    embedding_size: int = 12,
    seed: int = 0,
    dtype: torch.dtype = torch.float16,
    **shape: Any,
) -> Checkpoint:
    """Write a checkpoint of random weights to `folder`. The row of token 0 is as random as the others: padding would
    show.

    `shape` is more of EncoderConfig's fields.
    """
    torch.manual_seed(seed)
    text = toy_tokenizer()
    config = EncoderConfig(
        vocabulary_size=tokenizers.Tokenizer.from_str(text).get_vocab_size(),
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        layers=layers,
        **shape,
    )
    encoder = Encoder(config)
    for name, parameter in encoder.named_parameters():
        if name in ("h_0", "c_0") or name.startswith("head.norm"):  # which begin as zeros and ones
            torch.nn.init.normal_(parameter)
    whole = CheckpointConfig(name="toy", version=f"{layers}.{seed}", max_tokens=MAX_TOKENS, encoder=config)
    checkpoint.save(folder, encoder, whole, text, table_dtype=dtype)
    return checkpoint.load(folder)
