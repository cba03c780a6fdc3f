"""Reads a student's initial weights from checkpoints or exported bundles."""

import json
from collections.abc import Sequence
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


def mean_weights(paths: Sequence[Path], shares: Sequence[float], student: Encoder, tokenizer: str) -> dict[str, Tensor]:
    """Return the weighted mean of the weights of the encoders in these folders, each as read by `load` and fitted by
    `grow`.

    The weights are in proportion to `shares`. The average of encoders that were trained from the same start is often
    better than each (Wortsman et al., "Model soups", ICML 2022); that of unrelated ones is useless.
    """
    states = [grow(load(path, student.config, tokenizer), student) for path in paths]
    parts = torch.tensor(shares) / sum(shares)
    return {name: torch.stack([state[name] for state in states], -1) @ parts for name in states[0]}


def load(path: Path, config: EncoderConfig, tokenizer: str) -> Encoder:
    """Return the encoder in the folder `path`, a checkpoint or a bundle.

    Raises RecipeError if its sizes differ from `config`, except for a smaller hidden_size of one layer, or if its
    tokenizer isn't `tokenizer`, the text of a tokenizer.json, since its weights would mean something else. Raises
    CheckpointError or BundleError if the folder is broken.
    """
    if (path / bundle.MODEL).exists():
        opened = Bundle.open(path)
        encoder, theirs = lift(opened), opened.tokenizer
    else:
        loaded = checkpoint.load(path)
        encoder, theirs = loaded.encoder, loaded.tokenizer
    hidden = encoder.config.hidden_size
    can_grow = hidden < config.hidden_size and config.layers == 1
    if encoder.config.model_copy(update={"hidden_size": config.hidden_size} if can_grow else {}) != config:
        raise RecipeError(f"{path} has other sizes ({encoder.config}) than the recipe's student ({config})")
    if json.loads(theirs) != json.loads(tokenizer):
        raise RecipeError(f"{path} has another tokenizer than the recipe's student")
    return encoder


def grow(encoder: Encoder, student: Encoder) -> dict[str, Tensor]:
    """Return the weights of `student` with its first units replaced by the encoder's; these get no input from the
    others.

    So the first units of each direction compute what the encoder computed (after Chen, Goodfellow and Shlens,
    "Net2Net", ICLR 2016), and the others start with the student's own weights.
    """
    before, after = encoder.config.hidden_size, student.config.hidden_size
    weights = {name: tensor.detach().clone() for name, tensor in student.state_dict().items()}
    for name, known in encoder.state_dict().items():
        if name == "embedding.weight":
            weights[name] = known
            continue
        gates = weights[name].view(-1, after, *weights[name].shape[1:])  # of all units, one gate after the other
        theirs = known.view(-1, before, *known.shape[1:])
        if ".weight_hh" in name:
            gates[:, :before, before:] = 0
            gates[:, :before, :before] = theirs
        else:
            gates[:, :before] = theirs
    return weights
