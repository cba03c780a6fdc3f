"""Builds Keras models, and writes each to a folder in all of Keras's formats, with what Keras makes of sentences.

A program of its own: Keras warns of itself, and its backend is chosen once for a process.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

warnings.simplefilter("ignore")

import keras  # noqa: E402  after warnings are off
from keras import layers as kl  # noqa: E402

LENGTHS = (1, 2, 5, 9, 31)
WORDS = 40


def ids() -> np.ndarray:
    """[5, 31]: row i is the sentence of LENGTHS[i] tokens, and more. Row 0 of the table is Keras's padding."""
    return np.random.default_rng(5).integers(1, WORDS, (len(LENGTHS), max(LENGTHS)))


def sequential(*layers: Any, mask: bool = True, size: int = 6) -> Any:
    return keras.Sequential([kl.Input((None,), dtype="int32"), kl.Embedding(WORDS, size, mask_zero=mask), *layers])


def functional(*layers: Any) -> Any:
    whole = sequential(*layers)
    given = kl.Input((None,), dtype="int32")
    reached = given
    for layer in whole.layers:
        reached = layer(reached)
    return keras.Model(given, reached)


def both(kind: str, units: int = 4, **options: Any) -> Any:
    inner = {name: options.pop(name) for name in ("merge_mode", "backward_layer") if name in options}
    return kl.Bidirectional(getattr(kl, kind)(units, **options), **inner)


SEQUENCES = {"return_sequences": True}
MAPPED: dict[str, Callable[[], Any]] = {
    "bilstm": lambda: sequential(both("LSTM")),
    "bigru": lambda: sequential(both("GRU", dropout=0.2), kl.Dropout(0.3)),
    "lstm-without-bias": lambda: sequential(kl.LSTM(5, use_bias=False), mask=False),
    "gru-without-bias": lambda: functional(kl.GRU(5, use_bias=False, return_sequences=True), kl.GlobalMaxPooling1D()),
    "stacked-mean": lambda: functional(
        kl.SpatialDropout1D(0.1),
        both("LSTM", **SEQUENCES),
        kl.Dropout(0.1),
        both("LSTM", **SEQUENCES),
        kl.GlobalAveragePooling1D(),
    ),
    "max-tanh": lambda: sequential(both("GRU", **SEQUENCES), kl.GlobalMaxPooling1D(), kl.Dense(3, activation="tanh")),
    "projected-norm": lambda: sequential(
        kl.Dense(7, use_bias=False), both("LSTM"), kl.Dense(5), kl.LayerNormalization(epsilon=1e-2)
    ),
    "projected-bare-norm": lambda: sequential(
        kl.Dense(7), both("LSTM"), kl.Dense(5, use_bias=False), kl.LayerNormalization(scale=False)
    ),
    "relu-layer": lambda: functional(both("GRU"), kl.Dense(5), kl.Activation("relu")),
    "reset-before": lambda: sequential(both("GRU", reset_after=False)),
    "two-widths": lambda: sequential(both("LSTM", **SEQUENCES), both("LSTM", 5)),
    "reset-before-widths": lambda: sequential(
        kl.GRU(6, reset_after=False, **SEQUENCES),
        kl.GRU(3, reset_after=False, use_bias=True, **SEQUENCES),
        kl.GlobalMaxPooling1D(),
    ),
    "own-backward": lambda: sequential(both("LSTM", backward_layer=kl.LSTM(4, go_backwards=True, name="other"))),
}


def branched() -> Any:
    given = kl.Input((None,), dtype="int32")
    vectors = kl.Embedding(WORDS, 6)(given)
    return keras.Model(given, kl.Concatenate()([kl.LSTM(4)(vectors), kl.LSTM(4, go_backwards=True)(vectors)]))


def shared() -> Any:
    given = kl.Input((None,), dtype="int32")
    cells = kl.LSTM(6, return_sequences=True)
    return keras.Model(given, cells(cells(kl.Embedding(WORDS, 6)(given))))


