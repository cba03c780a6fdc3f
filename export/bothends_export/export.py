"""Exports a checkpoint as a bundle: graph, tokenizer, golden sentences and model card, verified before it is kept."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError

from bothends.errors import BundleError
from bothends.model import bundle
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle, BundleConfig
from bothends.model.tokenizer import Tokenizer

from . import golden, graph
from .card import model_card
from .checkpoint import Checkpoint
from .checkpoint_config import CheckpointConfig
from .encoder import Encoder
from .equivalence import Advance, verify
from .new_path import must_be_new
from .report import Report

TOLERANCE = 1e-5
"""Largest allowed difference from PyTorch on a CPU in float32, unless PyTorch's own noise allows more."""


def export(checkpoint: Checkpoint, out: Path, *, card: str | None = None, advance: Advance = lambda _: None) -> Bundle:
    """Write `checkpoint` as a verified bundle to the new folder `out`.

    `card` is the text of the model card; without it, one is written from the checkpoint. Raises BundleError if `out`
    exists, the tokenizer doesn't fit the embedding table, the graph doesn't compute what PyTorch does, or the encoder's
    float32 results are mostly rounding noise.
    """
    must_be_new(out, BundleError)
    config, sizes = checkpoint.config, checkpoint.config.encoder
    tokenizer = Tokenizer(checkpoint.tokenizer, max_tokens=config.max_tokens, source=Path("tokenizer.json"))
    tokenizer.check_vocabulary(sizes.vocabulary_size)
    made = golden.make(checkpoint.encoder, tokenizer)
    fields = _bundle_config(config, golden.cosine_to_final_states(checkpoint.encoder, made))
    parts: dict[str, Any] = {
        "model": graph.build(arrays(checkpoint), sizes).SerializeToString(),
        "tokenizer": checkpoint.tokenizer,
        "golden": made,
        "card": card or model_card(config),
    }
    with tempfile.TemporaryDirectory(dir=_existing_parent(out)) as scratch:
        draft, proved = Path(scratch) / "draft", Path(scratch) / "proved"
        bundle.write(draft, config=fields, **parts)
        report = verify(Bundle.open(draft), checkpoint.encoder, tolerance=TOLERANCE, advance=advance)
        _check(report)
        bundle.write(proved, config=fields | {"tolerance": report.bound, "noise": report.noise}, **parts)
        proved.replace(out)
    return Bundle.open(out)


def _check(report: Report) -> None:
    """Raise BundleError unless every difference is within its bound, and every bound proves something."""
    if breaches := report.breaches():
        raise BundleError(f"the exported graph isn't the encoder: {breaches[0]}; nothing was written")
    if reason := report.unprovable():
        raise BundleError(f"the encoder can't be proved equal to PyTorch: {reason}; nothing was written")


def arrays(checkpoint: Checkpoint) -> graph.Weights:
    """Return the weights of `checkpoint` as the graph stores them: the table in its stored dtype."""
    weights = {name: tensor.numpy() for name, tensor in checkpoint.encoder.state_dict().items()}
    if checkpoint.table_dtype == torch.float16:  # lossless: that is what the checkpoint held
        weights["embedding.weight"] = weights["embedding.weight"].astype(np.float16)
    return weights


def _bundle_config(config: CheckpointConfig, cosine_to_final_states: float | None) -> dict[str, Any]:
    """Return the fields of the bundle's config, except the hashes."""
    sizes = config.encoder.model_dump()
    return {
        "name": config.name,
        "version": config.version,
        "max_tokens": config.max_tokens,
        "nested_dimensions": config.nested_dimensions,
        "languages": config.languages,
        "cosine_to_final_states": cosine_to_final_states,
        "tolerance": TOLERANCE,
        **sizes,
    }


def _existing_parent(out: Path) -> Path:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{out} can't be written: {error.strerror}") from error
    return out.parent


def lift(opened: Bundle) -> Encoder:
    """Return the PyTorch encoder with the weights of `opened`. Raises BundleError if `bothends export` didn't write it.

    It isn't checked here that nothing was lost: compare it with the bundle's golden vectors, which the original
    encoder computed.
    """
    config = encoder_config(opened.config)
    try:
        weights = graph.weights_of(onnx.load_from_string(opened.model), config)
        return Encoder.of_weights(config, {name: torch.from_numpy(array.copy()) for name, array in weights.items()})
    except (ValueError, DecodeError) as error:
        raise BundleError(f"{opened.path}: bothends export didn't write this model: {error}") from error


def encoder_config(config: BundleConfig) -> EncoderConfig:
    """Return the encoder's architecture from a bundle's config.json."""
    return EncoderConfig(**config.model_dump(include=set(EncoderConfig.model_fields)))


def fitting(opened: Bundle, checkpoint: Checkpoint) -> Encoder:
    """Return the encoder of `checkpoint`. Raises BundleError, which names the fields that differ in `opened`."""
    ours, theirs = encoder_config(opened.config).model_dump(), checkpoint.config.encoder.model_dump()
    differ = [f"{name} is {ours[name]} and {theirs[name]}" for name in ours if ours[name] != theirs[name]]
    if differ:
        raise BundleError(f"{opened.path} isn't of this checkpoint: {', '.join(differ)} (in the bundle and there)")
    return checkpoint.encoder
