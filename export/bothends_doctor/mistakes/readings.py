"""Every reading of an LSTM's or GRU's states that doctor can name, correct or mistaken, as a function.

A reading takes `States` and lengths and returns the rows that a model with this mistake would give. B is the batch
size, T the time of the padded batch, D the number of directions, L that of layers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from .recurrence import Array, States

Lengths = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Context:
    """States of one batch, and the sizes that readings need."""

    states: States
    lengths: Lengths
    directions: int

    @property
    def top(self) -> Array:
        """h_n of the top layer, [D, B, state]."""
        return self.states.h_n[-self.directions :]

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Mask of the steps that belong to the sentence, [B, T, 1]."""
        steps = np.arange(self.states.output.shape[1])
        return np.asarray(steps[None, :, None] < self.lengths[:, None, None])

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row numbers, 0 to B - 1."""
        return np.arange(len(self.lengths))


@dataclass(frozen=True, slots=True)
class Reading:
    """Way to make an embedding from the states."""

    key: str
    what: str
    """States that the model reads, as code or in a few words."""
    compute: Callable[[Context], Array | None]
    """Function that returns rows float32 [B, k]; None if the reading isn't applicable to such a stack."""
    meant: str | None = None
    """Key of the correct reading that was meant; None if this one is correct."""
    source: str = "Y"
    """Output of a cell that it reads: Y, Y_h or Y_c."""

    def of(self, directions: int) -> str:
        """Describe the reading for a stack of this many directions."""
        return _FORWARD_ONLY.get(self.what, self.what) if directions == 1 else self.what


_FORWARD_ONLY = {"both ends, cat(h_n[-2], h_n[-1])": "the final state, h_n[-1]"}


def joined(states: Array) -> Array:
    """Reshape [n, B, state] to [B, n·state]."""
    return np.ascontiguousarray(states.transpose(1, 0, 2)).reshape(states.shape[1], -1)


def _step(index: int, context: Context) -> Array:
    return context.states.output[:, index]


def _max(context: Context) -> Array:
    return np.asarray(np.where(context.counts, context.states.output, -np.inf).max(axis=1), dtype=np.float32)


def _mean(context: Context) -> Array:
    total = np.where(context.counts, context.states.output, 0).sum(axis=1, dtype=np.float32)
    return np.asarray(total / context.lengths[:, None], dtype=np.float32)


def _final(context: Context) -> Array:
    return joined(context.top)


def _both(context: Context) -> Array | None:
    return context.top.sum(axis=0) if context.directions == 2 else None


def _half_of_both(context: Context) -> Array | None:
    return context.top.mean(axis=0) if context.directions == 2 else None


def _at_end(context: Context) -> Array:
    return context.states.output[context.rows, context.lengths - 1]


def _first_and_last(context: Context) -> Array | None:
    return np.concatenate((context.states.output[:, 0], _at_end(context)), axis=1)


def _all_layers(context: Context) -> Array:
    return joined(context.states.h_n)


def _sum(context: Context) -> Array:
    return np.asarray(np.where(context.counts, context.states.output, 0).sum(axis=1), dtype=np.float32)


_POOLINGS: dict[str, Callable[[Context], Array]] = {"final_states": _final, "max": _max, "mean": _mean}


def _concatenated(names: tuple[str, ...], context: Context) -> Array:
    return np.concatenate([_POOLINGS[name](context) for name in names], axis=1)


RIGHT = (
    Reading("final_states", "both ends, cat(h_n[-2], h_n[-1])", _final, source="Y_h"),
    Reading("max", "max over the sentence's steps", _max),
    Reading("mean", "mean over the sentence's steps", _mean),
    Reading("sum", "the sum over the sentence's steps", _sum),
    Reading("all_layers", "the final states of all layers", _all_layers, source="Y_h"),
    Reading("sum_of_ends", "h_n[-2] + h_n[-1]", _both, source="Y_h"),
    Reading("mean_of_ends", "the mean of h_n[-2] and h_n[-1]", _half_of_both, source="Y_h"),
    Reading("first_and_last", "cat(output[:, 0], output[:, len-1])", _first_and_last),
    *(
        Reading("+".join(names), " and ".join(names) + ", joined", partial(_concatenated, names))
        for count in (2, 3)
        for names in permutations(_POOLINGS, count)
    ),
)  # fmt: skip
"""Readings that are right of a packed run. The first is the one that most encoders mean."""


