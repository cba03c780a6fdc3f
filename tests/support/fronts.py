"""Every front asked in one way, for tests that hold all of them to the same."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import grpc
import httpx
import numpy as np

from bothends import BothendsError, Client, Encoder, SentenceError
from bothends.server.server import Server

from . import infer
from .until import TIMEOUT_S


@dataclass
class Found:
    """One front's answer to a request."""

    rows: dict[int, np.ndarray]
    """Rows by place; a sentence that failed alone has none."""
    tokens: list[int] | int | None = None
    truncated: list[bool] | int | None = None
    version: str | None = None


class Unsupported(Exception):  # noqa: N818  the answer "no", rather than an error
    """A front has no way to ask for that."""


REFUSED = (BothendsError, grpc.RpcError, ValueError, Unsupported)
"""Errors that a front may raise on purpose."""


class Front(Protocol):
    """One way in."""

    name: str

    def ask(self, sentences: Sequence[Any], **asked: Any) -> Found:
        """Ask for embeddings. Raises the error of a bad request, or Unsupported."""
        ...


def texts_only(sentences: Sequence[Any]) -> None:
    if not all(isinstance(sentence, str) for sentence in sentences):
        raise Unsupported


class Unary:
    """The native contract, or the same in this process."""

    def __init__(self, client: Client | Encoder) -> None:
        self.name = "`Embed`" if isinstance(client, Client) else "`bothends.Encoder`"
        self.client = client

    def ask(self, sentences: Sequence[Any], **asked: Any) -> Found:
        texts_only(sentences)
        found = self.client.embed(sentences, **asked)
        return Found(dict(enumerate(found.rows)), found.token_counts, found.truncated, found.model_version)


class Streaming:
    """The native contract's stream, a sentence an item."""

    name = "`EmbedStream`"

    def __init__(self, client: Client) -> None:
        self.client = client

    def ask(self, sentences: Sequence[Any], **asked: Any) -> Found:
        texts_only(sentences)
        items = list(self.client.embed_stream(sentences, **asked))
        good = {index: item for index, item in enumerate(items) if not isinstance(item, SentenceError)}
        if not good:
            raise cast("SentenceError", items[0])
        rows = {index: item.row for index, item in good.items()}
        each = list(good.values())
        return Found(rows, [one.token_count for one in each], [one.truncated for one in each], each[0].model_version)


class Inference:
    """The Open Inference Protocol."""

    name = "`ModelInfer`"

    def __init__(self, channel: grpc.Channel, metadata: Any = None) -> None:
        self.stub = infer.Stub(channel)
        self.metadata = metadata

    def ask(self, sentences: Sequence[Any], **asked: Any) -> Found:
        texts_only(sentences)
        response = self.stub.ModelInfer(
            infer.request(*sentences, **infer.parameters(**asked)), metadata=self.metadata, timeout=TIMEOUT_S
        )
        tensors = infer.tensors(response)
        rows = dict(enumerate(tensors["embedding"]))
        return Found(rows, tensors["token_count"].tolist(), tensors["truncated"].tolist(), response.model_version)


class OpenAI:
    """OpenAI's API over HTTP."""

    name = "`POST /v1/embeddings`"

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask(self, sentences: Sequence[Any], **asked: Any) -> Found:
        answer = self.http.post("/v1/embeddings", json={"model": "english", "input": list(sentences), **asked})
        if answer.is_error:
            raise ValueError(answer.text)
        body = answer.json()
        rows = {item["index"]: np.array(item["embedding"], np.float32) for item in body["data"]}
        cut = int(answer.headers.get("x-truncated-inputs", 0))
        return Found(rows, body["usage"]["prompt_tokens"], cut, body.get("model_version"))


class Tei:
    """text-embeddings-inference's API over HTTP."""

    name = "`POST /embed`"
    _WAYS: Mapping[str, Mapping[str, Any]] = {
        "error": {"truncate": False},
        "start": {"truncate": True},
        "end": {"truncate": True, "truncation_direction": "left"},
        "pieces": {"truncation": "pieces"},
    }

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask(self, sentences: Sequence[Any], *, truncation: str | None = None, **asked: Any) -> Found:
        way = {} if truncation is None else self._WAYS[truncation]
        answer = self.http.post("/embed", json={"inputs": list(sentences), **way, **asked})
        if answer.is_error:
            raise ValueError(answer.text)
        rows = dict(enumerate(np.array(answer.json(), np.float32)))
        return Found(rows, truncated=int(answer.headers.get("x-truncated-inputs", 0)))


class Ollama:
    """Ollama's API over HTTP."""

    name = "`POST /api/embed`"

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask(self, sentences: Sequence[Any], *, truncation: str = "start", **asked: Any) -> Found:
        way = {"truncate": truncation == "start"} if truncation in ("start", "error") else {"truncation": truncation}
        body = {"model": "english", "input": list(sentences), **way, **asked}
        answer = self.http.post("/api/embed", json=body)
        if answer.is_error:
            raise ValueError(answer.text)
        rows = dict(enumerate(np.array(answer.json()["embeddings"], np.float32)))
        cut = int(answer.headers.get("x-truncated-inputs", 0))
        return Found(rows, answer.json()["prompt_eval_count"], cut)


def http_of(server: Server, headers: dict[str, str] | None = None) -> httpx.Client:
    """Open a connection to its HTTP port."""
    return httpx.Client(base_url=f"http://127.0.0.1:{server.http_port}", timeout=TIMEOUT_S, headers=headers)


@contextmanager
def fronts_of(server: Server) -> Iterator[list[Front]]:
    """Open a way in by each of a server's protocols."""
    target = f"127.0.0.1:{server.port}"
    with Client(target) as client, grpc.insecure_channel(target) as channel, http_of(server) as http:
        yield [Unary(client), Streaming(client), Inference(channel), OpenAI(http), Tei(http), Ollama(http)]


def works(front: Front, sentences: Sequence[Any], **asked: Any) -> bool:
    """Return True if it answers."""
    try:
        front.ask(sentences, **asked)
    except REFUSED:
        return False
    return True
