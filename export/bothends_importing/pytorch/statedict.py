"""Builds an encoder from the state dict of a custom module and a TOML file that describes it.

    table → (linear) → nn.LSTM or nn.GRU, one or several → pooling → (linear → none, tanh, relu or layer norm)

What the TOML file leaves out is guessed if only one guess fits, and every tensor must belong to a part.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from bothends.model.architecture import Attention, EncoderConfig, Head
from bothends.text import printable
from bothends.validation import one_line

from ..recurrent import NAME as CELL_TENSOR
from ..recurrent import RecurrentLayers, recurrent_layers, stacked
from ..source import WeightsFile
from .assignment import attention_of, head_of, initial_state_of, norm_of, projection_of, table_of
from .candidates import Candidates, Linear
from .config import EncoderOptions, StateDictConfig


@dataclass(frozen=True, slots=True)
class MappedEncoder:
    """Encoder, its weights, and the name of each in the file."""

    encoder: EncoderConfig
    weights: dict[str, Tensor]
    """Tensors by our names; float32, and none shares its numbers with another."""
    origins: dict[str, str]
    """The file's name of each of `weights` that was in the file: what was guessed, to be shown."""
    notes: list[str] = field(default_factory=list)
    """Changes and assumptions, a sentence each."""
    masked_rows: frozenset[int] = frozenset()
    """Rows of the table that the source skips as padding: no token of a text may have them."""


def map_state_dict(source: WeightsFile, config: StateDictConfig) -> MappedEncoder:
    """Map an opened file. `source` must have been opened with the config's `ignore`.

    Raises SourceError that names the tensor if a part is missing, two fit, a shape is wrong, or a tensor is unused.
    """
    mapping = _Mapping(Candidates(source.file, dict(source.tensors), source.ignored))
    found = _take_cells(mapping, config)
    attention = _take_attention(mapping, config, found.output_size)
    table = _take_table(mapping, config, found.input_size, source.extras)
    fields = {**found.sizes(), "vocabulary_size": len(table), "embedding_size": table.shape[1]}
    fields |= {"pooling": config.encoder.pooling or "final_states", "attention": attention}
    encoder = _described(mapping.remaining, fields)
    projection = projection_of(
        mapping.remaining, config, table, input_size=found.input_size, pooled_size=encoder.pooled_size
    )
    if projection:
        mapping.linear("input_projection", projection)
    head = _take_head(mapping, config, encoder.pooled_size, source.extras)
    whole = encoder.model_copy(
        update={
            "input_projection": found.input_size if projection else None,
            "learned_initial_states": _take_initial_states(mapping, config, encoder),
            "head": head,
        }
    )
    mapping.check_all_used(whole)
    return MappedEncoder(
        whole, _apart(mapping.weights), mapping.origins, [*source.notes, *mapping.notes, *_assumptions(config.encoder)]
    )


class _Mapping:
    """Moves tensors out of `left` into `weights`, by our names."""

    def __init__(self, remaining: Candidates) -> None:
        self.remaining = remaining
        self.weights: dict[str, Tensor] = {}
        self.origins: dict[str, str] = {}
        self.notes: list[str] = []

    def take_tensor(self, ours: str, theirs: str) -> Tensor:
        tensor = self.weights[ours] = self.remaining.tensors[theirs]
        self.origins[ours] = theirs
        self.remaining = self.remaining.without([theirs])
        return tensor

    def linear(self, part: str, linear: Linear) -> None:
        """Assign weight and bias to `part`; a missing bias becomes zeros."""
        self.weights[f"{part}.bias"] = torch.zeros(len(linear.weight))
        for name in linear.tensors():
            self.take_tensor(f"{part}.{name.rpartition('.')[2]}", name)

    def check_all_used(self, encoder: EncoderConfig) -> None:
        """Raise SourceError for unused tensors, except further names of a tensor that is used."""
        used = {(tensor.data_ptr(), tensor.shape) for tensor in self.weights.values()}
        left = self.remaining.without(n for n, t in self.remaining.tensors.items() if (t.data_ptr(), t.shape) in used)
        if not left.tensors:
            return
        patterns = dict.fromkeys(f"{name.rpartition('.')[0]}.*" if "." in name else name for name in left.tensors)
        ignore = ", ".join(f'"{printable(pattern)}"' for pattern in list(patterns)[:4])
        raise left.refused(
            f"holds tensors that no part of the encoder uses ({encoder.described()}): {left.listed()}; a head would "
            f"read {encoder.pooled_size} numbers; where they aren't the encoder's, the TOML says ignore = [{ignore}]"
        )


def _take_cells(mapping: _Mapping, config: StateDictConfig) -> RecurrentLayers:
    prefixes = mapping.remaining.cells(config.names.cells)
    tensors, file = mapping.remaining.tensors, mapping.remaining.file
    modules = []
    for prefix in prefixes:
        named = (name for name in tensors if name.startswith(prefix))
        own = {name: tensors[name] for name in named if CELL_TENSOR.fullmatch(name.removeprefix(prefix))}
        modules.append(recurrent_layers(own or tensors, prefix, file=file))
    found = stacked(modules, prefixes, file=file) if len(modules) > 1 else modules[0]
    for ours, theirs in found.origins.items():
        mapping.take_tensor(ours, theirs)
    return found


