"""Reads options from requests, and writes and reads responses whose vectors stay bytes instead of Python floats.

A packed `repeated float` and a `bytes` field have the same encoding: tag, length, and here little-endian IEEE 754
numbers (https://protobuf.dev/programming-guides/encoding/#packed). So a message that declares the vector as `bytes`
serialises to the same bytes as the public one; a row is copied once, instead of becoming a Python float for each
number.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.rpc import status_pb2
from numpy.typing import NDArray

from ..embeddings import Embeddings
from ..errors import RequestError
from ..options import OPTIONS, Encoding, Option, Options, encoded
from ..v1 import embedding_pb2

SERVICE: str = embedding_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].full_name
_FIELD: dict[Encoding, str] = {
    "float32": "values",
    "float16": "float16_values",
    "int8": "int8_values",
    "sign_bits": "sign_bits",
}
_DTYPE: dict[Encoding, str] = {"float32": "<f4", "float16": "<f2", "int8": "i1", "sign_bits": "u1"}
_MAX_VERSION_CHARS = 64
_REQUEST: Any = embedding_pb2.EmbedRequest.DESCRIPTOR.fields_by_name


def _words(option: Option) -> dict[int, Any]:
    """Return an option's words by their numbers in the contract, whose names end with them; 0 is the default's."""
    numbers = _REQUEST[option.name].enum_type.values
    named = {each.number: word for each in numbers for word in option.words if each.name.endswith(f"_{word.upper()}")}
    return {0: option.default, **named}


_WORDS = {name: _words(option) for name, option in OPTIONS.items() if option.words}
"""Words of the options that are enums in the contract, by their numbers."""


def _messages() -> descriptor_pool.DescriptorPool:
    """Make the contract's messages under another package, with `Embedding.values` as bytes."""
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
    for imported in (any_pb2, status_pb2):
        pool.AddSerializedFile(imported.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


_POOL = _messages()
Response: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("bothends.wire.EmbedResponse"))
"""Class of EmbedResponse, with `Embedding.values` as bytes."""
StreamResponse: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("bothends.wire.EmbedStreamResponse"))
"""Class of EmbedStreamResponse, with `Embedding.values` as bytes."""
Item: TypeAlias = dict[str, Any] | status_pb2.Status
"""The fields of an Embedding, or why there is none."""


def options(
    request: embedding_pb2.EmbedRequest | embedding_pb2.EmbedStreamRequest | embedding_pb2.TokenizeRequest,
) -> Options:
    """Read the options of `request`. Raises RequestError for a value that the API doesn't define."""
    asked = {}
    for name in OPTIONS:
        if name not in request.DESCRIPTOR.fields_by_name:
            continue  # Tokenize has some of them
        value = getattr(request, name)
        if (words := _WORDS.get(name)) is None:
            asked[name] = value or OPTIONS[name].default  # 0 is what nobody has said
        elif value in words:
            asked[name] = words[value]
        else:
            raise RequestError(f"{value} is no {name.capitalize()} of this contract", field=name)
    return Options(**asked)


def request_fields(asked: Options) -> dict[str, Any]:
    """Return the fields of a request beside its sentences."""
    return {name: _field(name, getattr(asked, name)) for name in OPTIONS}


def _field(name: str, value: Any) -> Any:
    if name in _WORDS:
        return next(number for number, word in _WORDS[name].items() if word == value)
    return 0 if value is None else value


def encode(found: Embeddings, encoding: Encoding = "float32") -> bytes:
    """Return the serialised EmbedResponse that holds `found`."""
    if encoding == "float32":
        return _encode_float32(found)
    response = Response(model_version=found.model_version)
    for item in items(found, encoding):
        response.embeddings.add(**item)
    content: bytes = response.SerializeToString()
    return content


def _encode_float32(found: Embeddings) -> bytes:
    """Write what most callers ask for field by field, without an object for each: a tag, a length, the content."""
    rows = np.ascontiguousarray(found.rows, dtype="<f4")
    parts: list[bytes] = []
    for row, count, truncated in zip(rows, found.token_counts, found.truncated, strict=True):
        before, after = _around_float32(row.nbytes, count, truncated)
        parts += (before, row.tobytes(), after)
    return b"".join((*parts, _model_version(found.model_version)))


