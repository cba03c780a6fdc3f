"""Programs as people write them for sentence-transformers run on our encoder and client, but for the loading."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bothends import Client, Encoder
from bothends.embeddings import similarity, similarity_pairwise
from bothends.server.server import Server

SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]


@pytest.fixture(scope="module", params=["encoder", "client"])
def model(request: pytest.FixtureRequest, server: Server) -> Iterator[Encoder | Client]:
    """What takes the place of a SentenceTransformer: a model in this process, or a server's."""
    loaded = Encoder.load(workers=1) if request.param == "encoder" else Client(f"127.0.0.1:{server.port}")
    with loaded:
        yield loaded


def test_sentences_are_encoded_and_compared(model: Encoder | Client) -> None:
    embeddings = model.encode(SENTENCES)
    assert embeddings.shape == (3, model.get_sentence_embedding_dimension())
    similarities = model.similarity(embeddings, embeddings)
    assert similarities.shape == (3, 3)
    assert np.diag(similarities) == pytest.approx(1, abs=1e-5)
    assert similarities[0, 1] > similarities[0, 2]


def test_documents_are_ranked_for_a_query(model: Encoder | Client) -> None:
    """One query is one row, and so are its similarities."""
    documents = ["Venus is the hottest planet.", "Mars is called the red planet.", "Cakes are baked in an oven."]
    query = model.encode_query("Which planet is red?")
    found = model.encode_document(documents, batch_size=2, show_progress_bar=False)
    scores = model.similarity(query, found)[0]
    assert documents[int(scores.argmax())] == "Mars is called the red planet."
    assert int(scores.argmin()) == 2


def test_similarity_is_the_cosine_of_rows_of_any_length() -> None:
    first, second = np.array([[3, 0], [0, 0]], np.float16), np.array([[5, 5], [-1, 0], [0, 2]], np.int8)
    expected = [[1 / np.sqrt(2), -1, 0], [0, 0, 0]]
    np.testing.assert_allclose(similarity(first, second), expected, atol=1e-6)
    np.testing.assert_allclose(similarity_pairwise(first, second[1:]), [-1, 0], atol=1e-6)
    assert similarity(second[0], second[0]) == pytest.approx(1)
    with pytest.raises(ValueError, match="sign bits"):
        similarity(first, np.zeros((1, 2), np.uint8))


def test_similarities_of_tensors_are_tensors() -> None:
    """An evaluator goes on with them in torch."""
    torch = pytest.importorskip("torch")
    rows = np.array([[3, 0], [1, 1]], np.float32)
    for first, second in ((torch.from_numpy(rows), torch.from_numpy(rows)), (rows, torch.from_numpy(rows).half())):
        for compare in (similarity, similarity_pairwise):
            found: Any = compare(first, second)
            assert isinstance(found, torch.Tensor)
            np.testing.assert_allclose(found.numpy(), compare(rows, rows), atol=1e-3)


def test_stores_get_lists_of_numbers(model: Encoder | Client) -> None:
    """LangChain's two names, for rows of length 1."""
    documents = model.embed_documents(SENTENCES)
    assert np.array(documents, np.float32).tobytes() == model.encode(SENTENCES, normalize=True).tobytes()
    assert model.embed_query(SENTENCES[0]) == documents[0]
    assert type(documents[0][0]) is float
    assert model.embed_documents([]) == []


def test_an_evaluator_finds_what_it_asks_for(model: Encoder | Client) -> None:
    """Its evaluators run with the recipes of docs/guides/libraries.md, where it is installed."""
    assert model.similarity_fn_name == "cosine"
    assert model.get_embedding_dimension() == model.get_sentence_embedding_dimension() == 512
    model.model_card_data.set_evaluation_metrics(None, {}, 0, 0)
