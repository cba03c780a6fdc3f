"""Sentences and keys are in no log, metric or error, whichever way a request is refused."""

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status

from bothends.server.keys import new
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.serving import Running, finish, start
from tests.support.transports import IS_NATIVE
from tests.support.until import TIMEOUT_S

SENTENCE = "canarysentence"
WRONG_KEY = "bothends_canarywrongkey"
INTERNALS = ("Traceback", ".py", "site-packages", "bothends.", "Error:", "/tmp", "/root", "/home")  # noqa: S108


@dataclass
class Guarded:
    """A server that logs all it can, its keys, and all that it answered."""

    running: Running
    key: str
    slow_key: str
    told: list[str] = field(default_factory=list)

    def refused(self, request: bytes, *, method: str = "Embed", key: str | None = None, **options: Any) -> str:
        """Make a call that is refused; return the status' code, and keep all else that it says."""
        metadata = (*options.pop("metadata", ()), ("authorization", f"Bearer {key or self.key}"))
        path = f"/bothends.v1.EmbeddingService/{method}"
        with (
            grpc.insecure_channel(self.running.target) as channel,
            pytest.raises(grpc.RpcError) as raised,
        ):
            channel.unary_unary(path, bytes, bytes)(request, metadata=metadata, **options)
        error = raised.value
        self.told += [error.details() or "", str(rpc_status.from_call(error)), str(error.trailing_metadata())]
        return str(error.code().name)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    file = tmp_path_factory.mktemp("secrets") / "keys.toml"
    (key, entry), (slow_key, slow_entry) = new("canary"), new("slow")
    file.write_text(f"{entry}{slow_entry}sentences_per_s = 0.01\n")
    running = start(
        *("--log-level", "debug", "--api-keys", str(file), "--metrics", "keys"),
        *("--max-sentences", "3", "--max-message-bytes", "10000"),
        max_sentence_chars=100,
        max_request_tokens=50,
        max_header_bytes=2048,
    )
    yield Guarded(running, key, slow_key)
    finish(running)


def of(*sentences: str) -> bytes:
    return embedding_pb2.EmbedRequest(sentences=sentences).SerializeToString()


def test_nothing_leaks(guarded: Guarded) -> None:
    """Requests are refused in every way, and one is served; all that the server wrote names no secret."""
    embed_once(guarded, guarded.key)
    embed_once(guarded, guarded.slow_key)
    refusals = {
        "UNAUTHENTICATED": guarded.refused(of(SENTENCE), key=WRONG_KEY),
        "RESOURCE_EXHAUSTED": guarded.refused(of(SENTENCE), key=guarded.slow_key),
        "INVALID_ARGUMENT": guarded.refused(of(SENTENCE, SENTENCE * 9)),
        "UNIMPLEMENTED": guarded.refused(of(SENTENCE), method=SENTENCE),
    }
    assert all(code == expected for expected, code in refusals.items()), refusals
    for request in (of(SENTENCE, ""), of(*[SENTENCE] * 4), of(SENTENCE + "!" * 60),
                    b"\xff\xff" + SENTENCE.encode(), b"\x0a\x0f\xc3\x28" + SENTENCE.encode()):  # fmt: skip
        assert guarded.refused(request) == "INVALID_ARGUMENT"
    assert guarded.refused(of(SENTENCE * 1000)) == "RESOURCE_EXHAUSTED"
    assert guarded.refused(of(SENTENCE), metadata=[("x", SENTENCE * 200)]) == "RESOURCE_EXHAUSTED"
    pages = [
        ask(guarded, "/metrics", {"Authorization": f"Bearer {WRONG_KEY}"}),
        ask(guarded, "/metrics", {"Authorization": f"Basic {guarded.key}"}),
        ask(guarded, "/metrics", {"Authorization": f"Bearer {guarded.key}"}),
        ask(guarded, f"/{SENTENCE}?{WRONG_KEY}", {"X": SENTENCE}),
        ask(guarded, "/readyz", {"X": SENTENCE * 200}),
    ]
    # uvicorn's bound is on headers that haven't come whole.
    assert [status for status, _ in pages] == [401, 401, 200, 404, 431 if IS_NATIVE else 200]
    posts = [
        post(guarded, [SENTENCE], key=WRONG_KEY),
        post(guarded, [SENTENCE], key=guarded.slow_key),
        post(guarded, [SENTENCE], user=SENTENCE),
        post(guarded, [SENTENCE, ""], user=SENTENCE),
        post(guarded, [SENTENCE, 1]),
        post(guarded, SENTENCE + "\ud800"),
        post(guarded, SENTENCE, dimensions=SENTENCE, encoding_format=SENTENCE, truncation=SENTENCE),
        post(guarded, SENTENCE, model=[SENTENCE]),
        post(guarded, {SENTENCE: SENTENCE}),
        post(guarded, SENTENCE * 1000),
    ]
    assert [status for status, _ in posts] == [401, 429, 200, *[400] * 6, 413]
    pages += [(status, text) for status, text in posts if status != 200]
    send_garbage(guarded, SENTENCE.encode())
    guarded.running.process.terminate()
    out, err = guarded.running.process.communicate(timeout=TIMEOUT_S)
    assert '"refused":' in err  # debug it was
    for secret in (SENTENCE, WRONG_KEY, guarded.key, guarded.slow_key, guarded.key.removeprefix("bothends_")):
        for text in (out, err, *guarded.told, *(text for _, text in pages)):
            assert secret not in text
    for text in (*guarded.told, *(text for status, text in pages if status != 200)):
        assert not [word for word in INTERNALS if word in text.replace("bothends.v1", "")], text


def embed_once(guarded: Guarded, key: str) -> None:
    with grpc.insecure_channel(guarded.running.target) as channel:
        embedding_pb2_grpc.EmbeddingServiceStub(channel).Embed(
            embedding_pb2.EmbedRequest(sentences=[SENTENCE]), metadata=[("authorization", f"Bearer {key}")]
        )


def ask(guarded: Guarded, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(guarded.running.http.removeprefix("http://"), timeout=TIMEOUT_S)
    connection.request("POST" if body else "GET", path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode() + str(answer.headers)
    connection.close()
    return answer.status, text


def post(guarded: Guarded, given: object, *, key: str | None = None, **fields: object) -> tuple[int, str]:
    """Ask for an embedding as OpenAI's clients do: status, body and headers."""
    headers = {"Authorization": f"Bearer {key or guarded.key}", "Content-Type": "application/json"}
    body = json.dumps({"model": "english", "input": given} | fields)
    return ask(guarded, "/v1/embeddings", headers, body)


def send_garbage(guarded: Guarded, content: bytes) -> None:
    """Send bytes to both ports that are no HTTP at all."""
    for target in (guarded.running.target, guarded.running.http.removeprefix("http://")):
        host, port = target.split(":")
        with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
            connection.sendall(content + b"\r\n\r\n")
            while connection.recv(4096):
                pass
