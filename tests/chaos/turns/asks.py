"""What attackers and neighbours ask for, as the bytes that they send over and over."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

from bothends.model.bundle import default_path
from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.infer import request

from ..hostile import PATH, message
from .grpc_wire import GrpcWire
from .http_wire import HttpWire
from .wire import Wire

INFER = "/inference.GRPCInferenceService/ModelInfer"


@dataclass(frozen=True)
class Ask:
    """One request: over HTTP/1.1 a POST of JSON, over gRPC a unary call whose message has its prefix already."""

    path: str
    content: bytes
    is_grpc: bool = False
    is_gzipped: bool = False
    key: str | None = None

    def by(self, key: str | None) -> "Ask":
        """Return the same request of a caller who has this key."""
        return replace(self, key=key)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Headers beside those that every request of its protocol has."""
        found = [("authorization", f"Bearer {self.key}")] if self.key else []
        return [*found, ("grpc-encoding", "gzip")] if self.is_gzipped else found

    def wire(self, *, keeps: bool = False) -> Wire:
        """Make a connection's side that asks for this; `keeps` has answers' contents kept."""
        make = GrpcWire if self.is_grpc else HttpWire
        return make(self.path, self.content, self.headers, keeps=keeps)


def tei(sentences: Sequence[str]) -> Ask:
    """Ask as clients of text-embeddings-inference do; a single sentence is a string, as people send one."""
    return Ask("/embed", json.dumps({"inputs": sentences[0] if len(sentences) == 1 else sentences}).encode())


def openai(sentences: Sequence[str], *, model: str = "english") -> Ask:
    """Ask as OpenAI's clients do, for base64."""
    body = {"model": model, "input": list(sentences), "encoding_format": "base64"}
    return Ask("/v1/embeddings", json.dumps(body).encode())


def embed(sentences: Sequence[str], *, is_gzipped: bool = False) -> Ask:
    """Ask over gRPC."""
    return _grpc(PATH, EmbedRequest(sentences=sentences).SerializeToString(), is_gzipped)


def explain(sentence: str) -> Ask:
    """Ask the page's own API which words an embedding is of."""
    return Ask("/explain", json.dumps({"sentence": sentence}).encode())


def infer(**fields: Any) -> Ask:
    """Ask by the Open Inference Protocol, compressed, with these fields of a request."""
    return _grpc(INFER, request("a", **fields).SerializeToString(), True)


@cache
def words(count: int) -> tuple[str, ...]:
    """Return the first words that stand in the packaged model's vocabulary: the common ones."""
    vocabulary = json.loads((default_path() / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    whole = (word for word in sorted(vocabulary, key=vocabulary.get) if word.isalpha() and len(word) > 2)
    return tuple(islice(whole, count))


def _grpc(path: str, content: bytes, is_gzipped: bool) -> Ask:
    framed = message(gzip.compress(content, 9), flag=1) if is_gzipped else message(content)
    return Ask(path, framed, is_grpc=True, is_gzipped=is_gzipped)
