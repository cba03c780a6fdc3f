"""Golden sentences against a model: what disagrees is refused, and where."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.core.selftest import self_test
from bothends.engines.contract import TokenIds
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import DrainingError, NotServingError, OverloadedError, SelfTestError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer

Run = Callable[[Sequence[TokenIds]], NDArray[np.float32]]


@pytest.fixture(scope="module")
def run(toy_bundle: Bundle) -> Run:
    """The right engine."""
    return OnnxRuntimeEngine(toy_bundle).run


def largest_difference(bundle: Bundle, run: Run) -> float:
    """Self-test `bundle`; returns the largest difference."""
    tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
    return self_test(bundle, tokenizer, run, tolerance=1e-5).max_difference


def test_a_model_that_agrees_passes(toy_bundle: Bundle, run: Run) -> None:
    """The engine is run on each sentence alone, then on all at once."""
    sizes: list[int] = []

    def counted(sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        sizes.append(len(sentences))
        return run(sentences)

    count = len(toy_bundle.golden.sentences)
    assert 0 <= largest_difference(toy_bundle, counted) <= 1e-5
    assert sizes == [1] * count + [count]


def test_golden_vectors_that_disagree_are_refused(toy_bundle: Bundle, run: Run) -> None:
    """A model that doesn't compute what PyTorch computed is refused, whatever its hashes say."""
    embeddings = toy_bundle.golden.embeddings.copy()
    embeddings[3, 20] += 1e-4
    with pytest.raises(SelfTestError, match=r"golden sentence 3, run alone, is 1\.0e-04 off") as refused:
        largest_difference(replace(toy_bundle, golden=replace(toy_bundle.golden, embeddings=embeddings)), run)
    assert refused.value.difference == pytest.approx(1e-4, rel=0.1)


def test_a_batch_that_disagrees_is_refused(toy_bundle: Bundle, run: Run) -> None:
    """An engine that is right of sentences alone may be wrong of their batch."""

    def drifting(sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        return run(sentences) + np.float32(0.5 if len(sentences) > 1 else 0)

    with pytest.raises(SelfTestError, match=r"run in a batch, is 5\.0e-01 off"):
        largest_difference(toy_bundle, drifting)


def test_a_precision_that_does_not_suit_a_model_is_named(toy_bundle: Bundle, run: Run) -> None:
    """Its bound is wider than a bundle's own, and what to try is said."""
    tokenizer = Tokenizer(toy_bundle.tokenizer, max_tokens=toy_bundle.config.max_tokens, source=toy_bundle.path)
    said = r"3e-02 is allowed in int8, which may not suit this model: try --precision float32$"
    with pytest.raises(SelfTestError, match=said):
        self_test(toy_bundle, tokenizer, lambda ids: run(ids) + np.float32(0.04), tolerance=3e-2, precision="int8")


def test_small_embeddings_are_judged_by_their_direction_too(toy_bundle: Bundle, run: Run) -> None:
    """Numbers of a hundredth are all within int8's tolerance of each other, whatever they are; float32's is finer."""
    small = replace(toy_bundle, golden=replace(toy_bundle.golden, embeddings=toy_bundle.golden.embeddings * 0.01))
    tokenizer = Tokenizer(toy_bundle.tokenizer, max_tokens=toy_bundle.config.max_tokens, source=toy_bundle.path)

    def test(precision: str, noise: float) -> None:
        draw = np.random.default_rng(0).normal(size=toy_bundle.config.dimension).astype(np.float32)
        rows = small.golden.embeddings.std() * np.float32(noise) * draw
        self_test(small, tokenizer, lambda ids: run(ids) * np.float32(0.01) + rows, tolerance=3e-2, precision=precision)

    test("int8", 0.01)
    said = (
        r"golden sentence \d+, run alone, has the cosine 0\.\d+ to PyTorch's embedding; 0\.9995\d is promised in int8,"
    )
    with pytest.raises(SelfTestError, match=said):
        test("int8", 0.2)
    with pytest.raises(SelfTestError, match=r"has the cosine 0\.00000 to"):
        self_test(small, tokenizer, lambda ids: np.zeros_like(run(ids)), tolerance=3e-2, precision="int8")


def test_golden_nans_are_refused(toy_bundle: Bundle, run: Run) -> None:
    """NaN compares false with everything; it must not pass for agreement."""
    embeddings = toy_bundle.golden.embeddings.copy()
    embeddings[0, 0] = np.nan
    with pytest.raises(SelfTestError):
        largest_difference(replace(toy_bundle, golden=replace(toy_bundle.golden, embeddings=embeddings)), run)


def test_golden_tokens_that_disagree_are_refused(toy_bundle: Bundle, run: Run) -> None:
    """A tokenizer that cuts words otherwise is told apart from a model that computes otherwise."""
    ids = [[1, *sentence[1:]] for sentence in toy_bundle.golden.token_ids]
    with pytest.raises(SelfTestError, match="other tokens"):
        largest_difference(replace(toy_bundle, golden=replace(toy_bundle.golden, token_ids=ids)), run)


def test_a_tokenizer_that_breaks_on_golden_sentences_is_the_bundles_fault(toy_bundle: Bundle, run: Run) -> None:
    """The bundle is named, not the engine."""
    tokenizer = json.loads(toy_bundle.tokenizer)
    tokenizer["model"]["unk_token"] = "[NONE]"  # noqa: S105  a token of text, which isn't in the vocabulary, so that an unknown word has no id
    unknown = replace(toy_bundle.golden, sentences=["龍" * len(text) for text in toy_bundle.golden.sentences])
    with pytest.raises(SelfTestError, match="toy: its tokenizer can't read the golden sentences"):
        largest_difference(replace(toy_bundle, tokenizer=json.dumps(tokenizer), golden=unknown), run)


def test_rows_of_another_width_are_refused(toy_bundle: Bundle, run: Run) -> None:
    """Rows that can't be compared are a failure, not an error of NumPy's."""
    with pytest.raises(SelfTestError, match=r"gives rows of shape \(3,\)"):
        largest_difference(toy_bundle, lambda sentences: run(sentences)[:, :3])


@pytest.mark.parametrize(
    "error", [OverloadedError("full", retry_after_s=1), NotServingError("no"), DrainingError("no")]
)
def test_a_queue_without_room_says_nothing_of_the_model(toy_bundle: Bundle, error: Exception) -> None:
    """Refusals of the queue pass through; anything else that is raised is the model's failure."""

    def refusing(sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        raise error

    def broken(sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        raise MemoryError("secret")

    with pytest.raises(type(error)) as raised:
        largest_difference(toy_bundle, refusing)
    assert raised.value is error
    with pytest.raises(SelfTestError, match="can't run its golden sentences"):
        largest_difference(toy_bundle, broken)