def _swapped(context: Context) -> Array | None:
    return joined(context.top[::-1]) if context.directions == 2 else None


def _first_layers(context: Context) -> Array | None:
    layers = len(context.states.h_n) // context.directions
    return joined(context.states.h_n[: context.directions]) if layers > 1 else None


def _first_two(context: Context) -> Array | None:
    """cat(h_n[0], h_n[1]) or h_n[0], where neither is the top layer's."""
    if context.directions == 1 and len(context.states.h_n) > 2:
        return joined(context.states.h_n[:2])
    return None


def _viewed(count: int | None, context: Context) -> Array | None:
    states = context.states.h_n if count is None else context.top
    if len(states) == 1:
        return None
    return np.ascontiguousarray(states).reshape(states.shape[1], -1)


def _only(direction: int, context: Context) -> Array | None:
    return context.top[direction] if context.directions == 2 else None


def _cells(context: Context) -> Array | None:
    cells = context.states.c_n
    return None if cells is None else joined(cells[-context.directions :])


def _max_of_all(context: Context) -> Array:
    return np.asarray(context.states.output.max(axis=1), dtype=np.float32)


def _mean_of_all(context: Context) -> Array:
    return np.asarray(context.states.output.mean(axis=1), dtype=np.float32)


def _sum_of_all(context: Context) -> Array:
    return np.asarray(context.states.output.sum(axis=1), dtype=np.float32)


def _sorted(context: Context) -> Array:
    """Rows sorted by length, longest first, and left so."""
    return joined(context.top[:, np.argsort(-context.lengths, kind="stable")])


MISTAKES = (
    Reading("last_step", "output[:, -1]", partial(_step, -1), "final_states"),
    Reading("step_before_padding", "output[:, len-1]", _at_end, "final_states"),
    Reading("first_step", "output[:, 0]", partial(_step, 0), "final_states"),
    Reading("swapped_halves", "cat(h_n[-1], h_n[-2])", _swapped, "final_states", "Y_h"),
    Reading("padding_in_max", "max over all steps, padding too", _max_of_all, "max"),
    Reading("padding_in_mean", "mean over all steps, padding too", _mean_of_all, "mean"),
    Reading("wrong_layer", "h_n of the first layer", _first_layers, "final_states", "Y_h"),
    Reading("wrong_layer", "cat(h_n[0], h_n[1]) of two layers", _first_two, "final_states", "Y_h"),
    Reading("viewed_h_n", "h_n.view(batch, -1)", partial(_viewed, None), "all_layers", "Y_h"),
    Reading("viewed_h_n", "h_n[-2:].view(batch, -1)", partial(_viewed, 2), "final_states", "Y_h"),
    Reading("one_direction", "h_n[-1], the backward state only", partial(_only, 1), "final_states", "Y_h"),
    Reading("one_direction", "h_n[-2], the forward state only", partial(_only, 0), "final_states", "Y_h"),
    Reading("cell_state", "c_n, the cells' state", _cells, "final_states", "Y_c"),
    Reading("rows_left_sorted", "h_n in the order of lengths", _sorted, "final_states", "Y_h"),
    Reading("sum_of_all", "the sum over all steps, padding too", _sum_of_all, "sum"),
)  # fmt: skip


def right(key: str) -> Reading:
    """Return the correct reading with this key."""
    return next(reading for reading in RIGHT if reading.key == key)


def constant_steps(time: int) -> Iterator[Reading]:
    """Yield readings of output[:, k] for every k except the first and the last."""
    for index in range(1, time - 1):
        yield Reading("constant_step", f"output[:, {index}]", partial(_step, index), "final_states")


def _last_of_batch(context: Context) -> Array:
    return np.ascontiguousarray(context.states.output[-1])


def _last_of_time(context: Context) -> Array:
    return np.ascontiguousarray(context.states.output[:, -1])


OF_SWAPPED = (
    Reading("batch_time_mixed", "output[:, -1] of cells that run along the batch", _last_of_batch, "final_states"),
    Reading("batch_time_mixed", "output[-1] of cells that run along the batch", _last_of_time, "final_states"),
)
"""Readings of a run in which T sentences have B tokens."""
