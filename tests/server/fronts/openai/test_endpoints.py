"""OpenAI's embeddings API against a real server: the same vectors as over gRPC, to the last bit."""

import base64
import logging
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from bothends.client.sync import Client
from bothends.embeddings import Embeddings
from bothends.errors import RequestError
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.options import Encoding
from bothends.server.fronts.openai import endpoints as openai
from bothends.server.fronts.openai.requests import EmbeddingRequest
from bothends.server.http.json_requests import parse
from bothends.server.server import Server
from tests.support.doors import serving
from tests.support.until import TIMEOUT_S, until

SENTENCES = ["there will be dragons", "a man plays the guitar and a woman sings", "no"]
LONG = "there will be dragons " * 200
"""More than the model reads."""


def open_http(server: Server) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{server.http_port}", timeout=TIMEOUT_S)


def embeddings(http: httpx.Client, given: Any, **fields: Any) -> dict[str, Any]:
    """The body of an answer that must be right."""
    answer = http.post("/v1/embeddings", json={"model": "english", "input": given, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def rows(body: dict[str, Any]) -> np.ndarray:
    """Read the vectors, as float32."""
    found = [item["embedding"] for item in body["data"]]
    if isinstance(found[0], str):
        return np.array([np.frombuffer(base64.b64decode(text), "<f4") for text in found])
    return np.array(found, np.float32)


@pytest.fixture(scope="module")
def ids(english: Bundle) -> list[list[int]]:
    """Token ids of SENTENCES."""
    tokenizer = Tokenizer(english.tokenizer, max_tokens=english.config.max_tokens, source=english.path)
    return [tokens.ids for tokens in tokenizer.encode(SENTENCES)]


@pytest.mark.parametrize("encoding", ["float", "base64", None])
@pytest.mark.parametrize("kind", ["string", "strings", "ids", "lists of ids"])
def test_every_kind_of_input(
    http: httpx.Client, client: Client, ids: list[list[int]], kind: str, encoding: str | None
) -> None:
    """Unit vectors, the very bits that gRPC gives for the same sentences."""
    given = {"string": SENTENCES[0], "strings": SENTENCES, "ids": ids[0], "lists of ids": ids}[kind]
    body = embeddings(http, given, **({"encoding_format": encoding} if encoding else {}))
    expected = client.encode(SENTENCES, normalize=True)
    expected = expected if kind in ("strings", "lists of ids") else expected[:1]
    assert np.array_equal(rows(body), expected)
    assert isinstance(body["data"][0]["embedding"], str) == (encoding == "base64")


@pytest.mark.parametrize("encoding", ["float16", "int8", "sign_bits"])
def test_fewer_bytes(http: httpx.Client, client: Client, encoding: Encoding) -> None:
    """The very bytes that gRPC gives, as base64; int8 with its scale, which no other has."""
    expected = client.embed(SENTENCES, normalize=True, encoding=encoding)
    data = embeddings(http, SENTENCES, encoding_format=encoding)["data"]
    assert [base64.b64decode(each["embedding"]) for each in data] == [row.tobytes() for row in expected.rows]
    scales = [np.float32(each["scale"]) for each in data if "scale" in each]
    assert scales == ([] if expected.scales is None else list(expected.scales))


def test_what_stands_beside_the_vectors(
    http: httpx.Client, client: Client, ids: list[list[int]], english: Bundle
) -> None:
    body = embeddings(http, SENTENCES)
    tokens = sum(map(len, ids))
    assert (body["object"], body["model"]) == ("list", "english")
    assert body["model_version"] == english.config.version
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert [(item["object"], item["index"]) for item in body["data"]] == [("embedding", i) for i in range(3)]


def test_an_answer_says_in_a_header_how_many_inputs_were_cut(http: httpx.Client, server: Server) -> None:
    """The header is there where something was cut, and the counter grows by as many."""

    def answered(*given: str) -> httpx.Response:
        return http.post("/v1/embeddings", json={"model": "english", "input": given, "truncation": "start"})

    def counted() -> float:
        return server.metrics.registry.get_sample_value("bothends_truncated_sentences_total", {"model": "english"}) or 0

    before = counted()
    assert answered("fine", LONG, LONG).headers["x-truncated-inputs"] == "2"
    until(lambda: counted() == before + 2)
    assert "x-truncated-inputs" not in answered("fine").headers


@pytest.mark.parametrize("kept", ["start", "end"])
def test_a_server_may_keep_a_part_of_every_long_input(toy_bundle: Bundle, kept: str) -> None:
    """A request that says otherwise gets what it says."""
    with serving(toy_bundle, http_truncation=kept) as server, open_http(server) as http:
        answer = http.post("/v1/embeddings", json={"model": "toy", "input": [LONG]})
        asked = http.post("/v1/embeddings", json={"model": "toy", "input": [LONG], "truncation": kept})
        assert (answer.status_code, answer.headers["x-truncated-inputs"]) == (200, "1")
        assert answer.json() == asked.json()
        refused = http.post("/v1/embeddings", json={"model": "toy", "input": [LONG], "truncation": "error"})
        assert refused.status_code == 400


def test_aliases_are_names_of_the_model_that_is_served(toy_bundle: Bundle) -> None:
    """Answers hold its own name; each name is listed, and no other is taken."""
    with serving(toy_bundle, model_alias="text-embedding-3-small, BAAI/bge-m3,") as server, open_http(server) as http:
        names = [model["id"] for model in http.get("/v1/models").json()["data"]]
        assert names == ["toy", "text-embedding-3-small", "BAAI/bge-m3"]
        for name in names:
            assert http.get(f"/v1/models/{name}").json()["id"] == name
            assert http.post("/v1/embeddings", json={"model": name, "input": "a"}).json()["model"] == "toy"
        assert http.post("/v1/embeddings", json={"model": "text-embedding-3-large", "input": "a"}).status_code == 404
        assert http.get("/v1/models/").status_code == 404


def test_fields_that_are_null_are_left_out(http: httpx.Client) -> None:
    fields = dict.fromkeys(("encoding_format", "dimensions", "user", "truncation"))
    assert embeddings(http, "a", **fields) == embeddings(http, "a")


def test_nothing_of_a_request_is_logged(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Logs hold neither the sentence nor the user, not even at debug."""
    with caplog.at_level(logging.DEBUG, "bothends"):
        asked = {"model": "english", "input": "a quiet sentence", "user": "somebody"}
        assert http.post("/v1/embeddings?", json=asked).status_code == 200  # a query is for Python
    assert "POST /v1/embeddings" in str([record.__dict__ for record in caplog.records])
    assert not any(word in str(vars(record)) for record in caplog.records for word in ("quiet", "somebody"))


def test_json_keeps_every_bit_of_a_float32() -> None:
    """However small or long: the shortest text that is read as the same float32, also by way of a double."""
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    numbers = bits.view(np.float32)
    numbers = numbers[np.isfinite(numbers)]
    found = Embeddings(numbers[None, :], [1], [False], "1")
    body = orjson.loads(openai.write("m", "float", found))
    assert np.array_equal(np.array(body["data"][0]["embedding"], np.float64).astype(np.float32), numbers)


def test_models(http: httpx.Client, english: Bundle, server: Server) -> None:
    """OpenAI's fields, and what a caller must know."""
    listed = http.get("/v1/models").json()
    assert listed["object"] == "list"
    [model] = listed["data"]
    assert model == http.get("/v1/models/english").json()
    assert {name: model[name] for name in ("id", "object", "created", "owned_by")} == {
        "id": "english", "object": "model", "created": 0, "owned_by": "bothends",
    }  # fmt: skip
    config = english.config
    assert (model["version"], model["max_tokens"]) == (config.version, config.max_tokens)
    assert model["dimensions"] == [*config.nested_dimensions, config.dimension]
    assert model["max_inputs"] == server.settings.max_sentences
    head = http.head("/v1/models")
    assert (head.status_code, head.content) == (200, b"")


def test_a_body_that_nests_further_than_python_reads() -> None:
    """A server's limit on lists may leave room for so many."""
    with pytest.raises(RequestError, match="nested too deeply"):
        parse(b'{"input": ' + b"[" * 100_000, EmbeddingRequest)
