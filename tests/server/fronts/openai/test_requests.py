"""Errors as OpenAI's clients get them, for mistakes and from a server that can't answer."""

import json
import logging
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import trustme

from bothends.client.sync import Client
from bothends.errors import SentenceError
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.server import Server
from tests.support.doors import put, serving, write_pair
from tests.support.until import TIMEOUT_S

LONG = "there will be dragons " * 200
JSON = {"content-type": "application/json"}
MODEL = '"model": "english"'


def calling(server: Server, key: str | None = None, **options: Any) -> httpx.Client:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    options = {"base_url": f"http://127.0.0.1:{server.http_port}"} | options
    return httpx.Client(headers=headers, timeout=TIMEOUT_S, **options)


def embed(http: httpx.Client, given: Any = "a", **fields: Any) -> httpx.Response:
    return http.post("/v1/embeddings", json={"model": "toy", "input": given, **fields})


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The error that it holds, which is one line and in OpenAI's shape."""
    assert answer.headers["content-type"] == "application/json"
    [(name, error)] = answer.json().items()
    assert name == "error"
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"].isprintable()
    return error  # type: ignore[no-any-return]


BAD_BODIES: dict[str, tuple[str | bytes, str | None, str]] = {
    "no JSON": ("{", None, "isn't valid JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
    "nothing": ("", None, "isn't valid JSON"),
    "a list": ("[]", None, "isn't a JSON object"),
    "no UTF-8": (b'{"input": "\xff"}', None, "isn't UTF-8"),
    "UTF-16": (f'{{{MODEL}, "input": "a"}}'.encode("utf-16"), None, "isn't UTF-8"),
    "nested": ('{"input": ' + "[" * 100_000, None, "more than the 664 lists"),
    "NaN": (f'{{{MODEL}, "input": [NaN]}}', None, "holds NaN"),
    "Infinity": (f'{{{MODEL}, "input": "a", "dimensions": -Infinity}}', None, "holds -Infinity"),
    "many digits": (f'{{{MODEL}, "input": [{"9" * 5000}]}}', None, "a number that is too long"),
    "model is a number": ('{"model": 1, "input": "a"}', "model", "should be a valid string"),
    "no input": (f"{{{MODEL}}}", "input", "missing parameter 'input'"),
    "unknown field": (f'{{{MODEL}, "input": "a", "n": 0}}', "n", "unknown parameter 'n'; there are model, input"),
    "unknown field of a surrogate": (f'{{{MODEL}, "input": "a", "\\ud800": 0}}', "\ufffd", "unknown parameter"),
    "input null": (f'{{{MODEL}, "input": null}}', "input", "input is a string, a list of strings"),
    "input an object": (f'{{{MODEL}, "input": {{}}}}', "input", "input is a string, a list of strings"),
    "input true": (f'{{{MODEL}, "input": true}}', "input", "input is a string, a list of strings"),
    "empty": (f'{{{MODEL}, "input": ""}}', "input[0]", "input[0] is empty"),
    "empty list": (f'{{{MODEL}, "input": []}}', "input", "there are no sentences"),
    "empty ids": (f'{{{MODEL}, "input": [[]]}}', "input[0]", "input[0] holds nothing"),
    "blank": (f'{{{MODEL}, "input": ["a", " "]}}', "input[1]", "input[1] is empty"),
    "mixed": (f'{{{MODEL}, "input": ["a", 1]}}', "input[1]", "input[1] isn't a string"),
    "mixed lists": (f'{{{MODEL}, "input": [[1], "a"]}}', "input[1]", "input[1] isn't a list of token ids"),
    "ids and lists": (f'{{{MODEL}, "input": [1, [2]]}}', "input[1]", "input[1] isn't a token id"),
    "list in list in list": (f'{{{MODEL}, "input": [[[1]]]}}', "input[0][0]", "input[0][0] isn't a token id"),
    "bool as id": (f'{{{MODEL}, "input": [[1, true]]}}', "input[0][1]", "input[0][1] isn't a token id"),
    "bools": (f'{{{MODEL}, "input": [true]}}', "input[0]", "input[0] isn't a string"),
    "float as id": (f'{{{MODEL}, "input": [1, 1.0]}}', "input[1]", "input[1] isn't a token id"),
    "negative id": (f'{{{MODEL}, "input": [[1], [-1]]}}', "input[1]", "token ids that aren't from 0 to 30521"),
    "id past the table": (f'{{{MODEL}, "input": [30522]}}', "input[0]", "token ids that aren't from 0 to 30521"),
    "huge id": (f'{{{MODEL}, "input": [{10**4000}]}}', "input[0]", "token ids that aren't from 0 to 30521"),
    "surrogate": (f'{{{MODEL}, "input": ["a", "b\\ud800"]}}', "input[1]", "input[1] is no valid Unicode"),
    "halves apart": (f'{{{MODEL}, "input": ["\\ud83d", "\\ude00"]}}', "input[0]", "input[0] is no valid Unicode"),
    "too many": (f'{{{MODEL}, "input": {json.dumps(["a"] * 301)}}}', "input", "301 sentences are more than"),
    "dimensions": (f'{{{MODEL}, "input": "a", "dimensions": 3}}', "dimensions", "offers 64, 128, 256, 512"),
    "no dimensions": (f'{{{MODEL}, "input": "a", "dimensions": 0}}', "dimensions", "0 dimensions can't be had"),
    "dimensions true": (f'{{{MODEL}, "input": "a", "dimensions": true}}', "dimensions", "a valid integer"),
    "encoding": (f'{{{MODEL}, "input": "a", "encoding_format": "int4"}}', "encoding_format", "'int8' or 'sign_bits'"),
    "truncation": (f'{{{MODEL}, "input": "a", "truncation": true}}', "truncation", "'end' or 'pieces'"),
    "user": (f'{{{MODEL}, "input": "a", "user": 1}}', "user", "a valid string"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_request_is_told_what_and_where(http: httpx.Client, name: str) -> None:
    """400 and one line, and the next request on the same connection is answered."""
    body, param, message = BAD_BODIES[name]
    answer = http.post("/v1/embeddings", content=body, headers=JSON)
    assert answer.status_code == 400
    error = problem(answer)
    assert message in error["message"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, None)
    assert embed(http, model="english").status_code == 200


def test_what_is_too_long_for_the_model(http: httpx.Client) -> None:
    answer = embed(http, ["a", LONG], model="english")
    error = problem(answer)
    assert (answer.status_code, error["param"], error["code"]) == (400, "input[1]", "context_length_exceeded")
    assert "more than the 256 tokens that the model reads" in error["message"]
    assert '"truncation": "start" or "end"' in error["message"]


@pytest.mark.parametrize("name", ["text-embedding-3-small", "", "English", "\ud800", "a/b"])
def test_an_unknown_model(http: httpx.Client, name: str) -> None:
    answer = http.post("/v1/embeddings", content=json.dumps({"model": name, "input": "a"}), headers=JSON)
    error = problem(answer)
    assert (answer.status_code, error["param"], error["code"]) == (404, "model", "model_not_found")
    assert "'english' is served" in error["message"]
    if name.isprintable() and name:
        answer = http.get(f"/v1/models/{name}")
        assert (answer.status_code, problem(answer)["code"]) == (404, "model_not_found")


def test_wrong_methods_and_paths(http: httpx.Client) -> None:
    """The error says what there is instead, also if a body came."""
    for method, path, allow in (
        ("GET", "/v1/embeddings", "POST"),
        ("PUT", "/v1/embeddings", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/english", "GET, HEAD"),
    ):
        answer = http.request(method, path, content=b"{}", headers=JSON)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow)
        assert allow in problem(answer)["message"]
    for path in ("/v1/", "/v1/chat/completions", "/v1/embeddings/"):
        answer = http.post(path, json={})
        assert answer.status_code == 404
        assert "there is no such path" in problem(answer)["message"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"content-type": "text/plain"}, "the content-type is 'text/plain'; send application/json"),
        ({"content-type": "application/x-www-form-urlencoded"}, "send application/json"),
        ({}, "there is no content-type"),
        (JSON | {"content-encoding": "br"}, "the content-encoding 'br' isn't known here"),
    ],
)
def test_another_kind_of_content(http: httpx.Client, headers: dict[str, str], told: str) -> None:
    answer = http.post("/v1/embeddings", content=b'{"model": "english", "input": "a"}', headers=headers)
    assert answer.status_code == 415
    assert told in problem(answer)["message"]
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    assert http.post("/v1/embeddings", content=b'{"model": "english", "input": "a"}', headers=kind).status_code == 200


