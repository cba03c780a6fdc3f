"""`verify` holds for a right bundle and fails for every known way of being wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle
from bothends_export.checkpoint import Checkpoint
from bothends_export.equivalence import verify
from bothends_export.export import export, lift
from tests.support.shapes import SHAPES

from .mutations import (
    Mutation,
    first_step_as_last,
    gates_in_torch_order,
    h_n_of_one_direction_twice,
    last_step_of_y,
    mutated,
    no_initial_states,
    one_token_less,
    padding_in_the_pool,
    swapped_halves,
    without_sequence_lens,
)

MUTATIONS = [
    gates_in_torch_order,
    without_sequence_lens,
    one_token_less,
    last_step_of_y,
    swapped_halves,
    h_n_of_one_direction_twice,
]


@pytest.fixture(params=MUTATIONS, ids=lambda mutation: mutation.__name__)
def wrong_bundle(request: pytest.FixtureRequest, toy_bundle: Bundle, tmp_path: Path) -> Bundle:
    return mutated(toy_bundle, tmp_path, request.param)


SMALL = {
    "lstm",
    "gru",
    "lstm, one way",
    "lstm, max",
    "lstm, head",
    "gru, one way, mean",
    "lstm, projected, max, one way",
}
"""Shapes of SHAPES that together have each kind of part; `slow` has the others."""


@pytest.mark.parametrize(
    "shape",
    [pytest.param(SHAPES[name], id=name, marks=[pytest.mark.slow] * (name not in SMALL)) for name in SHAPES],
)
def test_a_right_bundle_holds(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path, shape: dict[str, Any]
) -> None:
    """Every length, ragged batches and golden sentences within 1e-5, and the same bits alone and batched."""
    _, checkpoint = make_checkpoint(**shape)
    opened = export(checkpoint, tmp_path / "bundle")
    report = verify(opened, checkpoint.encoder)
    assert report.breaches() == []
    assert all(row.same_bits for row in report.rows if row.same_bits is not None)
    assert {row.what for row in report.rows} >= {"length 1", "lengths 33-40", "ragged batch of 64", "golden sentences"}
    assert sum(row.sentences for row in report.rows if row.what.startswith("length")) == opened.config.max_tokens
    assert all((row.forward is not None) == opened.config.has_halves for row in report.rows)


@pytest.mark.parametrize("shape", ["lstm", "lstm, projected, learned states"])
def test_a_right_bundle_holds_without_its_checkpoint(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path, shape: str
) -> None:
    """The encoder that is lifted from a bundle is held to it, also where weights come back to float32's precision."""
    opened = export(make_checkpoint(**SHAPES[shape])[1], tmp_path / "bundle")
    assert verify(opened, lift(opened)).breaches() == []


@pytest.mark.ci
@pytest.mark.brief
@pytest.mark.slow
def test_the_packaged_bundle_holds(english: Bundle) -> None:
    """The model that people get is within 1e-5 of PyTorch; its golden vectors tie it to the trained checkpoint."""
    report = verify(english, lift(english))
    assert report.breaches() == []


def test_a_wrong_graph_fails_against_its_checkpoint(
    wrong_bundle: Bundle, toy_checkpoint: tuple[Path, Checkpoint]
) -> None:
    """Each known mistake breaches a bound."""
    assert verify(wrong_bundle, toy_checkpoint[1].encoder).breaches()


def test_a_wrong_graph_fails_without_its_checkpoint(wrong_bundle: Bundle) -> None:
    """A breach shows where the reference is lifted from the graph itself: the golden vectors are the original's."""
    assert verify(wrong_bundle, lift(wrong_bundle)).breaches()


@pytest.mark.parametrize(
    ("shape", "mutation"),
    [
        ({"pooling": "max"}, padding_in_the_pool),
        ({"pooling": "last_output"}, first_step_as_last),
        ({"learned_initial_states": True}, no_initial_states),
    ],
)
def test_a_wrong_pool_or_state_fails(
    make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path, shape: dict[str, Any], mutation: Mutation
) -> None:
    """Poolings and states that only some encoders have are held to PyTorch, with the checkpoint and without it."""
    _, checkpoint = make_checkpoint(**shape)
    wrong = mutated(export(checkpoint, tmp_path / "right"), tmp_path, mutation)
    assert verify(wrong, checkpoint.encoder).breaches()
    assert verify(wrong, lift(export(checkpoint, tmp_path / "again"))).breaches()


@pytest.mark.brief
def test_the_swap_shows_in_both_halves(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Halves are compared each by itself: the report says which one is wrong."""
    wrong = mutated(toy_bundle, tmp_path, last_step_of_y)
    alone: Any = verify(wrong, lift(toy_bundle)).rows[1]
    assert alone.forward <= 1e-5 < alone.backward


@pytest.mark.brief
def test_a_changed_weight_fails(toy_bundle: Bundle, tmp_path: Path, toy_checkpoint: tuple[Path, Checkpoint]) -> None:
    """One number of one gate, off by 1e-3, is enough."""

    def nudge(model: onnx.ModelProto) -> None:
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "R0")
        array = numpy_helper.to_array(tensor).copy()
        array[1, 5, 3] += 1e-3
        tensor.CopyFrom(numpy_helper.from_array(array, "R0"))

    wrong = mutated(toy_bundle, tmp_path, nudge)
    assert verify(wrong, toy_checkpoint[1].encoder).breaches()
    assert verify(wrong, lift(wrong)).breaches()


class _NotFinite(OnnxRuntimeEngine):
    """Gives a number that is none for one of a batch's sentences."""

    number = np.float32(np.nan)

    def states(
        self, token_ids: NDArray[np.int64], lengths: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        embedding, h_n = super().states(token_ids, lengths)
        embedding, h_n = embedding.copy(), h_n.copy()
        (embedding if self.number != self.number else h_n[-1])[-1, 3] = self.number
        return embedding, h_n


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf], ids=str)
def test_numbers_that_are_none_fail(toy_bundle: Bundle, toy_checkpoint: tuple[Path, Checkpoint], number: float) -> None:
    """NaN is no more than any bound, nor less: each row that has one breaches, and so does the report."""
    engine = _NotFinite(toy_bundle)
    engine.number = np.float32(number)
    report = verify(toy_bundle, toy_checkpoint[1].encoder, engine=engine)
    found = {line.partition(":")[0] for line in report.breaches()}
    assert found == {row.what for row in report.rows} - {"golden sentences"}
    assert f"{number:.1e}".lstrip("-") in report.breaches()[0]


class _TrailingZeros(OnnxRuntimeEngine):
    """Takes the zeros at the end of a row for padding, whatever lengths it is given."""

    def states(
        self, token_ids: NDArray[np.int64], lengths: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        used = np.arange(1, token_ids.shape[1] + 1) * (token_ids != 0)
        return super().states(token_ids, np.maximum(used.max(axis=1), 1).astype(np.int32))


def test_a_graph_that_looks_for_zeros_fails(toy_bundle: Bundle, toy_checkpoint: tuple[Path, Checkpoint]) -> None:
    """Padding holds ids of other tokens, so that one who finds the end of a sentence by zeros goes wrong in a batch."""
    report = verify(toy_bundle, toy_checkpoint[1].encoder, engine=_TrailingZeros(toy_bundle))
    breached = {line.partition(":")[0] for line in report.breaches()}
    assert {row.what for row in report.rows if row.what.startswith("ragged")} <= breached
    assert "length 1" not in breached
