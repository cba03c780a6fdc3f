"""A model that takes many times as long for a sentence as the packaged one: wide, of random weights."""

from pathlib import Path

import torch
from tokenizers import Tokenizer

from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle, default_path
from bothends_export.checkpoint import Checkpoint
from bothends_export.checkpoint_config import CheckpointConfig
from bothends_export.encoder import Encoder
from bothends_export.export import export

_UNITS, _EMBEDDING, _MAX_TOKENS = 1024, 64, 24


def write_slow_model(folder: Path) -> Bundle:
    """Export one of 1,024 units a direction to the new `folder`, with the packaged model's tokenizer."""
    tokenizer = (default_path() / "tokenizer.json").read_text(encoding="utf-8")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = EncoderConfig(
        vocabulary_size=Tokenizer.from_str(tokenizer).get_vocab_size(),
        embedding_size=_EMBEDDING,
        hidden_size=_UNITS,
        layers=1,
    )
    config = CheckpointConfig(name="slow", version="1", max_tokens=_MAX_TOKENS, encoder=shape)
    return export(Checkpoint(config, Encoder(shape).eval(), torch.float32, tokenizer), folder)
