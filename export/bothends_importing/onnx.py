"""Imports an ONNX encoder that `bothends doctor` understands, with the weights of its cells.

A known mistake in how it reads its states isn't imported: the import reads them as was meant, and is compared with
PyTorch.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bothends.model.architecture import EncoderConfig, layer_name
from bothends.model.architecture import Head as LinearHead
from bothends.model.pooling import Pooling
from bothends.text import printable, shell_word
from bothends_doctor.errors import DoctorError, RunFailedError
from bothends_doctor.examine import Examination, examine, right_rows
from bothends_doctor.mistakes.recurrence import Array, Direction
from bothends_doctor.models.model import Batch
from bothends_doctor.models.onnx import OnnxModel
from bothends_doctor.repairing.repair import TOLERANCE, not_in_the_file
from bothends_doctor.repairing.rewrite import between, head_of
from bothends_doctor.serving import POOLINGS, architecture
from bothends_export.encoder import Encoder

from .pytorch.statedict import MappedEncoder
from .source import SourceError

_THEN: dict[str, Literal["tanh", "relu"]] = {"Tanh": "tanh", "Relu": "relu"}
_PASSED = ("Identity", "Cast")
_TRIED_ROWS = 64
_IDS_AT_ONCE = 4096
_NO_LONGER_FITS = (
    "What was made of the file's own vectors doesn't fit these any more: embed stored texts anew, train classifiers, "
    "thresholds and indexes anew, and compare no vector of the one with one of the other."
)
"""Notice for people who have already used vectors of the original file."""


def map_onnx(file: Path) -> MappedEncoder:
    """Map an ONNX encoder. Raises SourceError that says what in it can't be mapped."""
    try:
        examined = examine(OnnxModel(file))
        return _mapped(file, examined)
    except (DoctorError, RunFailedError) as error:
        raise SourceError(f"{file} can't be imported: {printable(error)}") from error


def _mapped(file: Path, examined: Examination) -> MappedEncoder:
    pooling, stack, notes = _pooling(file, examined), examined.true_stack, _notes(examined)
    table = _table(file, examined)
    encoder = architecture(stack, pooling, rows=len(table))
    weights = {"embedding.weight": torch.from_numpy(table)}
    weights |= _cells(encoder, [one for layer in stack.layers for one in layer])
    origins = dict.fromkeys(weights, "the cells") | {"embedding.weight": "the table"}
    _prove(file, examined, encoder, weights)
    head, linear = _head(file, examined, encoder.pooled_size, notes)
    origins |= dict.fromkeys(linear, "behind the pooling")
    return MappedEncoder(encoder.model_copy(update={"head": head}), weights | linear, origins, notes)


def _prove(file: Path, examined: Examination, encoder: EncoderConfig, weights: dict[str, torch.Tensor]) -> None:
    """Raise SourceError unless `encoder` computes what PyTorch does of the file's own cells, in a ragged batch."""
    batch = examined.harness.batch(examined.harness.size, examined.harness.time)
    expected = right_rows(examined.harness, batch, examined.true_stack, examined.meant)
    with torch.inference_mode():
        ours = Encoder.of_weights(encoder, weights)(torch.from_numpy(batch.tokens), torch.from_numpy(batch.lengths))
    within = examined.harness.bounds.with_noise(TOLERANCE)
    if expected is None or not _alike(ours.embedding.numpy(), expected, within=within):
        raise SourceError(f"{file} can't be imported: what was read of it computes something else")


def _pooling(file: Path, examined: Examination) -> Pooling:
    model, keys = examined.model, {diagnosis.key for diagnosis in examined.findings.diagnoses}
    if (reason := not_in_the_file(keys)) is not None:
        raise SourceError(f"{file} can't be imported: {reason}")
    if model.vocabulary is None or not isinstance(model, OnnxModel) or model.table is None:
        raise SourceError(f"{file} reads vectors and no ids, or its table of them can't be seen")
    if any(port.role == "state" for port in model.about.inputs):
        raise SourceError(f"{file} takes its initial states as inputs")
    if examined.found is None:
        raise SourceError(
            f"{file}: what its embedding is made of isn't known; bothends doctor {shell_word(file)} tells more"
        )
    if examined.meant not in POOLINGS:
        raise SourceError(f"{file}: its pooling, {examined.found.reading.what}, isn't one that is served")
    return POOLINGS[examined.meant]


def _notes(examined: Examination) -> list[str]:
    """Differences from the file: each mistake that isn't imported, and what users of the file's own vectors lose."""
    mistakes = [
        f"The file makes a mistake, {diagnosis.name}; it isn't imported, so vectors differ from the file's own."
        for diagnosis in examined.findings.diagnoses
    ]
    return [*mistakes, _NO_LONGER_FITS] if mistakes else []


