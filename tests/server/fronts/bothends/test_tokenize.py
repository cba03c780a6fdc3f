"""Tokenize over a real channel: ids, texts and places of what the model reads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import tokenizers

from bothends.errors import QuotaError, SentenceError
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.doors import put, serving
from tests.support.streams import error_of
from tests.support.until import until

TEXTS = [
    "There will be dragons!",
    "unbelievably antidisestablishmentarian",
    "Ünïcödé — naïve café, straße",
    "👩‍👩‍👧‍👦 love 🎉 and 🏳️‍🌈 words",
    "日本語 and 𓀀𓂀 between",
    "e\u0301clair de\u0301ja\u0300 vu",
    "  spaces\t\n around  ",
    "שלום مرحبا",
]
MOST = 256
"""Tokens that the packaged model reads."""


@pytest.fixture
def stub(server: Server) -> Iterator[embedding_pb2_grpc.EmbeddingServiceStub]:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield embedding_pb2_grpc.EmbeddingServiceStub(channel)


def tokenize(stub: embedding_pb2_grpc.EmbeddingServiceStub, *texts: str, **options: Any) -> Any:
    return stub.Tokenize(embedding_pb2.TokenizeRequest(sentences=texts, **options))


def test_tokens_are_the_bundles_tokenizers_own(stub: embedding_pb2_grpc.EmbeddingServiceStub, english: Bundle) -> None:
    """Read by the tokenizers library alone; the version is the one whose ids they are."""
    definition = tokenizers.Tokenizer.from_str(english.tokenizer)
    definition.no_truncation()
    definition.no_padding()
    response = tokenize(stub, *TEXTS)
    assert response.model_version == english.config.version
    for text, found in zip(TEXTS, response.sentences, strict=True):
        expected = definition.encode(text, add_special_tokens=False)
        assert [token.id for token in found.tokens] == expected.ids
        assert [token.text for token in found.tokens] == expected.tokens
        assert [(token.start, token.end) for token in found.tokens] == expected.offsets
        assert not found.truncated


def test_places_count_characters(stub: embedding_pb2_grpc.EmbeddingServiceStub) -> None:
    """Code points of the sentence as it was sent: not bytes, and not UTF-16's halves of an emoji."""
    (sentence,) = tokenize(stub, "🎉🎉 dragons — naïve 𓀀 dragons").sentences
    text = "🎉🎉 dragons — naïve 𓀀 dragons"
    assert [text[token.start : token.end] for token in sentence.tokens if token.text == "dragons"] == ["dragons"] * 2
    assert [(token.start, token.end) for token in sentence.tokens if token.text == "dragons"] == [(3, 10), (21, 28)]
    last = 0
    for token in sentence.tokens:
        assert last <= token.start < token.end <= len(text)
        last = token.start


def test_words_are_cut_into_pieces_whose_places_join(stub: embedding_pb2_grpc.EmbeddingServiceStub) -> None:
    (sentence,) = tokenize(stub, "unbelievably").sentences
    assert len(sentence.tokens) > 1
    assert "".join(token.text.removeprefix("##") for token in sentence.tokens) == "unbelievably"
    ends = [token.end for token in sentence.tokens]
    assert [token.start for token in sentence.tokens] == [0, *ends[:-1]]
    assert ends[-1] == len("unbelievably")


def test_truncation_keeps_either_end(stub: embedding_pb2_grpc.EmbeddingServiceStub) -> None:
    """Places still count from the sentence's own start; Embed reads as many."""
    words = [f"{'dragon' if number % 3 else 'cat'}" for number in range(300)]
    text = " ".join(words)
    for truncation, kept in (
        (embedding_pb2.TRUNCATION_UNSPECIFIED, words[:MOST]),
        (embedding_pb2.TRUNCATION_KEEP_START, words[:MOST]),
        (embedding_pb2.TRUNCATION_KEEP_END, words[-MOST:]),
    ):
        long, short = tokenize(stub, text, "cat", truncation=truncation).sentences
        assert (long.truncated, short.truncated) == (True, False)
        assert [token.text for token in long.tokens] == kept
        assert all(text[token.start : token.end] == token.text for token in long.tokens)
    embedded = stub.Embed(embedding_pb2.EmbedRequest(sentences=[text])).embeddings[0]
    assert (embedded.token_count, embedded.truncated) == (MOST, True)
    with pytest.raises(grpc.RpcError) as raised:
        tokenize(stub, "cat", text, truncation=embedding_pb2.TRUNCATION_ERROR)
    error = error_of(raised.value)
    assert isinstance(error, SentenceError)
    assert (error.index, error.reason) == (1, "has more than the 256 tokens that the model reads")


def test_tokens_are_paid_for_as_embeddings_are(toy_bundle: Bundle, tmp_path: Path) -> None:
    """A key's share is taken by either method, and what was tokenised is in progress no more."""
    key, entry = new("slow")
    put(tmp_path / "keys.toml", f"{entry}sentences_per_s = 0.001\nconcurrent_sentences = 3\n".encode())
    metadata = (("authorization", f"Bearer {key}"),)
    with (
        serving(toy_bundle, api_keys=tmp_path / "keys.toml") as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)

        def refusal(*texts: str) -> Exception:
            with pytest.raises(grpc.RpcError) as raised:
                stub.Tokenize(embedding_pb2.TokenizeRequest(sentences=texts), metadata=metadata)
            return error_of(raised.value)

        assert "4 sentences are more than this key's limit of 3 at once" in str(refusal(*["a"] * 4))
        assert stub.Tokenize(embedding_pb2.TokenizeRequest(sentences=["a"] * 3), metadata=metadata).sentences
        assert isinstance(refusal("a"), QuotaError)
        assert server.service.keys is not None
        ((_, account),) = server.service.keys.known
        until(lambda: account.in_progress == 0)
