"""The engines that compute an encoder in this process, each on the thread that calls it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

import engines
from bothends.engines.arrays import flat
from bothends.errors import BothendsError
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle, BundleConfig
from bothends.model.golden import Golden
from bothends_export.encoder import Encoder
from bothends_export.graph import build
from results import BF16, FLOAT32, INT8, ONNXRUNTIME

from .results import PYTORCH

Ids = NDArray[np.int64]
_TABLE = "embedding.weight"


@dataclass(frozen=True, slots=True)
class Contender:
    """One engine with an encoder's weights."""

    name: str
    run: Callable[[Ids], object]
    """Computes token ids [sentences, tokens] on this thread."""
    run_on_two: Callable[[Ids], object] | None = None
    """Computes them on two threads, where the engine can."""
    precision: Literal["float32", "bf16", "int8"] | None = None
    """The native engine's; None of others."""


def contenders(config: EncoderConfig) -> list[Contender]:
    """Return the engines that can compute an encoder of these sizes, with the same random weights."""
    torch.manual_seed(0)
    encoder = Encoder(config).eval()
    bundle = _bundle(encoder)
    loaded = (_loaded(name, bundle) for name in (FLOAT32, BF16, INT8, ONNXRUNTIME))
    return [*filter(None, loaded), Contender(PYTORCH, lambda ids: _torch(encoder, ids))]


def _loaded(name: str, bundle: Bundle) -> Contender | None:
    if name not in engines.built():
        return None
    logging.getLogger("bothends").setLevel(logging.ERROR)  # that a precision is no faster, the table shows
    try:
        engine: Any = engines.load(name, bundle)
    except BothendsError:
        return None
    if name == ONNXRUNTIME:
        return Contender(name, lambda ids: engine.run_flat(*flat(ids.tolist())))
    return Contender(
        name,
        lambda ids: engine.run_flat(*flat(ids.tolist())),
        lambda ids: engine.run_flat(*flat(ids.tolist()), threads=2),
        cast("Any", name.removeprefix("native ")),
    )


def _bundle(encoder: Encoder) -> Bundle:
    """Return a bundle that was never written: engines read no more of one than its config and model."""
    weights = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
    weights[_TABLE] = weights[_TABLE].astype(np.float16)
    fields = {"name": "made", "version": "1", "max_tokens": 256, "tolerance": 1e-5, "sha256": {}}
    config = BundleConfig.model_validate(encoder.config.model_dump() | fields)
    golden = Golden([], [], np.empty((0, config.dimension), dtype=np.float32))
    return Bundle(Path("made"), config, build(weights, encoder.config).SerializeToString(), "", golden, "")


@torch.inference_mode()
def _torch(encoder: Encoder, ids: Ids) -> object:
    return encoder(torch.from_numpy(ids), torch.full((len(ids),), ids.shape[1])).embedding