def _table(file: Path, examined: Examination) -> Array:
    """Vectors that the cells read of each id, float32 [ids, features]: the table, or what the graph makes of it."""
    model, harness = examined.model, examined.harness
    ids = np.arange(model.vocabulary or 0)
    batch = harness.batch(harness.size, harness.time, np.full(harness.size, harness.time))
    read, looked_up = harness.vectors(batch), model.look_up(batch.tokens)
    if looked_up is not None and looked_up.shape == read.shape and np.array_equal(looked_up, read):
        table = model.look_up(ids)
        assert table is not None  # noqa: S101  as of the batch
        return table
    made = _read_one_by_one(examined, ids)
    if not np.array_equal(made[batch.tokens], read):
        raise SourceError(f"{file}: what its cells read of a token depends on more than the token")
    return made


def _read_one_by_one(examined: Examination, ids: NDArray[np.int64]) -> Array:
    """Vectors that the cells read of `ids`, in batches of the size and time that the file takes."""
    harness, parts = examined.harness, []
    steps = harness.layout.time or 1
    for start in range(0, len(ids), _IDS_AT_ONCE):
        chosen = ids[start : start + _IDS_AT_ONCE]
        filled = np.resize(chosen, (-(-len(chosen) // steps), steps))
        read = harness.vectors(Batch(filled, np.full(len(filled), steps)))
        parts.append(read.reshape(-1, read.shape[-1])[: len(chosen)])
    return np.concatenate(parts)


def _head(
    file: Path, examined: Examination, width: int, notes: list[str]
) -> tuple[LinearHead | None, dict[str, torch.Tensor]]:
    """Linear layer behind the pooling, if there is one, with its weights. Scaling to length 1 is a caller's option."""
    model, found = examined.model, examined.found
    if found is None or not isinstance(model, OnnxModel) or found.seen.where == model.output.name:
        return None, {}
    rows = np.random.default_rng(0).standard_normal((_TRIED_ROWS, width), dtype=np.float32)
    apply = head_of(examined)
    if _alike(apply(rows), rows):
        return None, {}
    if _alike(apply(rows), rows / np.linalg.norm(rows, axis=1, keepdims=True)):
        notes.append("The file scales its vectors to length 1; here a caller asks for that (normalize).")
        return None, {}
    nodes = between(model.graph, {found.seen.where}, model.output.name)
    last = next(node for node in reversed(nodes) if node.op_type not in _PASSED)
    then = _THEN.get(last.op_type)
    linear = head_of(examined, output=last.input[0]) if then else apply
    bias = linear(np.zeros((1, width), np.float32))[0]
    weight = linear(np.eye(width, dtype=np.float32)) - bias
    with np.errstate(over="ignore"):  # infinite numbers are like nothing
        expected = rows @ weight + bias
    if not _alike(linear(rows), expected):
        raise SourceError(
            f"{file}: what stands behind its pooling isn't a linear layer, with tanh, ReLU or nothing after"
        )
    notes += ["The head was trained on what the mistake reads: measure again."] if examined.findings.diagnoses else []
    made = {"head.linear.weight": torch.from_numpy(weight.T.copy()), "head.linear.bias": torch.from_numpy(bias)}
    return LinearHead(size=len(bias), then=then or "none"), made


def _alike(one: Array, other: Array, *, within: float = TOLERANCE) -> bool:
    if one.shape != other.shape or not np.isfinite(other).all():
        return False
    return bool(np.abs(one - other).max() <= within * max(1.0, np.abs(other).max()))


def _cells(encoder: EncoderConfig, directions: list[Direction]) -> dict[str, torch.Tensor]:
    """Tensors of the cells by our names; `directions` of each layer, forward first."""
    made: dict[str, torch.Tensor] = {}
    for index, one in enumerate(directions):
        layer, backward = divmod(index, encoder.directions)
        whole = layer_name(encoder.cell, layer, is_uneven=encoder.is_uneven) + ("_reverse" if backward else "")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"):
            if (array := getattr(one, name)) is not None:
                made[whole.format(name)] = torch.from_numpy(np.ascontiguousarray(array))
    if encoder.learned_initial_states:
        sizes = {"h_0": encoder.state_size} | ({"c_0": encoder.hidden_size} if encoder.cell == "lstm" else {})
        for name, size in sizes.items():
            rows = [getattr(one, name) for one in directions]
            stacked = np.stack([np.zeros(size, np.float32) if row is None else row for row in rows])
            made[name] = torch.from_numpy(np.asarray(stacked, dtype=np.float32))
    return made
