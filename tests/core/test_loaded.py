"""A model on a device: the batches that suit it, and what it refuses to be loaded from."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.core import loaded
from bothends.core.batch_sizes import batching
from bothends.core.loaded import LoadedModel
from bothends.engines.contract import TokenIds
from bothends.engines.fallback import Fallback
from bothends.engines.native_parts import Speeds
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.engines.select import Candidate
from bothends.errors import BundleError, NotServingError, SelfTestError
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle
from bothends.settings import EmbedderSettings

CPU = EmbedderSettings(device="cpu")


def sized(hidden_size: int) -> EncoderConfig:
    return EncoderConfig(vocabulary_size=9, embedding_size=300, hidden_size=hidden_size, layers=1)


def test_a_wide_encoder_gets_wide_batches(english: Bundle) -> None:
    """InferSent's 2048 a direction are 64 MiB a step from memory: shared among more sentences than LASER's 512."""
    narrow, wide = batching(sized(512), "cpu"), batching(sized(2048), "cpu")
    assert batching(english.config, "cpu") == narrow
    assert wide.max_rows > narrow.max_rows
    assert wide.overhead_rows > narrow.overhead_rows


def test_a_gpus_batches_fit_the_model(english: Bundle) -> None:
    """Steps of a narrow encoder are mostly launches, which company shares; a wide one's padding is what costs there."""
    narrow, wide = batching(english.config, "cuda"), batching(sized(2048), "cuda")
    assert batching(sized(512), "cuda") == narrow
    assert (narrow.overhead_rows, wide.overhead_rows) == (100, 20)
    assert narrow.max_tokens > wide.max_tokens
    assert narrow.at_once == wide.at_once == 2
    assert batching(english.config, "cpu").at_once is None


def test_a_gpu_is_warmed_by_as_many_batches_as_will_run_at_once(
    toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch may find the memory that two at once don't, and callers would learn of it."""
    ran: Counter[int] = Counter()

    class Counted(OnnxRuntimeEngine):
        def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
            ran[len(sentences)] += all(set(ids) == {0} for ids in sentences)
            return super().run(sentences)

    engine = Counted(toy_bundle)
    engine.device = "cuda"
    monkeypatch.setattr(loaded, "candidates", lambda *_, **__: [Candidate(engine)])
    LoadedModel.load(toy_bundle, EmbedderSettings(max_batch_rows=64, max_batch_tokens=256))
    assert max(+ran) == 64
    assert set((+ran).values()) == {2}


def test_a_fallback_is_told_at_each_load(
    toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A reload has no banner, so the log says why, what it costs and what to do; nothing where nothing fell back."""
    fallback = Fallback("no native engine", "build one")
    for led in (fallback, None):
        found = Candidate(OnnxRuntimeEngine(toy_bundle), led)
        monkeypatch.setattr(loaded, "candidates", lambda *_, found=found, **__: [found])
        assert LoadedModel.load(toy_bundle, CPU).fallback == led
    cost = Speeds.of_record().computed()
    assert caplog.messages == [f"slow: no native engine; onnxruntime computes {cost}: build one"]


def test_a_model_that_fails_its_self_test_is_not_loaded(toy_bundle: Bundle) -> None:
    """A model is proved on every engine that may serve it; none is served unproved."""
    golden = replace(toy_bundle.golden, embeddings=toy_bundle.golden.embeddings + np.float32(1))
    with pytest.raises(SelfTestError, match="golden sentence"):
        LoadedModel.load(replace(toy_bundle, golden=golden), CPU)


def test_a_tokenizer_of_another_vocabulary_is_refused(toy_bundle: Bundle, english: Bundle) -> None:
    """An id past the table's end would fail whole batches; it is refused at load."""
    with pytest.raises(BundleError, match=r"ids up to \d+, the model a table of"):
        LoadedModel.load(replace(toy_bundle, tokenizer=english.tokenizer), CPU)


def test_a_truncated_tokenizer_is_one_line(toy_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.json is no tokenizer") as refused:
        LoadedModel.load(replace(toy_bundle, tokenizer=toy_bundle.tokenizer[:500]), CPU)
    assert "\n" not in str(refused.value)


def test_a_withdrawn_model_answers_no_more(toy_bundle: Bundle) -> None:
    """A withdrawn model refuses to run, also where others still hold it."""
    model = LoadedModel.load(toy_bundle, CPU)
    assert model.run([[5, 6]]).shape == (1, 32)
    model.withdraw("a test")
    with pytest.raises(NotServingError):
        model.run([[5, 6]])


def test_it_matches_the_bundle_that_it_is_of(toy_bundle: Bundle, make_bundle: Callable[..., Bundle]) -> None:
    """A bundle of the same version and other weights is another."""
    model = LoadedModel.load(toy_bundle, CPU)
    assert model.matches(toy_bundle.config)
    assert not model.matches(make_bundle(seed=7).config)
