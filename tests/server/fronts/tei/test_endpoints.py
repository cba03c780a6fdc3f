"""text-embeddings-inference's API over HTTP against a real server: the same vectors as over gRPC, to the last bit."""

import base64
import json
from typing import Any

import httpx
import numpy as np
import pytest

from bothends.client.sync import Client
from bothends.model.bundle import Bundle
from bothends.model.tokenizer import Tokenizer
from bothends.options import Encoding
from bothends.server.server import Server
from tests.support.doors import serving
from tests.support.fronts import http_of
from tests.support.until import until

SENTENCES = ["there will be dragons", "a man plays the guitar and a woman sings", "no"]
LONG = "first " + "there will be dragons " * 200 + "last"
"""More than the model reads."""


def rows(answer: httpx.Response) -> np.ndarray:
    """Read the vectors of an answer that must be right, as float32."""
    assert answer.status_code == 200, answer.text
    return np.array(answer.json(), np.float32)


def told(answer: httpx.Response) -> tuple[int, str, str]:
    """The error that it holds, which is one line and in the API's shape."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"error", "error_type"}
    assert body["error"].isprintable()
    return answer.status_code, body["error_type"], body["error"]


@pytest.mark.parametrize("path", ["/embed", "/"])
def test_every_kind_of_input(http: httpx.Client, client: Client, english: Bundle, path: str) -> None:
    """One text or several, or their token ids; unit vectors unless it says otherwise."""
    tokenizer = Tokenizer(english.tokenizer, max_tokens=english.config.max_tokens, source=english.path)
    ids = [tokens.ids for tokens in tokenizer.encode(SENTENCES)]
    expected = client.encode(SENTENCES, normalize=True)
    for given in (SENTENCES, ids):
        assert np.array_equal(rows(http.post(path, json={"inputs": given})), expected)
        assert np.array_equal(rows(http.post(path, json={"inputs": given[0]})), expected[:1])
    raw = http.post(path, json={"inputs": SENTENCES, "normalize": False})
    assert np.array_equal(rows(raw), client.encode(SENTENCES))
    short = http.post(path, json={"inputs": SENTENCES, "dimensions": 64})
    assert np.array_equal(rows(short), client.encode(SENTENCES, normalize=True, dimensions=64))


@pytest.mark.parametrize("path", ["/embed", "/"])
@pytest.mark.parametrize("encoding", ["float32", "float16", "int8", "sign_bits"])
def test_fewer_bytes(http: httpx.Client, client: Client, path: str, encoding: Encoding) -> None:
    """The very bytes that gRPC gives, as base64."""
    expected = client.embed(SENTENCES, normalize=True, encoding=encoding)
    asked = {"inputs": SENTENCES, "encoding_format": "base64" if encoding == "float32" else encoding}
    answer = http.post(path, json=asked)
    assert [base64.b64decode(each) for each in answer.json()] == [row.tobytes() for row in expected.rows]
    code, kind, message = told(http.post(path, json={**asked, "encoding_format": "int8", "normalize": False}))
    assert (code, kind, message.startswith("encoding_format: int8")) == (422, "Validation", True)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, "start"),
        ({"truncation_direction": "left"}, "end"),
        ({"truncate": True}, "start"),
        ({"truncate": True, "truncation_direction": "Right"}, "start"),
        ({"truncate": True, "truncation_direction": "left"}, "end"),
        ({"truncate": True, "truncation_direction": "Left", "prompt_name": None}, "end"),
    ],
)
@pytest.mark.parametrize("path", ["/embed", "/embed?"])
def test_a_long_text_is_cut_where_that_is_asked_for(
    http: httpx.Client, client: Client, asked: dict[str, Any], kept: Any, path: str
) -> None:
    """The header says how many were. A query, if an empty one, is for Python; else C++ may answer."""
    answer = http.post(path, json={"inputs": ["fine", LONG], **asked})
    assert answer.headers["x-truncated-inputs"] == "1"
    assert np.array_equal(rows(answer), client.embed(["fine", LONG], normalize=True, truncation=kept).rows)


def test_the_server_says_what_becomes_of_long_texts_where_a_request_does_not(toy_bundle: Bundle) -> None:
    """As for OpenAI's callers, and /info tells."""
    with serving(toy_bundle, http_truncation="end") as server, http_of(server) as http:
        asked = http.post("/embed", json={"inputs": LONG, "truncate": True, "truncation_direction": "left"})
        assert http.post("/embed", json={"inputs": LONG}).content == asked.content
        assert told(http.post("/embed", json={"inputs": LONG, "truncate": False}))[0] == 413
        assert http.get("/info").json()["auto_truncate"] is True


