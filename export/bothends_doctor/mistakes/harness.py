"""Runs a model of unknown axes and sizes: finds which axis is which, which sizes run, and what may be padding."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import DoctorError, RunFailedError
from ..models.model import Activation, Batch, Layout, Model, Tokens
from .match import Bounds
from .recurrence import Array

SENTENCES = 6
TIME = 9
_LENGTHS = (4, 9, 1, 6, 2, 7)
"""Lengths of the sentences: not sorted, one as long as the batch, one of a single token."""
_MAX_TRIED = 10
_MAX_SENTENCES = 64


@dataclass(frozen=True, slots=True)
class Harness:
    """Model with a layout in which it runs."""

    model: Model
    layout: Layout
    random: np.random.Generator
    pad: int | None = None
    """Id that the model itself treats as padding; None if there is none."""
    bounds: Bounds = field(default_factory=Bounds)

    def tokens(self, size: int, time: int) -> Tokens:
        """Return `size` random sentences of `time` steps, without padding."""
        return tokens(self.model, self.random, size, time, without=self.pad)

    def batch(self, size: int, time: int, lengths: NDArray[np.int64] | None = None) -> Batch:
        """Return `size` random sentences of these lengths (by default different ones, up to `time`), padded to `time`
        steps with random tokens or the pad token.
        """
        ends = ragged(size, time) if lengths is None else lengths
        return self.repad(Batch(self.tokens(size, time), ends))

    def repad(self, batch: Batch) -> Batch:
        """Return the same sentences with other padding."""
        if self.pad is not None:
            return batch.padded_by(np.full_like(batch.tokens, self.pad))
        return batch.padded_by(self.tokens(len(batch), batch.time))

    @property
    def size(self) -> int:
        """Number of sentences in the first batch to try."""
        return self.layout.batch if self.layout.batch and self.layout.batch > 1 else SENTENCES

    @property
    def time(self) -> int:
        """Number of time steps in the first batch to try."""
        return self.layout.time or TIME

    @property
    def needs_no_padding(self) -> bool:
        """True if the model takes one sentence at a time, of any length."""
        return self.layout.batch == 1 and self.layout.time is None

    def run(self, batch: Batch) -> list[Activation]:
        """Return the file's rows for all sentences, run in batches of the one size that the model supports.

        Raises RunFailedError.
        """
        if self.layout.time and batch.time != self.layout.time:
            raise RunFailedError(f"it takes {self.layout.time} steps only")
        size = self.layout.batch or len(batch)
        parts = []
        for start in range(0, len(batch), size):
            chosen = (np.arange(start, start + size)) % len(batch)
            seen = self.model.run(batch.rows(chosen), batch_axis=self.layout.batch_axis)
            if seen[-1].rows.ndim != 2 or len(seen[-1].rows) != size:
                raise RunFailedError(f"its output has the shape {list(seen[-1].rows.shape)}, not a row a sentence")
            kept = min(size, len(batch) - start)
            parts.append([Activation(one.where, one.rows[:kept], one.sources) for one in seen])
        return [
            Activation(same[0].where, np.concatenate([one.rows for one in same]), same[0].sources)
            for same in zip(*parts, strict=True)
        ]

    def vectors(self, batch: Batch) -> Array:
        """Return the vectors that the recurrent layers read for these tokens, [batch, time, features]. Any batch size
        works.

        Raises DoctorError for a NaN, which PyTorch and ONNX Runtime treat differently.
        """
        size = self.layout.batch or len(batch)
        if self.pad is not None:  # what has none is of full length, so that nothing sorts it
            batch = batch.padded_by(self.tokens(len(batch), batch.time))
        parts = []
        for start in range(0, len(batch), size):
            chosen = (np.arange(start, start + size)) % len(batch)
            read = self.model.vectors(batch.rows(chosen), batch_axis=self.layout.batch_axis)
            if not np.isfinite(read).all():
                raise DoctorError(f"{self.model.about.path}: its table of embeddings holds NaN or infinite numbers")
            parts.append(read[: min(size, len(batch) - start)])
        return np.concatenate(parts)


def tokens(model: Model, random: np.random.Generator, size: int, time: int, *, without: int | None = None) -> Tokens:
    """Return `size` random sentences of `time` steps, without padding: ids [size, time], or vectors [size, time,
    features]. The id `without` isn't among them.
    """
    if model.vocabulary is None:
        return random.standard_normal((size, time, model.features), dtype=np.float32)
    ids = random.integers(0, model.vocabulary, size=(size, time))
    return ids if without is None else np.where(ids == without, (without + 1) % model.vocabulary, ids)


def ragged(size: int, time: int) -> NDArray[np.int64]:
    """Return `size` lengths from 1 to `time`, int64 [size]; `time` is always among them, since PyTorch cuts a padded
    batch to its longest sentence.
    """
    scaled = [max(1, round(length * time / TIME)) for length in _LENGTHS]
    lengths = np.array(list(itertools.islice(itertools.cycle(scaled), size)))
    lengths[min(1, size - 1)] = time
    return lengths


def find_layout(model: Model, random: np.random.Generator) -> Harness:
    """Find a layout and sizes with which the model runs. Raises DoctorError with the last reason why it doesn't."""
    reasons = []
    for layout, size, time in _trials(model):
        ends = ragged(size, time)
        try:
            seen = model.run(Batch(tokens(model, random, size, time), ends), batch_axis=layout.batch_axis)
        except RunFailedError as error:
            reasons.append(str(error))
            continue
        rows = seen[-1].rows
        if not np.isfinite(rows).all():
            raise DoctorError(f"{model.about.path}: its output holds NaN or infinite numbers")
        if rows.ndim == 2 and len(rows) == size:
            return _fit(Harness(model, layout, random))
        reasons.append(
            f"its output has the shape {list(rows.shape)} for {size} sentences of {time} tokens, not a row for each; "
            "an encoder that returns every step leaves the pooling to its caller, where doctor can't "
            "see it (--output names another output)"
        )
    if (other := model.alternative()) is not None:
        with suppress(DoctorError):  # the first guess's reason says more
            return find_layout(other, random)
    shape = [reason for reason in reasons if reason.startswith("its output")]
    raise DoctorError(f"{model.about.path}: it couldn't be run: {(shape or reasons)[0]}")


