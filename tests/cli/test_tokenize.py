"""`bothends tokenize` shows what a server's Tokenize answers."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bothends.cli.main import main
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.doors import connected
from tests.support.until import TIMEOUT_S

SENTENCES = ["There will be dragons!", "Ünïcödé 漢"]


def tokenize(*words: str) -> Result:
    return CliRunner().invoke(main, ["tokenize", *words])


def test_a_table_shows_tokens_and_their_places() -> None:
    shown = tokenize(SENTENCES[0])
    assert shown.exit_code == 0, shown.output
    first, *rows = shown.stdout.splitlines()
    assert first == f"There will be dragons!: {len(rows)} tokens"
    assert rows[0].split() == ["2045", "there", "0-5"]
    assert rows[-1].split()[1:] == ["!", "21-22"]


@pytest.mark.parametrize("sentence", [*SENTENCES, "word " * 300], ids=["plain", "unicode", "long"])
def test_json_is_what_a_server_answers(server: Server, sentence: str) -> None:
    with connected(server) as channel:
        request = embedding_pb2.TokenizeRequest(sentences=[sentence])
        answer = embedding_pb2_grpc.EmbeddingServiceStub(channel).Tokenize(request, timeout=TIMEOUT_S)
    (expected,) = answer.sentences
    found: dict[str, Any] = json.loads(tokenize("--json", sentence).stdout)
    assert found["truncated"] == expected.truncated
    assert found["tokens"] == [
        {"id": token.id, "text": token.text, "start": token.start, "end": token.end} for token in expected.tokens
    ]
