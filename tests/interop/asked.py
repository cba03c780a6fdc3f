"""Sentences that everybody asks for, and gRPC messages as they stand in HTTP/2's frames."""

import struct
from collections.abc import Iterator

import numpy as np
from google.protobuf.message import Message

from bothends.v1 import embedding_pb2
from bothends.wire.messages import SERVICE

SENTENCES = [f"dragon number {number} sings" + " über 龍 and the sea" * (number % 7) for number in range(500)]
CONCURRENT = 200
"""Number of calls that are made at once."""
ENDLESS = ["word " * 250] * 1000
"""Sentences that take an engine seconds, so a deadline of milliseconds passes and a cancellation comes first."""
EMBED, EMBED_STREAM, CHECK = f"/{SERVICE}/Embed", f"/{SERVICE}/EmbedStream", "/grpc.health.v1.Health/Check"
CANCELLED = 'bothends_requests_total{code="CANCELLED",method="Embed"}'
"""Series of the metrics page that counts calls of Embed whose caller went away."""


def framed(content: Message | bytes, *, compressed: bool = False) -> bytes:
    """Return a message behind its length, as gRPC writes it; `content` is compressed already where that is said."""
    encoded = content if isinstance(content, bytes) else content.SerializeToString()
    return struct.pack(">?I", compressed, len(encoded)) + encoded


def unframed(body: bytes) -> Iterator[bytes]:
    """Yield a body's messages. Raises AssertionError where one is compressed or cut off."""
    while body:
        compressed, length = struct.unpack_from(">?I", body)
        assert not compressed
        assert len(body) >= 5 + length
        yield body[5 : 5 + length]
        body = body[5 + length :]


def rows_of(response: bytes) -> np.ndarray:
    """Rows of an EmbedResponse."""
    embeddings = embedding_pb2.EmbedResponse.FromString(response).embeddings
    return np.array([embedding.values for embedding in embeddings], np.float32)


def row_of(response: bytes) -> np.ndarray:
    """Row of an EmbedStreamResponse of one sentence."""
    (item,) = embedding_pb2.EmbedStreamResponse.FromString(response).items
    return np.array(item.embedding.values, np.float32)