def _trials(model: Model) -> Iterator[tuple[Layout, int, int]]:
    first, second = model.declared
    axes = _likely_axes(model)
    for axis in axes:
        batch, time = (first, second) if axis == 0 else (second, first)
        yield Layout(axis, batch, time), batch or SENTENCES, time or TIME
    likely = [number for number in model.numbers if number <= _MAX_SENTENCES][:_MAX_TRIED]
    for axis in axes:
        batch, time = (first, second) if axis == 0 else (second, first)
        for size in [batch] if batch else [SENTENCES, *likely]:
            for steps in [time] if time else [TIME, *(number for number in likely if number > 1)]:
                frozen = Layout(axis, None if size == SENTENCES else size, None if steps == TIME else steps)
                yield frozen, size, steps


def _likely_axes(model: Model) -> Sequence[int]:
    """The likely axes of the batch in the tokens, likeliest first: by a name that lengths share, else batch first."""
    by_role = {port.role: port for port in model.about.inputs}
    lengths = by_role.get("lengths")
    if lengths and lengths.shape and by_role["tokens"].shape and lengths.shape[0] == by_role["tokens"].shape[1]:
        return (1, 0)
    return (0, 1)


def _fit(harness: Harness) -> Harness:
    """Find the id, if any, by which a model without lengths recognises padding."""
    model = harness.model
    told = {port.role for port in model.about.inputs} & {"lengths", "mask"}
    if told or model.vocabulary is None or harness.layout.time:
        return harness
    for pad in dict.fromkeys((0, 1, model.vocabulary - 1)):
        padding = Harness(model, harness.layout, harness.random, pad)
        if _ignores_padding(padding):
            return padding
    return harness


def _ignores_padding(harness: Harness) -> bool:
    batch = harness.batch(harness.size, harness.time)
    try:
        together = harness.run(batch)[-1].rows
        alone = np.concatenate([harness.run(batch.alone(row))[-1].rows for row in range(len(batch))])
    except RunFailedError:
        return False
    return bool(np.abs(together - alone).max() <= 1e-5)
