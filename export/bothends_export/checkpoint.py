"""Reads and writes a trained encoder: `model.safetensors`, `config.json` and `tokenizer.json` in one folder."""

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from bothends.errors import BothendsError
from bothends.validation import one_line

from .checkpoint_config import CheckpointConfig
from .encoder import Encoder

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"


class CheckpointError(BothendsError):
    """Checkpoint folder that is incomplete, or whose files don't fit each other."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Loaded checkpoint: the encoder in float32 and eval mode, and its tokenizer."""

    config: CheckpointConfig
    encoder: Encoder
    table_dtype: torch.dtype
    """Number type in which the embedding table is stored, float32 or float16. Both widen to float32 without loss."""
    tokenizer: str
    """The text of its tokenizer.json."""


def save(folder: Path, encoder: Encoder, config: CheckpointConfig, tokenizer: str, *, table_dtype: torch.dtype) -> None:
    """Write a checkpoint to `folder`, which is created if needed. After a kill, each file is either the old or the new
    one.

    `tokenizer` is the text of a tokenizer.json; `table_dtype` is float32 or float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    weights["embedding.weight"] = weights["embedding.weight"].to(table_dtype)
    save_file(weights, _partial(folder / WEIGHTS))
    _partial(folder / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _partial(folder / TOKENIZER).write_text(tokenizer, encoding="utf-8")
    for name in (WEIGHTS, TOKENIZER, CONFIG):
        _partial(folder / name).replace(folder / name)


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def load(folder: Path) -> Checkpoint:
    """Read the checkpoint in `folder`. Raises CheckpointError, naming the file or the tensor that is wrong."""
    for name in (WEIGHTS, CONFIG, TOKENIZER):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing; a checkpoint holds {WEIGHTS}, {CONFIG} and {TOKENIZER}")
    try:
        config = CheckpointConfig.model_validate_json((folder / CONFIG).read_bytes())
    except ValidationError as error:
        raise CheckpointError(f"{folder / CONFIG}: {one_line(error)}") from error
    try:
        weights = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise CheckpointError(f"{folder / WEIGHTS} can't be read: {error}") from error
    try:
        tokenizer = (folder / TOKENIZER).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{folder / TOKENIZER} is no UTF-8 text: {error.reason} at byte {error.start}") from error
    _check_numbers(weights, folder / WEIGHTS)
    try:
        encoder = Encoder.of_weights(config.encoder, weights)
    except ValueError as error:
        raise CheckpointError(f"{folder / WEIGHTS}: {error}") from error
    return Checkpoint(config, encoder, weights["embedding.weight"].dtype, tokenizer)


def _check_numbers(weights: dict[str, torch.Tensor], file: Path) -> None:
    for name, tensor in weights.items():
        allowed = (torch.float32, torch.float16) if name == "embedding.weight" else (torch.float32,)
        if tensor.dtype not in allowed:
            raise CheckpointError(f"{file}: {name} is {tensor.dtype}, which is not {' or '.join(map(str, allowed))}")
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{file}: {name} holds NaN or infinite numbers")
