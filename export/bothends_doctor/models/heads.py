"""Guesses a module's head from its other parameters, if no graph shows what follows the pooling."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from ..mistakes.recurrence import Array
from .model import Head

_NONE = "none"
_EPSILON = 1e-12
"""Smallest norm that is divided by, as in torch.nn.functional.normalize."""
_MAX_LINEARS = 6


def guesses(others: Mapping[str, Array]) -> tuple[Head, ...]:
    """Return guesses of what comes after the pooling: nothing, unit length, and each linear layer or two of them, with
    their usual activations. `others` are the file's tensors beside the recurrent layers', by name.
    """
    after: dict[str, Callable[[Array], Array]] = {
        "": lambda rows: rows,
        " and tanh": np.tanh,
        " and ReLU": partial(np.maximum, 0),
        " and unit length": _unit,
    }
    names = [name for name, array in others.items() if array.ndim == 2][:_MAX_LINEARS]
    linears = {
        name: partial(_linear, others[name].T, others.get(name.removesuffix("weight") + "bias")) for name in names
    }
    heads = [Head(_NONE, after[""]), *(Head(what.removeprefix(" and "), then) for what, then in after.items() if what)]
    for name, linear in linears.items():
        width = others[name].shape[1]
        heads += [Head(name + what, partial(_then, linear, then), width) for what, then in after.items()]
        for second, other in linears.items():
            if second == name or others[second].shape[1] != others[name].shape[0]:
                continue
            for between, middle in after.items():
                first = partial(_then, partial(_then, linear, middle), other)
                what = f"{name}{between}, {second}"
                heads += [Head(what + last, partial(_then, first, then), width) for last, then in after.items()]
    return tuple(heads)


def _linear(weight: Array, bias: Array | None, rows: Array) -> Array:
    made = rows @ weight
    return made if bias is None else made + bias


def _then(first: Callable[[Array], Array], second: Callable[[Array], Array], rows: Array) -> Array:
    return second(first(rows))


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _EPSILON), dtype=np.float32)
