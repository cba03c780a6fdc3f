"""The native engine as the service uses it: the same bits in every batch, and a run that can be ended."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bothends.core.embedder import Embedder
from bothends.core.loaded import LoadedModel
from bothends.core.selftest import self_test
from bothends.engines import native
from bothends.engines.bounds import promised_cosine
from bothends.engines.contract import TokenIds
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import NotServingError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.options import Precision
from bothends.settings import EmbedderSettings
from tests.support.kinds_of_text import kinds, lowest_cosine
from tests.support.until import eventually

pytestmark = pytest.mark.skipif(not native.is_built(), reason="bothends-native isn't built (make native)")

PRECISIONS: list[Precision] = ["float32", "bf16", "int8"]
SENTENCES = ["there will be dragons", "a", "word " * 300, "Ünïcödé — 漢字 🐉", "dragons will be there " * 9, "dragons"]


@pytest.fixture(scope="module", params=PRECISIONS)
def engine(request: pytest.FixtureRequest, english: Bundle) -> native.NativeEngine:
    return native.NativeEngine(english, precision=request.param)


def test_golden_sentences_are_within_its_tolerance(english: Bundle, engine: native.NativeEngine) -> None:
    """Tolerance in float32 is the bundle's, 1e-5; below, it is far less than what a mistake would be off."""
    tokenizer = Tokenizer(english.tokenizer, max_tokens=english.config.max_tokens, source=english.path)
    found = self_test(english, tokenizer, engine.run, tolerance=engine.tolerance)
    assert found.max_difference <= engine.tolerance <= 0.03
    assert engine.provider.endswith("float32") == (engine.tolerance == english.config.tolerance)


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_below_float32_the_cosine_is_what_is_promised(english: Bundle, precision: Precision) -> None:
    """Text as people write it, and random tokens, are promised it; text that repeats itself is promised nothing."""
    texts = kinds(english, texts=100)
    exact, other = native.NativeEngine(english), native.NativeEngine(english, precision=precision)
    for kind in ("golden sentences", "sentences of docs/", "random tokens"):
        assert lowest_cosine(exact, other, texts[kind]) >= promised_cosine(english.config, precision), kind


@settings(max_examples=30)
@given(st.data())
def test_bits_depend_on_the_sentence_alone(engine: native.NativeEngine, english: Bundle, data: st.DataObject) -> None:
    ids = st.lists(st.integers(0, english.config.vocabulary_size - 1), min_size=1, max_size=60)
    sentences = data.draw(st.lists(ids, min_size=1, max_size=40))
    order = data.draw(st.permutations(range(len(sentences))))
    rows = engine.run(sentences)
    mixed = engine.run([sentences[index] for index in order])
    for index, row in zip(order, mixed, strict=True):
        assert row.tobytes() == rows[index].tobytes() == engine.run([sentences[index]]).tobytes()