def _take_attention(mapping: _Mapping, config: StateDictConfig, states: int) -> Attention | None:
    """Take attention's two layers, if that is the pooling. `states` is the size of what the first one reads."""
    found = attention_of(mapping.remaining, config, states)
    if found is None:
        return None
    hidden, (weight, *bias) = found
    size = len(hidden.weight)
    mapping.linear("attention.hidden", hidden)
    scores = mapping.take_tensor("attention.scores.weight", weight).reshape(-1, size)
    mapping.weights["attention.scores.weight"] = scores
    for name in bias:
        mapping.remaining = mapping.remaining.without([name])
        mapping.notes.append(f"{printable(name)} is left out: a softmax is the same with any bias of its scores.")
    return Attention(size=size, hops=len(scores))


def _take_table(mapping: _Mapping, config: StateDictConfig, input_size: int, extras: dict[str, Any]) -> Tensor:
    name = table_of(mapping.remaining, config.names, input_size)
    if extras.get(f"{name.removesuffix('weight')}max_norm") is not None:  # TorchScript says so
        raise mapping.remaining.refused(f"renormalises {printable(name)} in use (max_norm), which can't be mapped")
    return mapping.take_tensor("embedding.weight", name)


def _described(parts: Candidates, fields: dict[str, Any]) -> EncoderConfig:
    try:
        return EncoderConfig(**fields)
    except ValidationError as error:
        raise parts.refused(f"holds an encoder that can't be served: {one_line(error)}") from error


def _take_head(mapping: _Mapping, config: StateDictConfig, pooled_size: int, extras: dict[str, Any]) -> Head | None:
    head = head_of(mapping.remaining, config, pooled_size)
    if head is None:
        return None
    mapping.linear("head.linear", head)
    size, options, name = len(head.weight), config.encoder, printable(head.name)
    if config.names.head is None:
        mapping.notes.append(
            f"{name} was taken as the head, whose {size} numbers are the embedding; "
            f'ignore = ["{name}.*"] embeds before it.'
        )
    norm = norm_of(mapping.remaining, config, size)
    if norm or options.head_then == "layer_norm":
        mapping.weights |= {"head.norm.weight": torch.ones(size), "head.norm.bias": torch.zeros(size)}
        for theirs in norm.tensors() if norm else ():
            mapping.take_tensor(f"head.norm.{theirs.rpartition('.')[2]}", theirs)
        known = extras.get(f"{norm.name}.eps") if norm else None  # TorchScript says it
        if options.head_epsilon is None and not isinstance(known, float):
            mapping.notes.append(
                "A layer norm's eps doesn't show in weights; PyTorch's 1e-5 was assumed ([encoder] head_epsilon says "
                "another)."
            )
        epsilon = options.head_epsilon or (known if isinstance(known, float) else 1e-5)
        return Head(size=size, then="layer_norm", epsilon=epsilon)
    if options.head_then is None:
        mapping.notes.append(
            "An activation after the head doesn't show in weights; none was assumed ([encoder] head_then says another)."
        )
    return Head(size=size, then=options.head_then or "none")


def _take_initial_states(mapping: _Mapping, config: StateDictConfig, encoder: EncoderConfig) -> bool:
    """Take learned initial states, if any. An LSTM that has learned one of the two starts with zeros in the other."""
    stacked = encoder.layers * encoder.directions
    shapes = {"h_0": (stacked, encoder.state_size)}
    if encoder.cell == "lstm":
        shapes["c_0"] = (stacked, encoder.hidden_size)
    found = {part: initial_state_of(mapping.remaining, config.names, part, shape) for part, shape in shapes.items()}
    if not any(found.values()):
        return False
    for part, theirs in found.items():
        mapping.weights[part] = torch.zeros(shapes[part])
        if theirs is not None:
            mapping.weights[part] = mapping.take_tensor(part, theirs).reshape(shapes[part])
    return True


def _assumptions(options: EncoderOptions) -> list[str]:
    notes = []
    if options.pooling is None:
        notes.append(
            "How states become an embedding doesn't show in weights; final_states was ASSUMED, each direction's last "
            'one. A model that learned another pooling needs it said: [encoder] pooling = "max", "mean", …'
        )
    if options.batch_first is not None:
        notes.append("batch_first changes no weights: embeddings are the same either way.")
    return notes


def _apart(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors so that none shares its numbers with another, as files of tensors want it."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in weights.items():
        alone = tensor.untyped_storage().nbytes() == tensor.nbytes and tensor.data_ptr() not in seen
        seen.add(tensor.data_ptr())
        apart[name] = tensor if alone else tensor.clone()
    return apart
