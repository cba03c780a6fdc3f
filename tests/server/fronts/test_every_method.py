"""What holds of every method that any front offers: who may call it, what is counted, what is left of a call."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import grpc
import orjson
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from bothends.batching.request import Request
from bothends.kserve.v2 import inference_pb2
from bothends.model.bundle import Bundle
from bothends.server.context import CallContext
from bothends.server.fronts import FRONTS
from bothends.server.fronts.bothends.message import StreamMessage
from bothends.server.grpc.calls.source import GrpcInbound
from bothends.server.http.call import HttpInbound
from bothends.server.keys import new
from bothends.server.server import Server
from bothends.tei.v1 import embedding_pb2 as tei
from bothends.v1 import embedding_pb2
from tests.support import infer
from tests.support.doors import ALONE, put, serving
from tests.support.fronts import http_of
from tests.support.garbage import left_in_circles
from tests.support.measured import sample
from tests.support.until import TIMEOUT_S, until

CODES = {
    200: "OK",
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
"""Of HTTP's statuses; gRPC's codes have these names."""
WORDS = {
    ("OpenAI", "UNAUTHENTICATED"): "invalid_api_key",
    ("OpenAI", "RESOURCE_EXHAUSTED"): "rate_limit_exceeded",
    ("OpenAI", "UNAVAILABLE"): "model_not_ready",
    ("text-embeddings-inference", "UNAUTHENTICATED"): "Validation",
    ("text-embeddings-inference", "RESOURCE_EXHAUSTED"): "Overloaded",
    ("text-embeddings-inference", "UNAVAILABLE"): "Unhealthy",
}
"""What a front calls the code of an error, where it has a name for it."""


@dataclass(frozen=True)
class Method:
    """A method by the name with which it is counted, and a request that is right."""

    name: str
    content: bytes = b""
    path: str = ""
    """Where it is asked, if its name doesn't say so."""
    embeds: bool = False
    """True where it needs a model that is fit, and takes of its caller's share."""

    def __str__(self) -> str:
        return self.name

    def broken(self) -> "Method":
        """Return the method with a request that is none."""
        return replace(self, content=b"\xff")


@dataclass(frozen=True)
class Answer:
    """The name of a code, and what is told beside it."""

    code: str
    has_retry: bool = False
    text: str = ""


def _http(name: str, *, path: str = "", embeds: bool = False, **body: object) -> Method:
    return Method(name, orjson.dumps(body), path or name.partition(" ")[2], embeds)


def _grpc(name: str, message: object, *, service: str = "", embeds: bool = False) -> Method:
    content: bytes = message.SerializeToString()  # type: ignore[attr-defined]
    return Method(name, content, f"/{service}{name}", embeds)


