"""The whole path without a wire: what in-process callers rely on, and fronts build on."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.core.embedder import Embedder
from bothends.core.loaded import LoadedModel
from bothends.engines.contract import TokenIds
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import DeadlineError, DrainingError, RequestError, SentenceError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.observe.metrics import Metrics
from bothends.settings import EmbedderSettings

LONG = ["word " * 250] * 400


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def embedder(english: Bundle, metrics: Metrics) -> Iterator[Embedder]:
    with Embedder.load(
        english, settings=EmbedderSettings(device="cpu", workers=1, max_sentences=500), metrics=metrics
    ) as loaded:
        yield loaded


def queued(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("bothends_queue_sentences") or 0.0


def test_word_order_counts(embedder: Embedder) -> None:
    """The same words in another order are another sentence; the same sentence is the same bytes."""
    rows = embedder.embed(["there will be dragons", "dragons will be there", "there will be dragons"]).rows
    assert rows[0].tobytes() == rows[2].tobytes()
    assert not np.allclose(rows[0], rows[1], atol=1e-2)


def test_the_model_says_so_of_meaning(embedder: Embedder) -> None:
    """A paraphrase is nearer than another topic: the packaged model has learnt something."""
    rows = embedder.embed(
        ["A man is playing a guitar.", "Someone plays the guitar.", "The stock market fell sharply on Monday."]
    ).rows
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.3


def test_a_deadline_that_passes_frees_the_queue_at_once(embedder: Embedder, metrics: Metrics) -> None:
    """The caller is told in time, and nothing of its request waits any longer."""
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        embedder.embed(LONG, timeout_s=0.3)
    assert time.monotonic() - started < 5  # all of it takes longer than that on one worker
    assert queued(metrics) == 0


def test_a_caller_that_leaves_frees_the_queue_at_once(embedder: Embedder, metrics: Metrics) -> None:
    """Whoever waits in its own way cancels the future that it was given."""
    _, rows = embedder.begin(LONG)
    assert queued(metrics) > 0
    assert rows.cancel()
    assert queued(metrics) == 0


def test_begin_and_finish_are_embed(embedder: Embedder) -> None:
    """The two halves give the same bytes as the whole."""
    accepted, rows = embedder.begin(["there will be dragons"])
    found = embedder.finish(accepted, rows.result(10))
    assert found.rows.tobytes() == embedder.embed(["there will be dragons"]).rows.tobytes()
    assert (found.token_counts, found.truncated) == ([4], [False])


class CountingSession(OnnxRuntimeEngine):
    """The real engine; it notes how many rows each run has."""

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.rows = [*getattr(self, "rows", []), len(sentences)]
        return super().run(sentences)


@pytest.mark.parametrize(
    ("device", "settings", "widest"), [("cpu", {}, 16), ("cuda", {}, 200), ("cuda", {"max_batch_rows": "9"}, 9)]
)
def test_batches_are_as_wide_as_the_device_likes(
    english: Bundle, device: str, settings: dict[str, str], widest: int
) -> None:
    """Small on a CPU, up to the token budget on a GPU; what the settings say wins. (The engine is a CPU's.)"""
    session = CountingSession(english, device="cpu")
    session.device = device
    tokenizer = Tokenizer(english.tokenizer, max_tokens=english.config.max_tokens, source=english.path)
    model = LoadedModel(english, tokenizer, session)
    loaded = Embedder(model, settings=EmbedderSettings.load(settings, {}), metrics=Metrics())
    session.rows = []
    with loaded:
        loaded.embed(["there will be dragons"] * 200)
    assert max(session.rows) == widest


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([], "no sentences"),
        (["a"] * 501, "501 sentences are more than this server's limit of 500"),
        (["a", "\n"], r"sentences\[1\] is empty"),
        (["\x00"], r"sentences\[0\] holds nothing"),
        (["a", "a", "b" * 65_537], r"sentences\[2\] has 65537 characters"),
    ],
)
def test_bad_input_is_named(embedder: Embedder, sentences: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message) as raised:
        embedder.embed(sentences)
    assert isinstance(raised.value, SentenceError) == ("[" in message)


def test_a_closed_embedder_says_so(embedder: Embedder) -> None:
    embedder.close()
    with pytest.raises(DrainingError):
        embedder.embed(["late"])
