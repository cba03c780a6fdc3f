"""Models that are lent to native code: what Python computes for it, and what it takes together."""

import numpy as np
import pytest

from bothends.batching.budgets import Budgets
from bothends.core.lent import CalledModel, lend
from bothends.core.loaded import LoadedModel
from bothends.engines import native
from bothends.engines.arrays import flat
from bothends.model.bundle import Bundle
from bothends.settings import EmbedderSettings

BUDGETS = Budgets(max_batch_rows=4, max_batch_tokens=64, max_queue_tokens=1000, overhead_rows=1.5)
SENTENCES = [[5], [6, 7, 8, 9, 10, 11, 12], [8], [9, 10, 11, 12, 5, 6, 7], [6], [7], [9], [10, 5]]


@pytest.fixture
def model(toy_bundle: Bundle) -> LoadedModel:
    return LoadedModel.load(toy_bundle, EmbedderSettings(device="cpu", engine="onnxruntime"))


def test_all_rows_are_written_in_the_order_given(model: LoadedModel) -> None:
    """Bits of each are those of its sentence alone, whatever batches they are run in; each batch is told of once."""
    called = CalledModel(model, BUDGETS)
    rows = np.full((len(SENTENCES), model.dimension), np.nan, dtype=np.float32)
    assert called(*flat(SENTENCES), rows)
    assert rows.tobytes() == b"".join(model.run([sentence]).tobytes() for sentence in SENTENCES)
    ran = [(record.rows, record.tokens, record.padded_tokens) for record in called.records()]
    assert ran == [(2, 14, 14), (1, 2, 2), (4, 4, 4), (1, 1, 1)]
    assert called.records() == []


def test_a_model_that_was_withdrawn_answers_nothing(model: LoadedModel) -> None:
    called = CalledModel(model, BUDGETS)
    model.withdraw("a test says so")
    assert not called(*flat([[5]]), np.empty((1, model.dimension), dtype=np.float32))


def test_what_goes_wrong_is_raised(model: LoadedModel) -> None:
    """Who called it leaves the sentences to Python, where the one to blame is found."""
    with pytest.raises(Exception, match="out of data bounds"):
        CalledModel(model, BUDGETS)(*flat([[5], [10**6]]), np.empty((2, model.dimension), dtype=np.float32))


def test_an_engine_that_is_called_takes_more_together(model: LoadedModel) -> None:
    """Two batches' worth at least, of which those of like length run together; no fewer than others take."""
    for few, together in ((2, 8), (16, 16)):
        lent = lend(model, BUDGETS, max_together=few, short_bytes=100, max_runs=3)
        assert lent is not None
        assert (lent.encoder, lent.called is not None) == (None, True)
        assert (lent.max_together, lent.max_bytes_together, lent.max_runs) == (together, 128, 3)


@pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")
def test_an_engine_that_lends_itself_is_not_called(toy_bundle: Bundle) -> None:
    model = LoadedModel.load(toy_bundle, EmbedderSettings(device="cpu", engine="native"))
    lent = lend(model, BUDGETS, max_together=16, short_bytes=4096, max_runs=2)
    assert lent is not None
    assert (lent.encoder is not None, lent.called, lent.max_together) == (True, None, 16)