@pytest.mark.parametrize(("layers", "hidden_size"), [(1, 20), (3, 64)])
def test_it_agrees_with_onnxruntime(make_bundle: Callable[..., Bundle], layers: int, hidden_size: int) -> None:
    bundle = make_bundle(layers=layers, hidden_size=hidden_size)
    random = np.random.default_rng(layers)
    vocabulary = bundle.config.vocabulary_size
    sentences = [list(map(int, random.integers(0, vocabulary, length))) for length in (1, 2, 7, 40, 3)]
    sentences += [[0], [vocabulary - 1]]
    assert np.abs(native.NativeEngine(bundle).run(sentences) - OnnxRuntimeEngine(bundle).run(sentences)).max() <= 2e-6


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("layers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_verify_holds_it_to_pytorch(make_bundle: Callable[..., Bundle], layers: int, precision: Precision) -> None:
    """The native engine agrees at every length and in ragged batches; another's weights don't pass."""
    pytest.importorskip("torch")
    from bothends_export.equivalence import verify
    from bothends_export.export import lift

    bundle, other = make_bundle(layers=layers), make_bundle(layers=layers, seed=5)
    right, wrong = (native.NativeEngine(of, precision=precision) for of in (bundle, other))
    report = verify(bundle, lift(bundle), engine=right, tolerance=right.tolerance)
    assert report.breaches() == []
    assert all(row.same_bits for row in report.rows if row.same_bits is not None)
    assert verify(bundle, lift(bundle), engine=wrong, tolerance=right.tolerance).breaches()


class _Longer(native.NativeEngine):
    """Gives rows of the right direction that are a fifth too long."""

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = super().run(sentences) * np.float32(1.2)
        return rows


@pytest.mark.parametrize("precision", PRECISIONS)
def test_verify_holds_random_tokens_to_what_is_promised(toy_bundle: Bundle, precision: Precision) -> None:
    """Random tokens below float32 may differ by more than golden sentences do, as long as the cosine is right."""
    pytest.importorskip("torch")
    from bothends_export.equivalence import verify
    from bothends_export.export import lift

    report = verify(toy_bundle, lift(toy_bundle), engine=_Longer(toy_bundle, precision=precision), tolerance=0.03)
    breached = {line.partition(":")[0] for line in report.breaches()}
    assert max(row.largest for row in report.rows) > 0.03
    assert breached == ({row.what for row in report.rows} if precision == "float32" else {"golden sentences"})


@pytest.mark.parametrize(
    ("precision", "times", "recurrent_bytes", "said"),
    [
        (
            "bf16",
            0.5,
            1 << 20,
            "bf16 is no faster than float32 on this processor (0.50 × its products a second)",
        ),
        ("bf16", 2.0, 1 << 20, ""),
        ("bf16", 0.5, 64 << 20, ""),
        ("int8", 4.0, 1 << 20, ""),
        ("float32", 1.0, 1 << 20, ""),
    ],
    ids=["slow", "fast", "wide", "int8", "float32"],
)
def test_a_precision_that_brings_nothing_here_says_so(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    precision: Precision,
    times: float,
    recurrent_bytes: int,
    said: str,
) -> None:
    """One line at start, by what this processor does; of weights from memory, fewer bytes are faster anyway."""
    monkeypatch.setattr(
        "bothends_native.engine.peak", lambda *, level, precision: 1e9 * (1 if precision == "float32" else times)
    )
    native.warn_if_slow(precision, "auto", recurrent_bytes)
    assert [said in message for message in caplog.messages] == [True] * bool(said)


@pytest.mark.timing
def test_a_busy_machine_makes_no_precision_slow() -> None:
    """Where other work takes turns from each measurement, and wants all cores, int8 is as much faster as at rest."""
    from bothends_native.engine import levels

    best: Any = levels()[0]
    at_rest = native.speedup("int8", best)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        beside = [native.speedup("int8", best) for _ in range(3)]
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert min(beside) > 0.8 * at_rest, (at_rest, beside)


def test_a_server_answers_with_the_engines_own_bits(engine: native.NativeEngine, english: Bundle) -> None:
    """Rows agree through tokenizer, queue and batches."""
    precision = engine.provider.rpartition("/")[2]
    asked = EmbedderSettings.load({"device": "cpu", "precision": precision}, {})
    with Embedder.load(english, settings=asked) as embedder:
        rows = embedder.embed(SENTENCES * 20).rows
        ids = [tokens.ids for tokens in embedder.model.tokenizer.encode(SENTENCES)]
    assert rows.tobytes() == np.tile(engine.run(ids), (20, 1)).tobytes()


@pytest.mark.timing
def test_a_run_takes_idle_cores_up_to_the_workers(english: Bundle) -> None:
    """Two workers let a run have a helper, soon: what others computed lately is remembered for a moment."""
    asked = EmbedderSettings(device="cpu", engine="native")
    alone, helped = (LoadedModel.load(english, asked.model_copy(update={"workers": workers})) for workers in (1, 2))

    def helped_s(model: LoadedModel) -> float:
        before = time.process_time() - time.thread_time()
        model.run([[5] * 4000])
        return time.process_time() - time.thread_time() - before

    assert eventually(lambda: helped_s(helped) > 0.001, within_s=60)
    assert helped_s(alone) < 0.001


@pytest.fixture
def embedder(english: Bundle) -> Iterator[Embedder]:
    with Embedder.load(english, settings=EmbedderSettings(device="cpu", engine="native")) as made:
        yield made


@pytest.mark.parametrize(
    "end", [lambda embedder: embedder.model.withdraw("a test"), lambda embedder: embedder.close(timeout_s=0)]
)
def test_a_run_that_goes_on_can_be_ended(embedder: Embedder, end: Callable[[Embedder], None]) -> None:
    """A run that would take minutes ends within a step.

    A withdrawn model answers no request, and a process that ended with a run going on would crash in it.
    """
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(embedder.model.run, [[5] * 4000] * 4000)
        until = time.monotonic() + 30
        while not running.done() and time.monotonic() < until:  # nothing tells when the engine has begun
            end(embedder)
            time.sleep(0.1)
        with pytest.raises(NotServingError):
            running.result(0)