def test_a_bug_of_ours(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, without a word of what went wrong."""
    with serving(toy_bundle) as server, calling(server) as http:
        monkeypatch.setattr("bothends.server.fronts.openai.endpoints.write", lambda *_: 1 / 0)
        answer = http.post("/v1/embeddings?", json={"model": "toy", "input": "a"})  # a query is for Python
        assert (answer.status_code, problem(answer)["message"]) == (500, "internal error")
        assert problem(answer)["type"] == "server_error"


def test_the_api_can_be_off(toy_bundle: Bundle) -> None:
    """Health and metrics stay."""
    with serving(toy_bundle, http_api=False) as server, calling(server) as http:
        for path in ("/v1/embeddings", "/v1/models", "/embed", "/api/tags", "/model", "/", "/openapi.json"):
            assert http.get(path).status_code == 404
        assert http.get("/readyz").status_code == http.get("/metrics").status_code == 200
        assert "/v1" not in server.banner()


def test_no_open_door_beside_a_locked_one(toy_bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """HTTP asks for no certificates: beside a gRPC that does, it answers holders of a key or no caller."""
    authority = trustme.CA()
    write_pair(tmp_path, authority.issue_cert("127.0.0.1"))
    put(tmp_path / "ca.pem", authority.cert_pem.bytes())
    key, entry = new("somebody")
    put(tmp_path / "keys.toml", entry.encode())
    tls: Any = {name: tmp_path / f"{file}.pem" for name, file in
           (("tls_cert", "cert"), ("tls_key", "key"), ("tls_client_ca", "ca"))}  # fmt: skip
    for settings, code, told in (
        ({}, 403, "needs --api-keys"),
        ({"api_keys": tmp_path / "keys.toml"}, 401, "no API key"),
    ):
        caplog.clear()
        with serving(toy_bundle, **tls, **cast("Any", settings)) as server:
            secure: Any = {"base_url": f"https://127.0.0.1:{server.http_port}", "verify": False}
            with calling(server, **secure) as http, calling(server, key, **secure) as known:
                answer = embed(http)
                assert answer.status_code == code
                assert told in problem(answer)["message"]
                assert http.get("/v1/models").status_code == code
                assert embed(known).status_code == (200 if settings else 403)
                assert http.get("/readyz").status_code == 200
            warned = [r for r in caplog.records if r.levelno == logging.WARNING and "isn't offered" in r.getMessage()]
            assert len(warned) == (not settings)
            assert ("/v1/embeddings" in server.banner()) == bool(settings)


def test_another_front_is_none_the_wiser(server: Server, client: Client, http: httpx.Client) -> None:
    """An error names `sentences` over gRPC, and `input` over HTTP."""
    with pytest.raises(SentenceError, match=r"^sentences\[0\] is empty"):
        client.encode([""])
    assert problem(embed(http, "", model="english"))["message"].startswith("input[0] is empty")
