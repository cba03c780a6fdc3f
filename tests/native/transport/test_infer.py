"""ModelInfer without Python: what C++ answers, Python would answer with the same bytes."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from bothends_native import transport

from bothends.embeddings import Embeddings
from bothends.kserve.v2 import inference_pb2
from bothends.server.fronts.kserve.tensors import OUTPUTS, options, outputs, response, texts
from tests.support.infer import parameters, request
from tests.support.until import TIMEOUT_S

from .fast import MAX_TOKENS, SIZES, VERSION, WORDS, Fast, encoder_of, named, path_of
from .long import LIMITS, TOKENS, Long, sentences_of
from .served import ECHO, Served

NAME = "english"
SENTENCES = ("a man b a b a man", "b", "é b a")
ORDERS = [names for count in range(4) for names in itertools.permutations(OUTPUTS, count)]
"""Every choice of outputs, in every order; the first is none, which asks for all."""


def codec_of(encoder: Any) -> transport.Codec:
    return transport.Codec.infer(models=[named(NAME, shown=NAME, dimension=encoder.dimension)])


@pytest.fixture
def inferring(serve: Callable[..., Served]) -> Iterator[Fast]:
    encoder = encoder_of()
    made = Fast(serve(), encoder, codec=codec_of(encoder))
    yield made
    made.stop()


def asked(*sentences: str, wanted: tuple[str, ...] = (), raw: bool = True, **others: Any) -> bytes:
    tensors = [inference_pb2.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in wanted]
    content: bytes = request(*sentences, raw=raw, model=NAME, outputs=tensors, **others).SerializeToString()
    return content


def written(encoder: Any, content: bytes) -> bytes:
    """What Python answers, of the rows that the encoder has for the tokens that are kept."""
    message = inference_pb2.ModelInferRequest.FromString(content)
    shaping, _ = options(message)
    every = [[WORDS.index(word) for word in text.split()] for text in texts(message, max_texts=1000)]
    kept = [ids[-MAX_TOKENS:] if shaping.truncation == "end" else ids[:MAX_TOKENS] for ids in every]
    offsets = np.cumsum([0, *map(len, kept)]).astype(np.int64)
    rows = shaping.shaped(encoder.run(np.concatenate(kept).astype(np.int32), offsets))
    cut = [len(ids) > MAX_TOKENS for ids in every]
    found = Embeddings(rows, [len(ids) for ids in kept], cut, VERSION)
    return response(found, wanted=outputs(message), model=NAME, request_id=message.id)


def answers(fast: Fast, contents: list[bytes]) -> list[bytes]:
    with fast.served.channel() as channel:
        calls = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for content in contents]
        return [call.result() for call in calls]


def test_outputs_in_any_order_by_each_option_are_the_bits_that_python_makes(inferring: Fast) -> None:
    """Embeddings behind what is told of all texts, too, and where they aren't asked for."""
    sizes = [size for size in SIZES if size <= inferring.encoder.dimension]
    every = itertools.product(("start", "end"), (False, True), sizes, ORDERS, (True, False))
    contents = [
        asked(
            *SENTENCES,
            wanted=(*wanted, *wanted[:1]),
            raw=raw,
            id=str(size),
            **parameters(truncation=truncation, normalize=normalize, dimensions=size),
        )
        for truncation, normalize, size, wanted, raw in every
    ]
    assert answers(inferring, contents) == [written(inferring.encoder, content) for content in contents]
    assert inferring.count() == len(contents)


def test_what_clients_send_to_any_model_changes_nothing(inferring: Fast) -> None:
    sent = parameters(priority=2, sequence_id=5, sequence_start=True, sequence_end=False, timeout=0)
    contents = [asked("a man", model_version=VERSION, **sent), asked("a man")]
    assert answers(inferring, contents) == [written(inferring.encoder, content) for content in contents]
    assert inferring.count() == 2


@pytest.mark.parametrize(
    "content",
    [
        asked("a", "b", "a", "b"),
        asked("a", **parameters(timeout=1)),
        asked("a", **parameters(dimensions=5)),
        asked("a", **parameters(normalize=1)),
        asked("a", **parameters(pooling="mean")),
        asked("a", model_version="0"),
        asked("a", id="é"),
        asked("a") + asked("a"),
        asked("a", wanted=("pooled",)),
        asked("a", raw_input_contents=[b"\x01\x00\x00\x00b"]),
        asked("a")[:-1] + b"",
        asked(),
    ],
    ids=["many", "timeout", "size", "kind", "unknown", "version", "id", "twice", "output", "raw", "cut", "none"],
)
def test_anything_else_is_left_to_python(inferring: Fast, content: bytes) -> None:
    assert answers(inferring, [content]) == [content]
    assert inferring.count() == 0


def test_lists_are_served_in_slices(serve: Callable[..., Served]) -> None:
    """Each text's numbers stand at its place, whatever is told before or behind them."""
    long = Long(serve())
    long.path = path_of(long.served, long.encoder, codec=codec_of(long.encoder), **LIMITS)
    with long.served.channel() as channel:
        for count, wanted in itertools.product((4, 17, 200), (*ORDERS[:3], ORDERS[-1])):
            content = asked(*sentences_of(count, count), wanted=wanted)
            future = channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)
            found = inference_pb2.ModelInferResponse.FromString(long.answers(future))
            for sentence, row in zip(sentences_of(count, count), rows_of(found), strict=True):
                ids = np.array([TOKENS[word] for word in sentence.split()][:MAX_TOKENS], np.int32)
                assert row in (None, long.encoder.run(ids, np.array([0, len(ids)]))[0].tolist())
            assert future.result() == written(long.encoder, content)


def rows_of(found: Any) -> list[list[float] | None]:
    """A response's embeddings, or None for each text where they weren't asked for."""
    for tensor, content in zip(found.outputs, found.raw_output_contents, strict=True):
        if tensor.name == "embedding":
            return list(np.frombuffer(content, "<f4").reshape(tuple(tensor.shape)).tolist())
    return [None] * found.outputs[0].shape[0]
