"""The log's line for each request, by real calls over gRPC and HTTP, where the level is debug."""

import logging
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from bothends.model.bundle import Bundle
from bothends.server.dispatch import REQUEST_ID
from bothends.server.keys import new
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support.doors import connected, put, serving
from tests.support.until import TIMEOUT_S, until

HTTP: Mapping[str, Mapping[str, object]] = {
    "/v1/embeddings": {"input": ["a quiet sentence", "another"], "model": "toy"},
    "/embed": {"inputs": ["a quiet sentence", "another"]},
    "/api/embed": {"model": "toy", "input": ["a quiet sentence", "another"]},
    "/tokenize": {"inputs": ["a quiet sentence", "another"]},
}
"""Paths, and requests of two sentences."""


def test_each_request_has_a_line_of_who_asked_what_of_which_model(
    toy_bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Small ones too, which are else served natively. No line holds a sentence or a key."""
    key, entry = new("reader")
    put(tmp_path / "keys.toml", entry.encode())
    with caplog.at_level(logging.DEBUG), serving(toy_bundle, api_keys=tmp_path / "keys.toml") as server:
        headers = {"authorization": f"Bearer {key}", REQUEST_ID: "by-http"}
        with connected(server) as channel:
            embedding_pb2_grpc.EmbeddingServiceStub(channel).Embed(
                embedding_pb2.EmbedRequest(sentences=["a quiet sentence", "another"]),
                timeout=TIMEOUT_S,
                metadata=[("authorization", f"Bearer {key}"), (REQUEST_ID, "by-grpc")],
            )
        with httpx.Client(base_url=f"http://127.0.0.1:{server.http_port}", headers=headers) as http:
            for path, asked in HTTP.items():
                assert http.post(path, json=asked).status_code == 200

        def lines() -> list[dict[str, object]]:
            return [vars(record) for record in caplog.records if record.getMessage() == "request"]

        until(lambda: len(lines()) == 1 + len(HTTP))
    told = {(line["method"], line["request_id"]) for line in lines()}
    assert told == {("Embed", "by-grpc"), *((f"POST {path}", "by-http") for path in HTTP)}
    for line in lines():
        assert (line["model"], line["sentences"], line["key"], line["code"]) == ("toy", 2, "reader", "OK")
    assert not any(word in str(vars(record)) for record in caplog.records for word in ("quiet", key))
