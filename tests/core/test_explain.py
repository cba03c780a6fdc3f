"""Explanations of an embedding: the states are PyTorch's, the two ends are the embedding, and nothing else is."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from bothends.core.embedder import Embedder
from bothends.core.explain import Explanation, Parts, explain
from bothends.errors import DeadlineError, NotServingError, RequestError
from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle
from bothends.settings import EmbedderSettings
from bothends_export.checkpoint import Checkpoint
from bothends_export.encoder import Encoder
from bothends_export.export import export
from bothends_export.graph import weights_of

pytestmark = pytest.mark.brief

SENTENCES = [
    "there will be dragons",
    "A man is playing a guitar on the street.",
    "a",
    "no dragons",
    "the woman sings " * 12,
]


@pytest.fixture(scope="module")
def embedder(english: Bundle) -> Iterator[Embedder]:
    with Embedder.load(english, settings=EmbedderSettings(device="cpu", workers=1)) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def encoder(english: Bundle) -> Encoder:
    """The packaged model in PyTorch, its weights lifted from the graph that is served."""
    config = english.config
    sizes = EncoderConfig(
        vocabulary_size=config.vocabulary_size,
        embedding_size=config.embedding_size,
        hidden_size=config.hidden_size,
        layers=config.layers,
    )
    weights = weights_of(onnx.load_from_string(english.model), sizes)
    return Encoder.of_weights(
        sizes, {name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.items()}
    )


def output(encoder: Encoder, explanation: Explanation) -> NDArray[np.float32]:
    """PyTorch's `output` of the sentence, alone: float32 [tokens, 2·hidden]."""
    with torch.inference_mode():
        states, _ = encoder.get_submodule("lstm")(encoder.embedding(torch.tensor(explanation.pieces.ids)))
    return np.asarray(states)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_states_are_those_of_pytorch(embedder: Embedder, encoder: Encoder, sentence: str) -> None:
    """Parts of a sentence, embedded, are `output` of the whole."""
    explanation = explain(sentence, embedder)
    expected = output(encoder, explanation)
    assert explanation.output.shape == expected.shape
    assert np.abs(explanation.output - expected).max() < 1e-5


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_two_ends_are_the_embedding(embedder: Embedder, sentence: str) -> None:
    """Both ends are states of the whole sentence, to the bit: its embedding doesn't depend on its batch."""
    (row,) = embedder.embed([sentence]).rows
    assert explain(sentence, embedder).embedding.tobytes() == row.tobytes()


def test_what_is_taken_for_the_embedding(embedder: Embedder, encoder: Encoder) -> None:
    """Each candidate and its cosines, worked out from PyTorch's own output."""
    explanation = explain(SENTENCES[1], embedder)
    states = torch.from_numpy(output(encoder, explanation))
    half = states.shape[1] // 2
    right = torch.cat((states[-1, :half], states[0, half:]))
    expected = {
        "embedding": right,
        "output[-1]": states[-1],
        "output[0]": states[0],
        "mean": states.mean(0),
        "max": states.max(0).values,
    }
    assert list(explanation.candidates) == list(expected)
    for name, vector in expected.items():
        found = explanation.closeness(explanation.candidates[name])
        for part, value in (
            (slice(None), found.whole),
            (slice(half), found.forward),
            (slice(half, None), found.backward),
        ):
            cosine = torch.nn.functional.cosine_similarity(vector[part], right[part], dim=0)
            assert value == pytest.approx(float(cosine), abs=1e-5), name


def test_tokens_stand_where_the_sentence_has_them(embedder: Embedder) -> None:
    """Texts are the vocabulary's, places the sentence's, in characters."""
    pieces = explain("Où sont les Dragons?", embedder).pieces
    assert pieces.texts == ["ou", "son", "##t", "les", "dragons", "?"]
    assert ["Où sont les Dragons?"[start:end] for start, end in pieces.places] == [
        "Où",
        "son",
        "t",
        "les",
        "Dragons",
        "?",
    ]


def test_a_deeper_model_is_refused(make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path) -> None:
    """No part of a sentence has the states of its upper layer: to show others would be to mislead."""
    deep = export(make_checkpoint(layers=2)[1], tmp_path / "deep")
    with (
        Embedder.load(deep, settings=EmbedderSettings(device="cpu")) as embedder,
        pytest.raises(RequestError, match="toy has 2 layers; only a model of one layer can be explained"),
    ):
        explain("there will be dragons", embedder)


def test_what_costs_too_much_is_refused_before_it_is_embedded(english: Bundle) -> None:
    """Each token is two sequences but one; the server's limits are theirs."""
    with (
        Embedder.load(english, settings=EmbedderSettings(device="cpu", max_sentences=6)) as embedder,
        pytest.raises(
            RequestError, match=r"has 4 tokens, to explain which 7 sequences would be embedded; .* limit is 6"
        ),
    ):
        explain("there will be dragons", embedder)


def test_nobody_who_has_gone_is_tokenised_for(embedder: Embedder) -> None:
    with pytest.raises(DeadlineError):
        Parts.of(SENTENCES[0], embedder, deadline=time.monotonic())
    with pytest.raises(DeadlineError):
        Parts.of(SENTENCES[0], embedder, is_over=lambda: True)


def test_states_of_two_models_are_never_mixed(embedder: Embedder) -> None:
    """Tokens of one version and states of the next would explain nothing."""
    parts = Parts.of(SENTENCES[0], embedder)
    found = embedder.embed(parts.sequences)
    with pytest.raises(NotServingError, match="a newer model took over"):
        Parts(parts.pieces, "older").explained(found)


def test_as_json_shows_some_numbers_or_all(embedder: Embedder) -> None:
    """Numbers are evenly chosen, the first and the last of each half among them."""
    explanation = explain(SENTENCES[0], embedder)
    some, whole = explanation.as_json(numbers=32), json.loads(json.dumps(explanation.as_json()))
    assert some["numbers"] == {"shown": 32, "of": 256}
    assert len(some["output"][2]["backward"]) == 32
    assert some["output"][2]["backward"][0] == pytest.approx(float(explanation.backward[2, 0]), abs=1e-6)
    assert some["output"][2]["backward"][-1] == pytest.approx(float(explanation.backward[2, -1]), abs=1e-6)
    np.testing.assert_allclose([state["forward"] for state in whole["output"]], explanation.forward, atol=1e-6)
    assert whole["candidates"]["embedding"]["cosine"] == {"whole": 1, "forward": 1, "backward": 1}
    assert [token["text"] for token in whole["tokens"]] == ["there", "will", "be", "dragons"]
    assert {token["unknown"] for token in whole["tokens"]} == {False}