def own_mask() -> Any:
    """Tokens after the word 3 count, whatever the embedding says."""
    given = kl.Input((None,), dtype="int32")
    return keras.Model(given, kl.LSTM(4)(kl.Embedding(WORDS, 6)(given), mask=keras.ops.not_equal(given, 3)))


class Subclassed(keras.Model):  # type: ignore[misc]  # Keras has no types
    """Layers as attributes: its config says nothing of them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = kl.Embedding(WORDS, 6)
        self.cells = kl.LSTM(4)

    def call(self, given: Any) -> Any:
        return self.cells(self.embedding(given))


REFUSED: dict[str, Callable[[], Any]] = {
    "relu-cell": lambda: sequential(both("LSTM", activation="relu")),
    "hard-sigmoid": lambda: sequential(kl.LSTM(4, recurrent_activation="hard_sigmoid")),
    "sum": lambda: sequential(both("LSTM", merge_mode="sum")),
    "backwards": lambda: sequential(kl.LSTM(4, go_backwards=True)),
    "stateful": lambda: keras.Sequential(
        [kl.Input((None,), batch_size=1, dtype="int32"), kl.Embedding(WORDS, 6), kl.LSTM(4, stateful=True)]
    ),
    "other-backward": lambda: sequential(both("LSTM", backward_layer=kl.LSTM(5, go_backwards=True))),
    "simple": lambda: sequential(kl.SimpleRNN(4)),
    "simple-both": lambda: sequential(both("SimpleRNN")),
    "two-kinds": lambda: sequential(both("LSTM", **SEQUENCES), both("GRU", 5)),
    "sequences": lambda: sequential(both("LSTM", **SEQUENCES)),
    "sequences-dense": lambda: sequential(both("LSTM", **SEQUENCES), kl.Dense(3)),
    "softmax": lambda: sequential(both("LSTM"), kl.Dense(3, activation="softmax")),
    "two-dense": lambda: sequential(both("LSTM"), kl.Dense(3), kl.Dense(2)),
    "batch-norm": lambda: sequential(both("LSTM"), kl.BatchNormalization()),
    "tanh-before": lambda: sequential(kl.Dense(7, activation="tanh"), both("LSTM")),
    "keepdims": lambda: sequential(both("LSTM", **SEQUENCES), kl.GlobalMaxPooling1D(keepdims=True)),
    "rms-norm": lambda: sequential(both("LSTM"), kl.Dense(3), kl.LayerNormalization(rms_scaling=True)),
    "no-table": lambda: keras.Sequential([kl.Input((None, 6)), both("LSTM")]),
    "no-cells": lambda: sequential(kl.GlobalMaxPooling1D()),
    "branched": branched,
    "shared": shared,
    "own-mask": own_mask,
    "subclassed": Subclassed,
}


def write(name: str, model: Any, folder: Path) -> None:
    model.save(folder / f"{name}.keras")
    if name not in MAPPED:
        return
    model.compile("adam", "mse")  # its optimizer's numbers are in the files too
    model.optimizer.build(model.trainable_variables)
    for weight in model.weights:
        if "seed" not in weight.name:
            weight.assign(np.random.default_rng(len(name)).normal(size=weight.shape) * 0.6)
    model.save(folder / f"{name}.keras")
    model.save(folder / f"{name}.h5")
    model.save_weights(folder / f"{name}.weights.h5")
    (folder / f"{name}.json").write_text(model.to_json(), encoding="utf-8")
    alone = [np.asarray(model(row[:length][None]).detach()) for row, length in zip(ids(), LENGTHS, strict=True)]
    np.save(folder / f"{name}.npy", np.concatenate(alone))


def main() -> None:
    for name, make in (MAPPED | REFUSED).items():
        keras.utils.set_random_seed(3)
        model = make()
        if name == "subclassed":  # the others are built by their Input
            model(ids()[:1])
        write(name, model, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
