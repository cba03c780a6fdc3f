"""Texts without a word: the same answer by every path, whatever the model's tokenizer makes of odd spaces."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from bothends.wire.status import from_status
from tests.support.doors import connected, serving
from tests.support.streams import Stream, error_of, request
from tests.support.until import TIMEOUT_S

SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""Unicode's White_Space."""
SEPARATORS = "\x1c\x1d\x1e\x1f"
"""Spaces to Python, and none to Unicode."""
UNSEEN = (
    "\0\b\x1b\x7f\xad\u034f\u061c\u115f\u1160\u17b4\u180e\u200b\u200c\u200d\u200e\u2060\u2800\u3164\ufeff\uffa0\ufffc"
)
"""Characters that show nothing, or nothing much."""
TEXTS = [text for character in SPACES + SEPARATORS + UNSEEN for text in (character, character * 3, f" {character}\t")]
TEXTS += ["", SPACES, SEPARATORS, UNSEEN, SPACES + SEPARATORS, "\x1c \u200b", "\x1ca", "a\x1fb", "\u3164a"]


@pytest.fixture(scope="module")
def untouched(make_bundle: Callable[..., Bundle], toy_tokenizer: str) -> Iterator[Server]:
    """A server whose model's tokenizer leaves every character where it is."""
    definition = json.loads(toy_tokenizer)
    definition["normalizer"]["clean_text"] = False
    with serving(make_bundle(tokenizer=json.dumps(definition))) as running:
        yield running


@pytest.fixture(params=["clean_text", "not clean_text"])
def asked(request: pytest.FixtureRequest) -> Server:
    """A server of the packaged model, whose tokenizer drops what isn't seen; then one of another that doesn't."""
    found: Server = request.getfixturevalue("server" if request.param == "clean_text" else "untouched")
    return found


def embedded(channel: grpc.Channel, text: str, **options: Any) -> str | bytes:
    """Return a vector's bytes, or why there is none."""
    stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
    try:
        response = stub.Embed(embedding_pb2.EmbedRequest(sentences=[text], **options), timeout=TIMEOUT_S)
    except grpc.RpcError as raised:
        return str(error_of(raised))
    found: bytes = response.embeddings[0].SerializeToString()
    return found


def streamed(channel: grpc.Channel) -> dict[str, str | bytes]:
    """Return the same of all texts, each a message of one stream."""
    with Stream(channel) as stream:
        stream.send(*map(request, TEXTS))
        items = [response.items[0] for response in stream.rest()]
    return {
        text: str(from_status(item.error)) if item.HasField("error") else item.embedding.SerializeToString()
        for text, item in zip(TEXTS, items, strict=True)
    }


def test_every_path_answers_alike(asked: Server) -> None:
    """Embed without an option, of which Python may see nothing, with one, and a stream; spaces are no sentence."""
    with connected(asked) as channel:
        plain = {text: embedded(channel, text) for text in TEXTS}
        chosen = {text: embedded(channel, text, truncation=embedding_pb2.TRUNCATION_KEEP_START) for text in TEXTS}
        assert plain == chosen
        assert plain == streamed(channel)
    told = "sentences[0] is empty; a sentence needs at least one word"
    assert {text for text, found in plain.items() if found == told} == {text for text in TEXTS if not text.strip()}
