"""Answers that the page gets of a server, without a browser: its files, the model, the numbers, and explanations."""

import json
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bothends import Client
from bothends.core.embedder import Embedder
from bothends.core.explain import explain
from bothends.model.bundle import Bundle
from bothends.observe.metrics import Metrics
from bothends.observe.model_metrics import SECONDS
from bothends.server.keys import new
from bothends.server.server import Server
from tests.support.doors import put, serving
from tests.support.gate import Gate
from tests.support.paths import ROOT
from tests.support.transports import IS_NATIVE
from tests.support.until import until

SENTENCE = "A man is playing a guitar on the street."


def test_an_explanation_is_the_domains(server: Server, http: httpx.Client, english: Bundle) -> None:
    """The answer has 24 of each state's numbers."""
    answer = http.post("/explain", json={"sentence": SENTENCE})
    assert answer.headers["content-type"] == "application/json"
    with Embedder.load(english, settings=server.service.settings, metrics=Metrics()) as embedder:
        assert answer.json() == explain(SENTENCE, embedder).as_json(numbers=24)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is no JSON like"),
        (b"[]", "the body is no JSON like"),
        (b'{"sentence": 5}', "the body is no JSON like"),
        (b'{"sentence": "secret", "more": 1}', "the body is no JSON like"),
        (b'{"sentence": "\xff"}', "the body is no JSON like"),
        (b'{"sentence": " "}', "is empty; a sentence needs at least one word"),
        (b'{"sentence": "%s"}' % (b"word " * 200), "200 tokens, to explain which 399 sequences would be embedded"),
    ],
)
def test_what_cant_be_explained_is_told(http: httpx.Client, body: bytes, said: str) -> None:
    """One line, which holds none of the sentence; the server goes on."""
    answer = http.post("/explain", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert "secret" not in answer.text
    assert http.post("/explain", json={"sentence": SENTENCE}).status_code == 200


def test_explanations_have_their_callers_turns(
    server: Server, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is hundreds of sequences: with turns of its own, a hundred of one caller's would leave others none."""
    begin, tickets = Embedder.begin, list[Any]()

    def noting(*arguments: Any, **options: Any) -> Any:
        tickets.append(options.get("ticket"))
        return begin(*arguments, **options)

    monkeypatch.setattr(Embedder, "begin", noting)
    for _ in range(2):
        assert http.post("/explain", json={"sentence": SENTENCE}).status_code == 200
    assert [hasattr(ticket, "take_spent") for ticket in tickets] == [IS_NATIVE] * 2


def explaining(server: Server, body: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.http_port))
    head = "POST /explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def test_nothing_is_explained_to_a_caller_who_has_left(server: Server, gate: Gate) -> None:
    """The queue's places of an explanation are free once its caller has gone."""
    gate.clear()
    with explaining(server, b'{"sentence": "%s"}' % (b"word " * 100)):
        until(lambda: gate.sentences(server) > 100)
    until(lambda: gate.sentences(server) == 0)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing")
def test_the_documents_line_runs(server: Server) -> None:
    """The line runs as it stands there, but for the port."""
    page = (ROOT / "docs" / "fronts" / "page.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^curl .*$", page, re.MULTILINE)
    command = shlex.split(line.replace("127.0.0.1:8080", f"127.0.0.1:{server.http_port}"))
    answer = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert [token["text"] for token in json.loads(answer.stdout)["tokens"]] == ["there", "will", "be", "dragons"]


def test_a_form_of_another_site_gets_nothing_embedded(http: httpx.Client) -> None:
    """A browser sends other sites' requests unasked only where they aren't JSON."""
    answer = http.post("/explain", content=b'{"sentence": "a"}', headers={"content-type": "text/plain"})
    assert answer.status_code == 415


def test_a_deeper_model_is_served_and_says_why_it_isnt_explained(make_bundle: Callable[..., Bundle]) -> None:
    with serving(make_bundle(layers=2)) as deep:
        address = f"http://127.0.0.1:{deep.http_port}"
        answer = httpx.post(f"{address}/explain", json={"sentence": "a"})
        assert answer.status_code == 400
        assert "only a model of one layer can be explained" in answer.json()["error"]["message"]
        assert httpx.get(f"{address}/model").json()["layers"] == 2


def test_the_model_is_described(server: Server, http: httpx.Client, english: Bundle) -> None:
    """The description is that of its bundle and its server."""
    model = http.get("/model").json()
    config = english.config
    assert {name: model[name] for name in ("name", "version", "dimension", "device")} == {
        "name": config.name,
        "version": config.version,
        "dimension": config.dimension,
        "device": "cpu",
    }
    assert (model["languages"], model["grpc_port"]) == (["en"], server.port)
    assert model["limits"] == {"sentences": 300, "sentence_chars": 65536, "tokens": 256}
    assert model["card"] == (english.path / "README.md").read_text(encoding="utf-8")
    assert model["selftest_difference"] == server.service.embedder.model.self_test.max_difference


def test_the_numbers_grow_with_what_is_done(http: httpx.Client, client: Client) -> None:
    """Requests by code and by latency, sentences and tokens; a quantile is made of differences."""
    client.encode(["the first list of", "a client makes it ask for the model"])
    before = http.get("/live").json()
    client.encode(["there will be dragons", "dragons"])
    http.post("/explain", json={"sentence": "there will be dragons"})
    after = http.get("/live").json()
    assert after["is_serving"] is True
    assert after["sentences"] - before["sentences"] == 2 + 7
    assert after["tokens"] - before["tokens"] == 5 + (1 + 2 + 3 + 4) + (1 + 2 + 3)
    assert after["requests"]["OK"] - before["requests"].get("OK", 0) == 2
    assert after["latency"]["bounds_s"] == list(SECONDS)
    grown = [now - then for now, then in zip(after["latency"]["counts"], before["latency"]["counts"], strict=True)]
    assert sum(grown) == 2
    assert min(grown) == 0
    assert len(grown) == len(SECONDS) + 1
    assert after["time_s"] > before["time_s"]


def test_an_explanation_costs_what_is_embedded(english: Bundle, tmp_path: Path) -> None:
    """A key that may have 6 sentences at once gets one of 3 tokens explained, 5 sequences, and not one of 4."""
    key, entry = new("narrow")
    put(tmp_path / "keys.toml", f"{entry}concurrent_sentences = 6\n".encode())
    with serving(english, api_keys=tmp_path / "keys.toml") as guarded:
        address = f"http://127.0.0.1:{guarded.http_port}"
        headers = {"authorization": f"Bearer {key}"}
        fits = httpx.post(f"{address}/explain", json={"sentence": "no dragons here"}, headers=headers)
        assert fits.status_code == 200
        more = httpx.post(f"{address}/explain", json={"sentence": "no dragons are here"}, headers=headers)
        assert (more.status_code, more.json()["error"]["message"]) == (
            400,
            "7 sentences are more than this key's limit of 6 at once",
        )
        assert httpx.get(f"{address}/model", headers=headers).json()["limits"]["sentences"] == 6


def test_tokens_are_counted(http: httpx.Client) -> None:
    """Unknown ones are those for which the vocabulary has nothing else; a long sentence is cut, and says so."""
    sentences = ["there will be dragons", "🍕 love 🍕", "word " * 300]
    answer = http.post("/tokens", json={"sentences": sentences})
    assert answer.json()["sentences"] == [
        {"tokens": 4, "unknown": 0, "truncated": False},
        {"tokens": 3, "unknown": 2, "truncated": False},
        {"tokens": 256, "unknown": 0, "truncated": True},
    ]
    unfit = {b"[]": "no JSON like", b'{"sentences": []}': "no sentences", b'{"sentences": [" "]}': "is empty"}
    for body, said in unfit.items():
        refused = http.post("/tokens", content=body, headers={"content-type": "application/json"})
        assert refused.status_code == 400
        assert said in refused.json()["error"]["message"]


def test_without_a_key_there_are_only_the_files(toy_bundle: Bundle, tmp_path: Path) -> None:
    """The page must come before it can ask for a key. The numbers are open where /metrics is."""
    put(tmp_path / "keys.toml", new("somebody")[1].encode())
    for metrics, code in (("open", 200), ("keys", 401), ("off", 404)):
        with serving(toy_bundle, api_keys=tmp_path / "keys.toml", metrics=metrics, selftest_s=0) as guarded:
            address = f"http://127.0.0.1:{guarded.http_port}"
            assert httpx.get(f"{address}/").status_code == 200
            assert httpx.get(f"{address}/model").status_code == 401
            assert httpx.post(f"{address}/explain", json={"sentence": "a"}).status_code == 401
            assert httpx.post(f"{address}/tokens", json={"sentences": ["a"]}).status_code == 401
            assert httpx.get(f"{address}/live").status_code == code


def test_the_files_name_nothing_elsewhere(http: httpx.Client) -> None:
    """Whatever they refer to is here, and the policy lets nothing else in."""
    page = http.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    names = re.findall(r'(?:src|href)="(?!#)([^"]+)"', page.text)
    assert {"page/page.css", "page/page.js", "page/icon.svg"} <= set(names)
    while names:
        name = names.pop()
        answer = http.get(f"/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text), name
        names += [f"page/{imported}" for imported in re.findall(r'from "\./([^"]+)"', answer.text)]