@lru_cache(4096)
def _around_float32(size: int, token_count: int, truncated: bool) -> tuple[bytes, bytes]:
    """Return the bytes before and after the `size` bytes of an embedding's values."""
    whole = Response()
    whole.embeddings.add(values=bytes(size), token_count=token_count, truncated=truncated)
    content: bytes = whole.SerializeToString()
    rest = Response()
    rest.embeddings.add(token_count=token_count, truncated=truncated)
    after = rest.embeddings[0].SerializeToString()
    return content[: len(content) - size - len(after)], after


@lru_cache(8)
def _model_version(version: str) -> bytes:
    content: bytes = Response(model_version=version).SerializeToString()
    return content


def encode_items(items: Iterable[Item], model_version: str) -> bytes:
    """Return the serialised EmbedStreamResponse that holds `items`."""
    response = StreamResponse(model_version=model_version)
    for item in items:
        if isinstance(item, dict):
            response.items.add(embedding=item)
        else:
            response.items.add().error.MergeFromString(item.SerializeToString())  # another pool's class
    content: bytes = response.SerializeToString()
    return content


def items(found: Embeddings, encoding: Encoding) -> Iterator[dict[str, Any]]:
    """Yield the fields of a protobuf Embedding for each of `found`."""
    fields = written(found.rows, encoding)
    for values, count, truncated in zip(fields, found.token_counts, found.truncated, strict=True):
        yield {**values, "token_count": count, "truncated": truncated}


def written(rows: NDArray[np.float32], encoding: Encoding) -> Iterator[dict[str, Any]]:
    """Yield the fields of a protobuf Embedding that hold the numbers of each row."""
    numbers, scales = encoded(rows, encoding)
    written = (row.tobytes() for row in np.ascontiguousarray(numbers, dtype=_DTYPE[encoding]))
    if scales is None:
        return ({_FIELD[encoding]: content} for content in written)
    return ({"int8_values": content, "scale": scale} for content, scale in zip(written, scales, strict=True))


def decode(responses: Sequence[Any], encoding: Encoding = "float32", width: int | None = None) -> Embeddings:
    """Join the embeddings of one or more `Response`s of one model, in order. Raises like `decode_embeddings`."""
    if len({response.model_version for response in responses}) > 1:
        raise ValueError("embeddings of different models don't fit together")
    embeddings = list(chain.from_iterable(response.embeddings for response in responses))
    return decode_embeddings(embeddings, responses[0].model_version, encoding, width)


def decode_embeddings(
    embeddings: Sequence[Any], model_version: str, encoding: Encoding = "float32", width: int | None = None
) -> Embeddings:
    """Join one or more embeddings from such responses.

    Raises ValueError if they don't fit each other, or aren't what was requested: finite numbers in `encoding`, `width`
    of them if that is known, from a model that names itself.
    """
    if not 0 < len(model_version) <= _MAX_VERSION_CHARS or not model_version.isprintable():
        raise ValueError("an answer doesn't say of which model it is")
    values = [getattr(embedding, _FIELD[encoding]) for embedding in embeddings]
    sizes = set(map(len, values))
    if len(sizes) > 1:
        raise ValueError("embeddings of different models don't fit together")  # numbers would move to other sentences
    if not sizes or 0 in sizes:
        raise ValueError(f"an answer holds no embeddings in {encoding}")
    rows = np.frombuffer(b"".join(values), dtype=_DTYPE[encoding]).reshape(len(values), -1)
    if width is not None and rows.shape[1] != stored(width, encoding):
        raise ValueError(f"embeddings have {rows.shape[1]} numbers, not {stored(width, encoding)}")
    scales = np.array([embedding.scale for embedding in embeddings], np.float32) if encoding == "int8" else None
    if not np.isfinite(rows if scales is None else scales).all():
        raise ValueError("embeddings hold numbers that aren't finite")
    return Embeddings(
        rows.astype(rows.dtype.newbyteorder("=")),  # a copy that its owner may write to
        [embedding.token_count for embedding in embeddings],
        [embedding.truncated for embedding in embeddings],
        model_version,
        scales,
    )


def stored(width: int, encoding: Encoding) -> int:
    """Return how many stored numbers represent `width` components in `encoding`: sign bits are packed eight in one."""
    return (width + 7) // 8 if encoding == "sign_bits" else width
