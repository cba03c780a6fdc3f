"""Writes an imported encoder as a checkpoint folder, completely or not at all."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError

from bothends.model.tokenizer import Tokenizer
from bothends.validation import one_line
from bothends_export import checkpoint
from bothends_export.checkpoint_config import CheckpointConfig
from bothends_export.encoder import Encoder
from bothends_export.new_path import must_be_new

from .imported_encoder import ImportedEncoder
from .source import SourceError

_LARGEST_FLOAT16 = torch.finfo(torch.float16).max


def check_out(out: Path) -> None:
    """Raise SourceError if `out` can't be written or exists already."""
    must_be_new(out, SourceError)


def write(
    out: Path,
    found: ImportedEncoder,
    *,
    source: Path,
    format_name: str,
    name: str | None,
    version: str,
    table: Literal["float32", "float16"],
) -> int:
    """Write the encoder `found` as a checkpoint to the new folder `out`; returns its size in bytes.

    `source` and `format_name` say in its config where it comes from; `name` (None: its own) and `version` are
    the model's, `table` the type of its embedding table. Raises SourceError, and then writes nothing.
    """
    notes = [*found.notes]
    if table == "float16":
        notes.append(_rounding(found))
    try:
        config = CheckpointConfig(
            name=name or found.name,
            version=version,
            max_tokens=found.max_tokens,
            encoder=found.encoder,
            training={"imported": {"format": format_name, "source": source.name, "notes": notes}},
        )
        encoder = Encoder.of_weights(config.encoder, found.weights)
    except ValidationError as error:
        raise SourceError(f"{source}: {one_line(error)}") from error
    except ValueError as error:
        raise SourceError(f"{source}: {error}") from error
    Tokenizer(found.tokenizer, max_tokens=config.max_tokens, source=source).check_vocabulary(
        config.encoder.vocabulary_size
    )
    _write_whole(
        out, lambda draft: checkpoint.save(draft, encoder, config, found.tokenizer, table_dtype=getattr(torch, table))
    )
    return sum(file.stat().st_size for file in out.iterdir())


def _write_whole(out: Path, save: Callable[[Path], None]) -> None:
    """Let `save` write a draft beside `out`, then rename it. Raises SourceError, and then leaves nothing."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
            draft = Path(scratch) / out.name
            save(draft)
            check_out(out)
            draft.rename(out)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SourceError(f"{out} can't be written: {reason}") from error


def _rounding(found: ImportedEncoder) -> str:
    """Note that float16 rounds the table. Raises SourceError where float16 can't hold it."""
    weights = found.weights["embedding.weight"]
    largest = weights.abs().max().item()
    if largest > _LARGEST_FLOAT16:
        raise SourceError(
            f"--table float16: a token vector holds {largest:.3g}, and float16 ends at {_LARGEST_FLOAT16:.0f}"
        )
    return "Token vectors were rounded to float16."
