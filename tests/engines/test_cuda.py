"""The GPU's side, as far as it shows without one: the bound run, on a CPU, and which shapes are run first."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bothends.engines.arrays import flat, pad
from bothends.engines.contract import TokenIds
from bothends.engines.cuda import run_bound, shapes_to_warm, warm_up
from bothends.engines.onnxruntime import options_for, provider_for
from bothends.errors import DeviceError
from bothends.model.bundle import Bundle
from tests.support.until import TIMEOUT_S


@pytest.fixture(scope="module")
def raw(english: Bundle) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(english.model, options_for("cpu"), providers=[provider_for("cpu")])


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_a_bound_run_gives_the_bytes_of_a_plain_one(
    english: Bundle, raw: onnxruntime.InferenceSession, rows: int
) -> None:
    """Both outputs, ragged; onnxruntime writes into the arrays that are returned."""
    random = np.random.default_rng(rows)
    sentences = [random.integers(0, english.config.vocabulary_size, n).tolist() for n in random.integers(1, 60, rows)]
    token_ids, lengths = pad(*flat(sentences))
    feeds: dict[str, NDArray[Any]] = {"token_ids": token_ids, "lengths": lengths}
    shapes = {"embedding": (rows, english.config.dimension), "h_n": (2, rows, english.config.hidden_size)}
    bound = run_bound(raw, feeds, shapes)
    plain = raw.run(list(shapes), feeds)
    assert [array.tobytes() for array in bound] == [array.tobytes() for array in plain]
    assert run_bound(raw, feeds, {"embedding": shapes["embedding"]})[0].tobytes() == bound[0].tobytes()


def test_a_bound_run_that_fails_says_so(english: Bundle, raw: onnxruntime.InferenceSession) -> None:
    """A length past the padding is onnxruntime's error, not rows of whatever was in memory."""
    feeds: dict[str, NDArray[Any]] = {"token_ids": np.ones((1, 3), np.int64), "lengths": np.array([4], np.int32)}
    with pytest.raises(Exception, match="sequence_lens"):
        run_bound(raw, feeds, {"embedding": (1, english.config.dimension)})


@given(st.integers(1, 3000), st.integers(1, 40_000), st.integers(1, 512), st.data())
def test_no_batch_within_budget_is_larger_than_the_first(
    max_rows: int, max_tokens: int, longest: int, data: st.DataObject
) -> None:
    """The first shape is the widest in rows and in tokens, so its memory is enough; a sentence alone is the last."""
    shapes = list(shapes_to_warm(max_rows=max_rows, max_tokens=max_tokens, longest=longest))
    widest_rows, longest_row = shapes[0]
    length = data.draw(st.integers(1, min(longest, max_tokens)))
    rows = data.draw(st.integers(1, min(max_rows, max_tokens // length)))
    assert rows <= widest_rows
    assert rows * length <= widest_rows * longest_row
    assert shapes[-1] == (1, longest)
    assert shapes == sorted(shapes, key=lambda shape: -shape[0])


def test_a_gpus_defaults_warm_these() -> None:
    """Eleven shapes for a wide encoder, from the widest to a sentence alone."""
    shapes = list(shapes_to_warm(max_rows=1024, max_tokens=16384, longest=256))
    assert shapes[:5] == [(1024, 16), (512, 32), (256, 64), (128, 128), (64, 256)]
    assert shapes[5:] == [(32, 256), (16, 256), (8, 256), (4, 256), (2, 256), (1, 256)]


def test_a_warm_up_runs_as_many_at_once_as_will_run(english: Bundle) -> None:
    """Each batch is run by two threads that have both begun, so that memory for both is had."""
    inside = threading.Barrier(2)

    class Together:
        dimension = 2
        pads = True

        def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
            inside.wait(TIMEOUT_S)
            return np.zeros((len(sentences), 2), dtype=np.float32)

    warm_up(Together(), max_rows=4, max_tokens=8, longest=9, at_once=2)


def test_a_warm_up_that_fails_names_the_settings_to_lower() -> None:
    """A shape that doesn't fit is named before the first request."""

    class TooSmall:
        dimension = 2
        pads = True

        def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
            raise RuntimeError("Available memory is smaller than requested\nand a stack")

    with pytest.raises(DeviceError, match=r"^1 × 4 sentences of 5 tokens .* than requested; lower --max-batch-tokens"):
        warm_up(TooSmall(), max_rows=4, max_tokens=20, longest=9)
