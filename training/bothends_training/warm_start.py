"""Reads a student's initial weights from checkpoints or exported bundles."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bothends.model import bundle
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle
from bothends_export import checkpoint
from bothends_export.encoder import Encoder
from bothends_export.export import lift

from .errors import RecipeError
from .grow import SIZES, grow


def mean_weights(paths: Sequence[Path], shares: Sequence[float], student: Encoder, tokenizer: str) -> dict[str, Tensor]:
    """Return the weighted mean of the weights of the encoders in these folders, each as read by `load` and fitted by
    `grow`.

    The weights are in proportion to `shares`. The average of encoders that were trained from the same start is often
    better than each (Wortsman et al., "Model soups", ICML 2022); that of unrelated ones is useless. What smaller ones
    lack is as in the mean of those that have it, where some do: with first weights there, that would be halved.
    """
    encoders = [load(path, student.config, tokenizer) for path in paths]
    whole = [index for index, encoder in enumerate(encoders) if encoder.config == student.config]
    if whole:
        student = copy.deepcopy(student)
        student.load_state_dict(
            _mean([encoders[index].state_dict() for index in whole], [shares[index] for index in whole])
        )
    return _mean([grow(encoder, student) for encoder in encoders], shares)


def _mean(states: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    parts = torch.tensor(shares) / sum(shares)
    return {name: torch.stack([state[name] for state in states], -1) @ parts for name in states[0]}


def load(path: Path, config: EncoderConfig, tokenizer: str) -> Encoder:
    """Return the encoder in the folder `path`, a checkpoint or a bundle.

    Raises RecipeError if its sizes differ from `config`, except for those that a student may have more of, or if its
    tokenizer isn't `tokenizer`, the text of a tokenizer.json: its weights would mean something else. Raises
    CheckpointError or BundleError where the folder is broken.
    """
    if (path / bundle.MODEL).exists():
        opened = Bundle.open(path)
        encoder, theirs = lift(opened), opened.tokenizer
    else:
        loaded = checkpoint.load(path)
        encoder, theirs = loaded.encoder, loaded.tokenizer
    sizes = {size: getattr(config, size) for size in SIZES if getattr(encoder.config, size) <= getattr(config, size)}
    if encoder.config.model_copy(update=sizes) != config:
        raise RecipeError(f"{path} has other sizes ({encoder.config}) than the recipe's student ({config})")
    if json.loads(theirs) != json.loads(tokenizer):
        raise RecipeError(f"{path} has another tokenizer than the recipe's student")
    return encoder
