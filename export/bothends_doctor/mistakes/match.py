"""Finds the reading of the states that gives exactly the rows that a file computed for a batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bothends_export.report import OF_NOISE

from ..models.model import Activation, Head, Inspection
from .readings import MISTAKES, OF_SWAPPED, RIGHT, Context, Reading, constant_steps
from .recurrence import Array, States, run

_RIGHT_WITHIN = 2e-5
"""Largest difference, for values up to 1, of what is right: float32 rounds differently from one library to another."""
_MISTAKEN_WITHIN = 1e-4
_IDENTITY = Head("none", lambda rows: rows)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Largest differences, for values up to 1, at which two results count as the same."""

    noise: float = 0.0
    """Difference of float32 from float64, for such weights."""

    def right(self, rows: Array) -> float:
        """Return the largest difference for correct rows."""
        return self._scaled(_RIGHT_WITHIN, rows)

    def mistaken(self, rows: Array) -> float:
        """Return the largest difference for rows that a known mistake gives."""
        return self._scaled(_MISTAKEN_WITHIN, rows)

    def _scaled(self, bound: float, rows: Array) -> float:
        return self.with_noise(bound) * max(1.0, float(np.abs(rows).max()))

    def with_noise(self, bound: float) -> float:
        """Return the bound, or a larger one if numerical noise requires it."""
        return max(bound, OF_NOISE * self.noise)


@dataclass(frozen=True, slots=True)
class Match:
    """A way of making an embedding of the states, right or a known mistake, whose rows equal what the file computed."""

    reading: Reading
    packed: bool
    """True if it reads states that stop at the sentence's end."""
    seen: Activation
    """Place in the file whose rows it gives; `difference` says how nearly."""
    head: Head
    difference: float

    @property
    def is_right(self) -> bool:
        """True if it is correct in every respect."""
        return self.packed and self.reading.meant is None


@dataclass(frozen=True, slots=True)
class Computed:
    """States of one batch, once computed correctly and once in the way in which the file runs its cells."""

    right: Context
    as_run: Context | None
    """States as the file runs its cells; None where these do as they should."""

    swapped: Context | None = None
    """States of cells that take the batch for the time."""

    @classmethod
    def of(cls, inspection: Inspection, vectors: Array, lengths: NDArray[np.int64]) -> "Computed":
        """Compute the states from the file's own weights.

        If it isn't visible which layers use packed sequences, all combinations are tried.
        """
        stack, packed = inspection.stack, inspection.packed
        every = [True] * len(stack.layers)

        def context(states: States) -> Context:
            return Context(states, lengths, stack.directions)

        right = context(run(stack, vectors, lengths, packed=every))
        told = packed if packed is not None else [False] * len(stack.layers)
        as_run = None if all(told) else context(run(stack, vectors, lengths, packed=told))
        if not inspection.swaps_axes and packed is not None:
            return cls(right, as_run)
        turned = np.ascontiguousarray(vectors.swapaxes(0, 1))
        steps = np.full(len(turned), turned.shape[1])
        return cls(right, as_run, context(run(stack, turned, steps, packed=every)))

    def readings(self) -> Iterator[tuple[Reading, bool]]:
        """Yield every reading, of packed states and of unpacked ones."""
        known = (*RIGHT, *MISTAKES, *constant_steps(self.right.states.output.shape[1]))
        yield from ((reading, True) for reading in known)
        if self.as_run is not None:
            yield from ((reading, False) for reading in known)
        if self.swapped is not None:
            yield from ((reading, False) for reading in OF_SWAPPED)

    def rows(self, reading: Reading, *, packed: bool) -> Array | None:
        """Return the rows that a reading gives for this batch; None if it isn't applicable."""
        as_told = self.right if packed else self.as_run
        context = self.swapped if reading in OF_SWAPPED else as_told
        return None if context is None else reading.compute(context)


Observation = tuple[Sequence[Activation], Computed]
"""Rows that the file computed for a batch, and those that PyTorch computed."""


def match(observations: Sequence[Observation], heads: Sequence[Head], bounds: Bounds) -> Match | None:
    """Return the reading that agrees with the file in every batch, at the last observed tensor that any reading fits;
    None if none fits. If several do, it is the correct one, or else the nearest.

    `observations` have each batch's states and the file's rows; `heads` are what may come after the pooling; `bounds`
    say how much rows may differ.
    """
    first, *others = observations
    for index in reversed(first[0]):
        found = [*_fitting(index, first[1], heads or (_IDENTITY,), bounds)]
        for seen, computed in others:
            found = [one for old in found if (one := _still(old, seen, computed, bounds)) is not None]
        if found:
            return min(found, key=lambda one: _preference(one, index, bounds))
    return None


def _preference(found: Match, activation: Activation, bounds: Bounds) -> tuple[bool, bool, bool, float]:
    misread = bool(activation.sources) and found.reading.source not in activation.sources
    far = found.difference > bounds.right(activation.rows)
    return (far or not found.is_right, far, misread, found.difference)


def _fitting(activation: Activation, computed: Computed, heads: Sequence[Head], bounds: Bounds) -> Iterator[Match]:
    for reading, packed in computed.readings():
        rows = computed.rows(reading, packed=packed)
        if rows is None:
            continue
        for head in heads:
            if head.width not in (None, rows.shape[1]):
                continue
            difference = _difference(head.apply(rows), activation.rows)
            if difference <= bounds.mistaken(activation.rows):
                yield Match(reading, packed, activation, head, difference)


def _still(found: Match, seen: Sequence[Activation], computed: Computed, bounds: Bounds) -> Match | None:
    """The match, if it holds of another batch too."""
    rows = computed.rows(found.reading, packed=found.packed)
    index = next((one for one in seen if one.where == found.seen.where), None)
    if rows is None or index is None:
        return None
    difference = _difference(found.head.apply(rows), index.rows)
    if difference > bounds.mistaken(index.rows):
        return None
    return replace(found, difference=max(difference, found.difference))


def _difference(one: Array, other: Array) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else float("inf")