BAD: dict[str, tuple[dict[str, Any], tuple[int, str], str]] = {
    "none": ({"inputs": []}, (400, "Empty"), "`inputs` is empty; send at least one text"),
    "too many": ({"inputs": ["a"] * 301}, (413, "Validation"), "301 sentences are more than"),
    "far too many": ({"inputs": [[1]] * 1000}, (413, "Validation"), "more than the 664 lists"),
    "long": ({"inputs": ["a", LONG], "truncate": False}, (413, "Validation"), "inputs[1] has more than the 256 tokens"),
    "blank": ({"inputs": ["a", " "]}, (422, "Tokenizer"), "inputs[1] is empty"),
    "surrogate": ({"inputs": "\ud800"}, (422, "Tokenizer"), "inputs[0] is no valid Unicode"),
    "an id past the table": ({"inputs": [30522]}, (422, "Tokenizer"), "inputs[0] has token ids that aren't from 0"),
    "a number": ({"inputs": ["a", 1]}, (422, "Validation"), "inputs[1] isn't a string"),
    "nothing": ({}, (422, "Validation"), "missing parameter 'inputs'"),
    "dimensions": ({"inputs": "a", "dimensions": 3}, (422, "Validation"), "offers 64, 128, 256, 512"),
    "a prompt": ({"inputs": "a", "prompt_name": "query"}, (422, "Validation"), "this model has no prompts"),
    "a direction": ({"inputs": "a", "truncation_direction": "up"}, (422, "Validation"), "'left', 'right'"),
    "another parameter": ({"inputs": "a", "promt": 1}, (422, "Validation"), "unknown parameter 'promt'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_what_and_where(http: httpx.Client, name: str) -> None:
    """With the status by which the API's clients know the kind."""
    body, kind, message = BAD[name]
    answer = http.post("/embed", content=json.dumps(body), headers={"content-type": "application/json"})
    status, error_type, error = told(answer)
    assert ((status, error_type), message in error) == (kind, True), error


def test_what_is_no_json(http: httpx.Client) -> None:
    json_type = {"content-type": "application/json"}
    assert told(http.post("/embed", content=b"{", headers=json_type))[:2] == (422, "Validation")
    assert told(http.post("/embed", content=b"{}"))[:2] == (415, "Validation")
    assert told(http.get("/embed"))[:2] == (405, "Validation")


def test_similarity(http: httpx.Client, client: Client) -> None:
    """The cosine to each; errors name the text that is at fault."""
    first, *others = client.encode(SENTENCES, normalize=True)

    def compared(source: str, *sentences: str, **parameters: Any) -> httpx.Response:
        inputs = {"source_sentence": source, "sentences": list(sentences)}
        return http.post("/similarity", json={"inputs": inputs, "parameters": parameters})

    assert np.allclose(compared(*SENTENCES).json(), np.array(others) @ first, atol=1e-6)
    assert compared("no", "no").json() == [pytest.approx(1, abs=1e-6)]
    assert told(compared("no", "a", " ")) == (
        422, "Tokenizer", "inputs.sentences[1] is empty; a sentence needs at least one word",
    )  # fmt: skip
    assert told(compared(" ", "a"))[2] == "inputs.source_sentence is empty; a sentence needs at least one word"
    assert told(compared(LONG, "a", truncate=False))[::2] == (
        413,
        "inputs.source_sentence has more than the 256 tokens that the model reads",
    )
    assert compared(LONG, "a").headers["x-truncated-inputs"] == "1"
    assert told(compared("no"))[:2] == (400, "Empty")


def test_the_base_url_takes_a_comparison_too(http: httpx.Client) -> None:
    """As huggingface_hub sends it, or its fields in the request itself, as Hugging Face's own servers took them."""
    compared = {"source_sentence": SENTENCES[0], "sentences": SENTENCES[1:]}
    expected = rows(http.post("/similarity", json={"inputs": compared}))
    for body in ({"inputs": compared}, {"inputs": compared, "parameters": {}}, compared):
        assert np.array_equal(rows(http.post("/", json=body)), expected)
    long = http.post("/", json=compared | {"source_sentence": LONG, "parameters": {"truncate": True}})
    assert long.headers["x-truncated-inputs"] == "1"
    for wrong, mistake in (
        ({"source_sentence": "a"}, "missing parameter 'inputs.sentences'"),
        ({"inputs": {"sentences": ["a"]}}, "missing parameter 'inputs.source_sentence'"),
        (compared | {"inputs": "a"}, "unknown parameter 'source_sentence'"),
        ({"inputs": compared, "normalize": True}, "unknown parameter 'normalize'"),
    ):
        assert told(http.post("/", json=wrong))[:2] == (422, "Validation")
        assert told(http.post("/", json=wrong))[2].startswith(mistake)


def test_tokenize(http: httpx.Client) -> None:
    """Each token with what stands for it in the text; of a long text those that are read, and the header says so."""
    first, second = http.post("/tokenize", json={"inputs": ["There  will", "dragonfly"]}).json()
    assert [token["text"] for token in first] == ["There", "will"]
    assert [(token["start"], token["stop"]) for token in first] == [(0, 5), (7, 11)]
    assert "".join(token["text"] for token in second) == "dragonfly"
    long = http.post("/tokenize", json={"inputs": LONG, "add_special_tokens": False})
    assert (len(long.json()[0]), long.headers["x-truncated-inputs"]) == (256, "1")


def test_info(http: httpx.Client, english: Bundle) -> None:
    info = http.get("/info").json()
    assert (info["model_id"], info["model_sha"]) == ("english", english.config.version)
    assert (info["max_input_length"], info["max_client_batch_size"]) == (256, 300)
    assert info["model_type"] == {"embedding": {"pooling": "last_token"}}


def test_tokens_become_text_again(http: httpx.Client, english: Bundle) -> None:
    """Of one list of ids or several; special tokens are left out unless they are asked for."""
    ids = [[token["id"] for token in tokens] for tokens in http.post("/tokenize", json={"inputs": SENTENCES}).json()]
    assert http.post("/decode", json={"ids": ids}).json() == SENTENCES
    assert http.post("/decode", json={"ids": ids[0]}).json() == SENTENCES[:1]
    vocabulary = Tokenizer(english.tokenizer, max_tokens=5, source=english.path).vocabulary()
    around = [vocabulary.index("[CLS]"), *ids[2], vocabulary.index("[SEP]")]
    assert http.post("/decode", json={"ids": around}).json() == ["no"]
    assert http.post("/decode", json={"ids": around, "skip_special_tokens": False}).json() == ["[CLS] no [SEP]"]
    assert http.post("/decode", json={"ids": [[], ids[2]]}).json() == ["", "no"]


NO_IDS: dict[str, tuple[object, tuple[int, str], str]] = {
    "none": ([], (400, "Empty"), "`ids` is empty"),
    "text": ("dragons", (422, "Validation"), "ids is a list of token ids, or a list of lists of token ids"),
    "texts": (["dragons"], (422, "Validation"), "ids is a list of token ids, or a list of lists of token ids"),
    "a truth": ([[True]], (422, "Validation"), "ids[0][0] isn't a token id"),
    "past the table": ([[1], [30522]], (422, "Tokenizer"), "ids[1] has token ids that aren't from 0"),
    "below it": ([-1], (422, "Tokenizer"), "ids[0] has token ids that aren't from 0"),
    "huge": ([2**70], (422, "Tokenizer"), "ids[0] has token ids that aren't from 0"),
    "too many lists": ([[1]] * 301, (413, "Validation"), "301 sentences are more than"),
    "too many tokens": ([1] * 262145, (413, "Validation"), "262145 tokens are more than this server's limit"),
}


@pytest.mark.parametrize("name", NO_IDS)
def test_what_are_no_ids(http: httpx.Client, name: str) -> None:
    ids, kind, message = NO_IDS[name]
    status, error_type, error = told(http.post("/decode", json={"ids": ids}))
    assert ((status, error_type), message in error) == (kind, True), error


@pytest.mark.parametrize("path", ["/rerank", "/predict", "/embed_all", "/embed_sparse"])
def test_what_the_model_has_not_is_told_in_a_line(http: httpx.Client, path: str) -> None:
    status, error_type, error = told(http.post(path, json={"inputs": "a"}))
    assert (status, error_type) == (424, "Backend")
    assert "POST /" in error


def test_spans_have_the_status_that_was_sent(
    server: Server, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though gRPC has one status for all that is wrong with a request."""
    found = []
    monkeypatch.setattr("bothends.observe.tracing.answered", lambda _, method, name, code: found.append((name, code)))
    for inputs in ("a", "", list[str](), LONG):
        http.post("/embed?", json={"inputs": inputs, "truncate": False})  # a query is for Python
    until(lambda: len(found) == 4)
    assert found == [("OK", 200), *(("INVALID_ARGUMENT", code) for code in (422, 400, 413))]
