"""A text of 5,000 words, read in pieces, has the same bits through every door, is counted, and is bounded."""

import random
from collections.abc import Iterator

import numpy as np
import pytest

from bothends import Client, Encoder, RequestError
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from tests.support.doors import serving
from tests.support.fronts import Ollama, OpenAI, fronts_of, http_of
from tests.support.until import until

WORDS = "there will be dragons where an unbelievableness plays the guitar".split()  # noqa: SIM905
COUNT = 5000
MOST = 256
"""Tokens that the model reads."""


def text_of(words: int) -> str:
    return " ".join(random.Random(words).choices(WORDS, k=words))  # noqa: S311  not a secret


@pytest.fixture(scope="module")
def server(english: Bundle) -> Iterator[Server]:
    with serving(english, http_truncation="pieces") as running:
        yield running


@pytest.fixture(scope="module")
def encoder(english: Bundle) -> Iterator[Encoder]:
    with Encoder.load(english.path, workers=1) as loaded:
        yield loaded


def counted(server: Server) -> float:
    return server.metrics.registry.get_sample_value("bothends_sentences_in_pieces_total", {"model": "english"}) or 0


def test_every_door_gives_the_same_bits(server: Server, encoder: Encoder) -> None:
    """Beside a short text, which stays what it is; the tokens of all of it are counted, and nothing is said to be
    cut.
    """
    texts = ["a man", text_of(COUNT), "dragons"]
    expected = encoder.embed(texts, truncation="pieces", normalize=True)
    tokens = expected.token_counts
    assert tokens[1] > COUNT
    assert np.array_equal(expected.rows[::2], encoder.encode(texts[::2], normalize=True))
    before = counted(server)
    with fronts_of(server) as doors, http_of(server) as http:
        for door in doors:
            unit = {} if isinstance(door, OpenAI | Ollama) else {"normalize": True}
            found = door.ask(texts, truncation="pieces", **unit)
            assert [found.rows[index].tobytes() for index in range(3)] == [row.tobytes() for row in expected.rows]
            assert found.tokens in (tokens, sum(tokens), None)
            assert found.truncated in ([False] * 3, 0)
        unsaid = [
            np.array(list(OpenAI(http).ask(texts).rows.values())),
            np.array(http.post("/embed", json={"inputs": texts}).json()),
            np.array(http.post("/api/embed", json={"input": texts}).json()["embeddings"]),
        ]
        for rows in unsaid:
            assert rows.astype(np.float32).tobytes() == expected.rows.tobytes()
        older = http.post("/api/embeddings", json={"prompt": texts[1]}).json()["embedding"]
        raw = encoder.encode(texts[1], truncation="pieces")
        assert np.array(older, np.float32).tobytes() == raw.tobytes()
    until(lambda: counted(server) == before + len(doors) + len(unsaid) + 1)


@pytest.mark.parametrize("words", [MOST - 1, MOST, MOST + 1, 2 * MOST, 2 * MOST + 1])
def test_a_text_at_the_limit_is_no_other(encoder: Encoder, words: int) -> None:
    """One that fits has the row that it has anyway; one of a token more is read whole."""
    text = " ".join(["dragons"] * words)
    found = encoder.embed([text], truncation="pieces")
    assert (found.token_counts, found.truncated) == ([words], [False])
    if words <= MOST:
        assert np.array_equal(found.rows[0], encoder.encode(text))
    else:
        assert float(np.linalg.norm(found.rows[0])) == pytest.approx(1)


def test_work_is_bounded_by_tokens(english: Bundle) -> None:
    """All that is read of a request counts, where cut texts would have been few."""
    with serving(english, max_request_tokens=3000) as server, Client(f"127.0.0.1:{server.port}") as client:
        texts = [" ".join(["dragons"] * 1000)] * 4
        assert client.embed([texts[0]] * 3, truncation="pieces").token_counts == [1000] * 3
        with pytest.raises(RequestError, match="tokens are more than this server's limit of 3000"):
            client.embed([" ".join(["dragons"] * 3001)], truncation="pieces")
        assert client.embed(texts, truncation="pieces").token_counts == [1000] * 4  # in several requests
