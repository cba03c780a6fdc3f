"""The whole path without a wire: what in-process callers rely on, and fronts build on."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.core.embedder import Embedder
from bothends.core.inputs import InputReader
from bothends.core.loaded import LoadedModel
from bothends.engines import native
from bothends.engines.contract import TokenIds
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import DrainingError, RequestError, SentenceError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.observe.metrics import Metrics
from bothends.settings import EmbedderSettings
from tests.support.until import until

LONG = ["word " * 250] * 400
NATIVE = pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")


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


def test_a_long_list_is_cut_into_runs_that_do_not_take_long(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have their turn between two of them; its rows are those of each sentence alone."""
    tokens, run = list[int](), LoadedModel.run

    def noted(model: LoadedModel, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        if model is embedder.model:  # others of this process may prove themselves meanwhile
            tokens.append(sum(map(len, sentences)))
        return run(model, sentences)

    monkeypatch.setattr(LoadedModel, "run", noted)
    sentences = [f"{number} " + "dragons " * 256 for number in range(32)]
    rows = embedder.embed(sentences).rows
    assert sum(tokens) == 32 * 256
    assert max(tokens) <= 1024
    assert rows[7].tobytes() == embedder.embed([sentences[7]]).rows.tobytes()


def test_a_models_reader_is_made_once(english: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call costs no reader of its own; a model that takes over has another."""
    made = []

    class CountedReader(InputReader):
        def __init__(self, *args: Any) -> None:
            made.append(args)
            super().__init__(*args)

    monkeypatch.setattr("bothends.core.embedder.InputReader", CountedReader)
    with Embedder.load(english, settings=EmbedderSettings(device="cpu", workers=1)) as embedder:
        for _ in range(3):
            embedder.embed(["there will be dragons"])
            embedder.tokenise(["there will be dragons"])
        assert len(made) == 1
        embedder.serve(embedder.model)
        assert len(made) == 2


def test_a_caller_that_leaves_frees_the_queue_at_once(embedder: Embedder, metrics: Metrics) -> None:
    """A caller that waits in its own way cancels the future that it was given."""
    _, rows = embedder.begin(LONG)
    assert queued(metrics) > 0
    assert rows.cancel()
    assert queued(metrics) == 0


class CountingSession(OnnxRuntimeEngine):
    """The real engine, which notes how many rows each run has."""

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.rows = [*getattr(self, "rows", []), len(sentences)]
        return super().run(sentences)


@pytest.mark.parametrize(
    ("device", "settings", "widest"), [("cpu", {}, 16), ("cuda", {}, 200), ("cuda", {"max_batch_rows": 9}, 9)]
)
def test_batches_are_as_wide_as_is_good(english: Bundle, device: str, settings: dict[str, int], widest: int) -> None:
    """Batches are small on a CPU, up to the token budget on a GPU; settings win. (The engine is a CPU's.)"""
    session = CountingSession(english, device="cpu")
    session.device = device
    tokenizer = Tokenizer(english.tokenizer, max_tokens=english.config.max_tokens, source=english.path)
    model = LoadedModel(english, tokenizer, session)
    loaded = Embedder(model, settings=EmbedderSettings(**settings), metrics=Metrics())
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


@pytest.mark.parametrize("engine", ["onnxruntime", pytest.param("native", marks=NATIVE)])
def test_a_closed_embedder_leaves_no_thread_in_a_model_run(english: Bundle, metrics: Metrics, engine: str) -> None:
    """A process that ended while a thread is inside one would abort, whatever it had to say."""
    settings = EmbedderSettings.load({"device": "cpu", "engine": engine, "workers": "2", "max_sentences": "500"}, {})
    others = set(threading.enumerate())
    loaded = Embedder.load(english, settings=settings, metrics=metrics)
    loaded.begin(LONG)
    until(lambda: (metrics.registry.get_sample_value("bothends_queue_sentences") or 0) < len(LONG))
    loaded.close(timeout_s=0)
    left = {thread.name for thread in set(threading.enumerate()) - others}
    assert not {name for name in left if name.startswith("bothends-worker")}
