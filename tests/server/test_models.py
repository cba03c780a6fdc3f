"""Several models in one server: each is asked for by its name over every protocol, and answers as it does alone."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from bothends.errors import UnknownModelError
from bothends.kserve.v2 import inference_pb2
from bothends.model.bundle import Bundle
from bothends.server.server import Server
from bothends.v1 import embedding_pb2, embedding_pb2_grpc
from tests.support import infer
from tests.support.doors import connected
from tests.support.fronts import http_of
from tests.support.measured import sample
from tests.support.until import TIMEOUT_S, until

from .models import LIST, NAMES, SENTENCES, Truth, client_of


@pytest.fixture(params=[None, *NAMES])
def asked(request: pytest.FixtureRequest) -> str | None:
    """A name to ask by; None for callers who say none."""
    found: str | None = request.param
    return found


def test_each_model_answers_as_it_does_alone(both: Server, truth: Truth, asked: str | None) -> None:
    """Single sentences, lists and streams have the bits of the model that was asked for; the first where none was."""
    rows = truth[asked or "english"]
    with client_of(both, asked) as client:
        alone = [client.encode(sentence) for sentence in SENTENCES]
        listed = client.encode(LIST)
        streamed = [row for row in client.encode_stream(LIST) if isinstance(row, np.ndarray)]
        described = client.model()
    assert np.array_equal(np.stack(alone), rows)
    assert np.array_equal(listed, np.tile(rows, (60, 1)))
    assert np.array_equal(np.stack(streamed), listed)
    assert (described.name, described.dimension) == (asked or "english", rows.shape[1])


def test_one_stream_may_ask_for_both(both: Server, truth: Truth) -> None:
    """Each request of a stream says its own, and answers keep its order."""
    names = ["old", "", "english", "old", "old"]
    requests = [embedding_pb2.EmbedStreamRequest(sentences=SENTENCES, model=name or None) for name in names]
    with connected(both) as channel:
        stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
        answers = list(stub.EmbedStream(iter(requests), timeout=TIMEOUT_S))
    for name, answer in zip(names, answers, strict=True):
        found = np.array([item.embedding.values for item in answer.items], np.float32)
        assert np.array_equal(found, truth[name or "english"])


def test_tokens_are_the_models_own(both: Server, old: Bundle) -> None:
    """And GetModel lists the names there are, the default's first."""
    counts = {}
    with connected(both) as channel:
        stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
        for name in NAMES:
            request = embedding_pb2.TokenizeRequest(sentences=["unbelievable dragons"], model=name)
            answer = stub.Tokenize(request, timeout=TIMEOUT_S)
            counts[name] = (answer.model_version, len(answer.sentences[0].tokens))
        names = stub.GetModel(embedding_pb2.GetModelRequest(), timeout=TIMEOUT_S).models
    assert counts["old"][0] == old.config.version
    assert counts["old"][1] > counts["english"][1]
    assert list(names) == list(NAMES)


def test_kserves_name_and_version_choose(both: Server, truth: Truth, old: Bundle) -> None:
    with connected(both) as channel:
        stub = infer.Stub(channel)
        for name in NAMES:
            response = stub.ModelInfer(infer.request(*SENTENCES, model=name), timeout=TIMEOUT_S)
            assert response.model_name == name
            assert np.array_equal(infer.tensors(response)["embedding"], truth[name])
            described = stub.ModelMetadata(inference_pb2.ModelMetadataRequest(name=name), timeout=TIMEOUT_S)
            assert list(described.outputs[0].shape) == [-1, truth[name].shape[1]]
            assert stub.ModelReady(inference_pb2.ModelReadyRequest(name=name), timeout=TIMEOUT_S).ready
        assert not stub.ModelReady(inference_pb2.ModelReadyRequest(name="new"), timeout=TIMEOUT_S).ready
        stub.ModelInfer(infer.request("a", model="old", model_version=old.config.version), timeout=TIMEOUT_S)
        code, text, _ = infer.refused(
            lambda: stub.ModelInfer(infer.request("a", model="english", model_version=old.config.version))
        )
    assert code is grpc.StatusCode.NOT_FOUND
    assert f"version {old.config.version!r} of model 'english' isn't served here" in text


def test_openais_model_chooses(both: Server, truth: Truth) -> None:
    """`/v1/models` lists all."""
    with http_of(both) as http:
        for name in NAMES:
            answer = http.post("/v1/embeddings", json={"model": name, "input": SENTENCES}).json()
            rows = np.array([item["embedding"] for item in answer["data"]], np.float32)
            assert np.allclose(rows, truth[name] / np.linalg.norm(truth[name], axis=1, keepdims=True), atol=1e-6)
            assert answer["model"] == name
        assert [model["id"] for model in http.get("/v1/models").json()["data"]] == list(NAMES)
        assert http.get("/v1/models/old").json()["dimensions"] == [truth["old"].shape[1]]


def test_a_wrong_name_is_told_the_names_there_are(both: Server) -> None:
    """Over every protocol, and nothing is embedded."""
    with client_of(both, "older") as client:
        for ask in (lambda: client.encode("a"), lambda: client.encode(LIST), lambda: list(client.encode_stream(["a"]))):
            with pytest.raises(UnknownModelError, match="model 'older' isn't served here; 'english' and 'old' are"):
                ask()
    request = embedding_pb2.EmbedStreamRequest(sentences=["a"], model="older")
    with connected(both) as channel:
        stub = embedding_pb2_grpc.EmbeddingServiceStub(channel)
        with pytest.raises(grpc.RpcError, match="'english' and 'old' are"):
            list(stub.EmbedStream(iter([request]), timeout=TIMEOUT_S))
        code, text, field = infer.refused(lambda: infer.Stub(channel).ModelInfer(infer.request("a", model="older")))
    assert (code, field) == (grpc.StatusCode.NOT_FOUND, "model")
    assert text == "model 'older' isn't served here; 'english' and 'old' are"
    with http_of(both) as http:
        answer = http.post("/v1/embeddings", json={"model": "older", "input": "a"})
    assert answer.status_code == 404
    told = (
        "the model 'older' does not exist here; 'english' and 'old' are served, and 'english' where no model is named"
    )
    assert answer.json()["error"]["message"] == told


def test_metrics_tell_the_models_apart(both: Server) -> None:
    """Sentences, batches and phases of each by its name; what has no model has no such label."""

    def counted() -> list[float]:
        counts = [sample(both, "bothends_sentence_tokens_count", model=name) for name in NAMES]
        return [*counts, sample(both, "bothends_phase_seconds_count", model="old", phase="queue")]

    before = counted()
    with client_of(both, "old") as client:
        client.encode(LIST)
        client.encode("a dog")
    until(lambda: counted() == [before[0], before[1] + len(LIST) + 1, before[2] + len(LIST) + 1])
    for name in NAMES:
        assert sample(both, "bothends_selftest_success", model=name) == 1


def test_a_mixed_load_mixes_no_vectors(both: Server, truth: Truth) -> None:
    """Callers of both models at once, by single sentences and lists, each have their own model's bits."""

    def ask(name: str, size: int) -> bool:
        with client_of(both, name) as client:
            expected = np.resize(truth[name], (size, truth[name].shape[1]))
            return all(np.array_equal(client.encode(LIST[:size]), expected) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, name, size) for size in (1, 4, 40, len(LIST)) for name in NAMES]
        assert all(one.result(TIMEOUT_S) for one in asked)