OURS, KSERVE = "bothends.v1.EmbeddingService/", "inference.GRPCInferenceService/"
METHODS = [
    _grpc("Embed", embedding_pb2.EmbedRequest(sentences=["a man"]), service=OURS, embeds=True),
    _grpc("EmbedStream", embedding_pb2.EmbedStreamRequest(sentences=["a man"]), service=OURS),
    _grpc("Tokenize", embedding_pb2.TokenizeRequest(sentences=["a man"]), service=OURS, embeds=True),
    _grpc("GetModel", embedding_pb2.GetModelRequest(), service=OURS),
    _grpc("ModelInfer", infer.request("a man"), service=KSERVE, embeds=True),
    _grpc("ModelMetadata", inference_pb2.ModelMetadataRequest(name="english"), service=KSERVE),
    _grpc("ModelConfig", inference_pb2.ModelConfigRequest(name="english"), service=KSERVE),
    _grpc("ServerMetadata", inference_pb2.ServerMetadataRequest(), service=KSERVE),
    _grpc("tei.v1.Embed/Embed", tei.EmbedRequest(inputs="a man"), embeds=True),
    _grpc("tei.v1.Embed/EmbedStream", tei.EmbedRequest(inputs="a man")),
    _grpc("tei.v1.Tokenize/Tokenize", tei.EncodeRequest(inputs="a man"), embeds=True),
    _grpc("tei.v1.Tokenize/TokenizeStream", tei.EncodeRequest(inputs="a man")),
    _grpc("tei.v1.Info/Info", tei.InfoRequest()),
    _http("POST /v1/embeddings", embeds=True, input="a man"),
    _http("POST /embeddings", embeds=True, input="a man"),
    _http("GET /v1/models"),
    _http("GET /v1/models/{id}", path="/v1/models/default"),
    _http("POST /embed", embeds=True, inputs="a man"),
    _http("POST /", embeds=True, inputs="a man"),
    _http("POST /similarity", embeds=True, inputs={"source_sentence": "a man", "sentences": ["no"]}),
    _http("POST /tokenize", embeds=True, inputs="a man"),
    _http("POST /decode", embeds=True, ids=[2]),
    _http("GET /info"),
    _http("POST /api/embed", embeds=True, input="a man"),
    _http("POST /api/embeddings", embeds=True, prompt="a man"),
    _http("POST /api/show", model="default"),
    _http("GET /api/tags"),
    _http("GET /api/ps"),
    _http("GET /api/version"),
    _http(
        "POST /v2/models/{model}/infer",
        path="/v2/models/english/infer",
        embeds=True,
        inputs=[{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a man"]}],
    ),
    _http("GET /v2"),
    _http("GET /v2/models/{model}", path="/v2/models/english"),
    _http("GET /v2/models/{model}/config", path="/v2/models/english/config"),
    _http("GET /model"),
    _http("POST /explain", embeds=True, sentence="a man"),
    _http("POST /tokens", embeds=True, sentences=["a man"]),
]
TAKES = [method for method in METHODS if method.content != b"{}"]
"""Those that take a request."""
EMBEDS = [method for method in METHODS if method.embeds]


class Caller:
    """A caller of all doors of a server, who may show a key."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._http = http_of(server, {"content-type": "application/json"})
        self._grpc = grpc.insecure_channel(f"127.0.0.1:{server.port}", options=ALONE)

    def ask(self, method: Method, key: str | None = None) -> Answer:
        """Make a call by whichever door the method has."""
        authorization = {"authorization": f"Bearer {key}"} if key else {}
        return (self._ask_http if " " in method.name else self._ask_grpc)(method, authorization)

    def counted(self, method: Method, code: str) -> float:
        return sample(self.server, "bothends_requests_total", method=method.name, code=code)

    def _ask_http(self, method: Method, headers: dict[str, str]) -> Answer:
        verb = method.name.partition(" ")[0]
        content = method.content if verb == "POST" else None
        answer = self._http.request(verb, method.path, content=content, headers=headers)
        assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
        return Answer(CODES[answer.status_code], "retry-after" in answer.headers, answer.text)

    def _ask_grpc(self, method: Method, metadata: dict[str, str]) -> Answer:
        call = self._grpc.stream_stream(method.path, bytes, bytes)(
            iter([method.content]), timeout=TIMEOUT_S, metadata=tuple(metadata.items())
        )
        try:
            assert len(list(call)) == 1
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            assert status is not None
            assert status.details
            retries = any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)
            return Answer(error.code().name, retries, status.message)
        return Answer("OK")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._grpc.close()


@pytest.fixture(scope="module")
def caller(server: Server) -> Iterator[Caller]:
    with Caller(server) as made:
        yield made


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_each_is_counted_by_its_name_and_code(caller: Caller, method: Method) -> None:
    """What is no request is its caller's error, and not the server's."""
    asked = {"OK": method} | ({"INVALID_ARGUMENT": method.broken()} if method in TAKES else {})
    for code, one in asked.items():
        before = caller.counted(method, code)
        assert caller.ask(one).code == code
        until(lambda: caller.counted(method, code) == before + 1)  # noqa: B023  called here


@pytest.fixture(scope="module")
def keyed(english: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, str, str]]:
    """Of a server that wants a key: the key of one who may do all, and of one who has had a share."""
    keys = tmp_path_factory.mktemp("keys") / "keys.toml"
    (free, first), (slow, second) = new("free"), new("slow")
    put(keys, f"{first}{second}sentences_per_s = 0.001\n".encode())
    with serving(english, api_keys=keys) as server, Caller(server) as caller:
        assert caller.ask(_grpc("Embed", embedding_pb2.EmbedRequest(sentences=["a"] * 8), service=OURS), slow)
        yield caller, free, slow


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_each_wants_a_key(keyed: tuple[Caller, str, str], method: Method) -> None:
    caller, free, _ = keyed
    for key in (None, "wrong", free[:-1], free + "x"):
        told = caller.ask(method, key)
        assert (told.code, told.has_retry) == ("UNAUTHENTICATED", False)
        assert ("no API key came" if key is None else "this API key isn't known here") in told.text
        assert_named(method, told)
    assert caller.ask(method, free).code == "OK"


@pytest.mark.parametrize("method", EMBEDS, ids=str)
def test_each_that_embeds_is_refused_whose_share_was_had(keyed: tuple[Caller, str, str], method: Method) -> None:
    """They are told when to come again."""
    caller, _, slow = keyed
    told = caller.ask(method, slow)
    assert (told.code, told.has_retry) == ("RESOURCE_EXHAUSTED", True)
    assert "0.001 sentences a second" in told.text
    assert_named(method, told)


@pytest.fixture(scope="module")
def unfit(english: Bundle) -> Iterator[Caller]:
    """Of a server whose model has failed its self-test."""
    with serving(english) as server, Caller(server) as caller:
        server.service.embedder.model.withdraw("it was to be tried")
        yield caller


@pytest.mark.parametrize("method", EMBEDS, ids=str)
def test_each_that_embeds_needs_a_fit_model(unfit: Caller, method: Method) -> None:
    """Over HTTP they are told when to come again; gRPC's code says that much."""
    told = unfit.ask(method)
    assert (told.code, told.has_retry) == ("UNAVAILABLE", " " in method.name)
    assert_named(method, told)


def assert_named(method: Method, told: Answer) -> None:
    """Check that an error has its front's name for it."""
    for front in FRONTS:
        if any(operation.path == method.path for operation in front.operations):
            assert WORDS.get((front.name, told.code), "") in told.text


def test_calls_leave_nothing_to_the_garbage_collector(caller: Caller) -> None:
    """Answered or refused: what is left in a circle piles up until a collection stops all threads at once."""

    def act() -> None:
        for method in METHODS:
            caller.ask(method)
            caller.ask(method.broken())

    assert left_in_circles(act, GrpcInbound, HttpInbound, CallContext, StreamMessage, Request, times=3) == []
