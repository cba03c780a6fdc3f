"""No engine holds a number that isn't finite, and whoever brings one is told where it stands."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from bothends.engines import cuda, native
from bothends.engines.native import NativeEngine
from bothends.engines.onnx_sound import sound_graph
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import BundleError
from bothends.model.bundle import Bundle
from tests.support.shapes import SHAPES
from tests.support.unsound import WORD, rare_row, with_number

ENGINES = [
    pytest.param(
        NativeEngine,
        marks=pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)"),
    ),
    OnnxRuntimeEngine,
]
NUMBERS = pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
each_engine = pytest.mark.parametrize("engine", ENGINES)


def spoilt(bundle: Bundle, number: float, place: tuple[int, ...], tensor: str = "embedding.weight") -> Bundle:
    return replace(bundle, model=with_number(bundle.model, number, tensor=tensor, place=place))


@NUMBERS
@each_engine
@pytest.mark.parametrize("dtype", [np.float16, np.float32], ids=str)
def test_a_rare_words_row_is_named(
    make_bundle: Callable[..., Bundle], engine: type, dtype: type[np.floating[Any]], number: float
) -> None:
    """The line says which file, number, row and word, and what to do."""
    bundle = make_bundle(dtype=dtype)
    row = rare_row(bundle)
    with pytest.raises(BundleError) as refused:
        engine(spoilt(bundle, number, (row, 3)))
    assert str(refused.value) == (
        f"{bundle.path}/model.onnx holds {number} in embedding.weight, row {row}, of the token {WORD!r}: no engine "
        "serves it; export the bundle anew from weights that are all finite"
    )


@NUMBERS
@each_engine
@pytest.mark.parametrize(
    ("tensor", "place", "at"), [("W0", (0, 0, 0), 0), ("R0", (1, 63, 15), 2047), ("B0", (1, 2), 130)]
)
def test_a_weight_or_a_bias_is_named(
    toy_bundle: Bundle, engine: type, tensor: str, place: tuple[int, ...], at: int, number: float
) -> None:
    """Whatever golden sentences would say: the tensor and the number's place in it."""
    with pytest.raises(BundleError, match=rf"model\.onnx holds {number} in {tensor}, number {at}: no engine"):
        engine(spoilt(toy_bundle, number, place, tensor))


@each_engine
def test_the_last_of_many_numbers_is_looked_at(english: Bundle, engine: type) -> None:
    """A table of millions is looked at in pieces, to its end."""
    with pytest.raises(BundleError, match=r"holds nan in embedding\.weight, row 30521, of the token '##～'"):
        engine(spoilt(english, np.nan, (-1, -1)))


def test_a_gpus_model_is_looked_at_before_the_gpu(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA too nothing is placed before its numbers are known."""

    def reached() -> None:
        raise AssertionError("CUDA was asked for")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [cuda.PROVIDER])
    monkeypatch.setattr(cuda, "prepare", reached)
    with pytest.raises(BundleError, match=r"holds inf in embedding\.weight, row"):
        OnnxRuntimeEngine(spoilt(toy_bundle, np.inf, (rare_row(toy_bundle), 0)), device="cuda")


def test_a_row_that_no_token_has_is_no_exception(toy_bundle: Bundle, english: Bundle) -> None:
    """A table with more rows than there are tokens is refused too, though no text leads there."""
    with pytest.raises(BundleError, match="row 30521, which is no token's: no engine"):
        sound_graph(replace(spoilt(english, np.nan, (-1, -1)), tokenizer=toy_bundle.tokenizer))


def test_a_token_that_no_terminal_should_show_is_made_printable(toy_bundle: Bundle) -> None:
    """Who writes a bundle writes its tokens."""
    hostile = toy_bundle.tokenizer.replace(f'"{WORD}"', r'"\u001b[31m"')
    with pytest.raises(BundleError, match="of the token '\N{REPLACEMENT CHARACTER}") as refused:
        sound_graph(replace(spoilt(toy_bundle, np.nan, (rare_row(toy_bundle), 0)), tokenizer=hostile))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("number", [65504, -65504, 6e-8, 0.0, -0.0])
def test_the_largest_and_the_smallest_halves_are_numbers(toy_bundle: Bundle, number: float) -> None:
    """All that float16 can hold but NaN and the infinities is taken."""
    sound_graph(spoilt(toy_bundle, number, (3, 3)))


@pytest.mark.parametrize("number", [np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal])
def test_the_largest_and_the_smallest_floats_are_numbers(toy_bundle: Bundle, number: float) -> None:
    """All that float32 can hold but NaN and the infinities is taken."""
    sound_graph(spoilt(toy_bundle, number, (0, 3, 3), "R0"))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_export_writes_is_sound(make_bundle: Callable[..., Bundle], toy_bundle: Bundle, shape: str) -> None:
    """Also where a maximum is filled up with an infinity."""
    bundle = make_bundle(**SHAPES[shape])
    assert len(sound_graph(bundle).node) == len(onnx.load_from_string(bundle.model).graph.node)


@pytest.mark.parametrize(("pooling", "number"), [("max", np.nan), ("max", np.inf), ("mean", -np.inf)])
def test_only_a_maximum_is_filled_up_with_an_infinity(
    make_bundle: Callable[..., Bundle], pooling: str, number: float
) -> None:
    """Another infinity in its place, or that one where a mean is made, is refused."""
    with pytest.raises(BundleError, match=f"holds {number} in filling, number 0"):
        OnnxRuntimeEngine(spoilt(make_bundle(pooling=pooling), number, (), "filling"))


@pytest.mark.parametrize("dims", [[], [0], [-1, 12], [2**62, 12], [2**31]], ids=str)
def test_sizes_that_make_no_sense_break_nothing(toy_bundle: Bundle, dims: list[int]) -> None:
    """Who writes a tensor's sizes wrong is told of a number's place all the same, and of bytes that are left over by
    the engine.
    """
    model = onnx.load_from_string(with_number(toy_bundle.model, np.nan, place=(2, 0)))
    table = model.graph.initializer[0]
    table.dims[:] = dims
    with pytest.raises(BundleError, match=r"holds nan in embedding\.weight, number 24"):
        sound_graph(replace(toy_bundle, model=model.SerializeToString()))
    table.raw_data = toy_bundle.model[:1]
    with pytest.raises(BundleError, match=r"model\.onnx"):
        OnnxRuntimeEngine(replace(toy_bundle, model=model.SerializeToString()))


def test_it_takes_no_more_memory_than_reading_the_model_does(english: Bundle) -> None:
    """A table is looked at piece by piece."""
    tracemalloc.start()
    try:
        sound_graph(english)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1.1 * len(english.model)
