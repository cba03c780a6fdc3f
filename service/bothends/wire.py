"""EmbedResponse with its vectors as bytes: the same message on the wire, written and read without counting out floats.

A packed `repeated float` and a `bytes` field are encoded alike: tag, length, and here little-endian IEEE 754 numbers
(https://protobuf.dev/programming-guides/encoding/#packed). So a message that differs from the contract's only in that
type serialises to the contract's bytes; a row is copied once, where the other way makes a Python float of each number.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from .embeddings import Embeddings
from .v1 import embedding_pb2

SERVICE: str = embedding_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].full_name
_FLOAT32 = np.dtype("<f4")


def _message_class() -> Any:
    """The contract's EmbedResponse under another package, `Embedding.values` made bytes."""
    file = descriptor_pb2.FileDescriptorProto()
    embedding_pb2.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = "bothends/wire.proto", "bothends.wire"
    del file.service[:]
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(".bothends.v1.", ".bothends.wire.")
            if (message.name, field.name) == ("Embedding", "values"):
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bothends.wire.EmbedResponse"))


Response: Any = _message_class()
"""EmbedResponse, `Embedding.values` being bytes."""


def encode(found: Embeddings) -> bytes:
    """The bytes of the EmbedResponse that holds `found`."""
    response = Response(model_version=found.model_version)
    rows = np.ascontiguousarray(found.rows, dtype=_FLOAT32)
    for row, count, truncated in zip(rows, found.token_counts, found.truncated, strict=True):
        response.embeddings.add(values=row.tobytes(), token_count=count, truncated=truncated)
    content: bytes = response.SerializeToString()
    return content


def decode(responses: Sequence[Any]) -> Embeddings:
    """The embeddings of one or more `Response`s of one model, in order. Raises ValueError where they don't fit."""
    embeddings = list(chain.from_iterable(response.embeddings for response in responses))
    sizes = {len(embedding.values) for embedding in embeddings}
    if len(sizes) > 1 or len({response.model_version for response in responses}) > 1:
        raise ValueError("embeddings of different models don't fit together")  # numbers would move to other sentences
    if not sizes or 0 in sizes:
        raise ValueError("an answer holds no embeddings")
    rows = np.frombuffer(b"".join(embedding.values for embedding in embeddings), dtype=_FLOAT32)
    return Embeddings(
        rows.reshape(len(embeddings), -1).astype(np.float32),  # a copy that its owner may write to
        [embedding.token_count for embedding in embeddings],
        [embedding.truncated for embedding in embeddings],
        responses[0].model_version,
    )
