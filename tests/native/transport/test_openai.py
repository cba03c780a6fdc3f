"""OpenAI's embeddings without Python: what C++ answers, Python would answer with the same bytes.

Bodies come as messages of gRPC here: what HTTP does to them is none of the codec's business.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from bothends_native import engine, transport

from bothends.embeddings import Embeddings
from bothends.errors import RequestError
from bothends.options import Options
from bothends.server.fronts.openai.endpoints import write
from bothends.server.fronts.openai.requests import EmbeddingRequest
from bothends.server.http.json_requests import parse
from tests.support.until import TIMEOUT_S

from .fast import MAX_TOKENS, SIZES, VERSION, Fast, encoder_of, named, tokenizer
from .raw import ECHO
from .served import Served

NAME, ALIAS = 'an "english" one', "text-embedding-3-small"


class Asked:
    """A transport that speaks OpenAI's JSON, and the answers that it owes by Python's own reading."""

    def __init__(self, served: Served, encoder: engine.Encoder | None = None) -> None:
        models = [named(NAME, ALIAS, shown=json.dumps(NAME), version=json.dumps(VERSION))]
        codec = transport.Codec.openai(models=models, truncation=transport.Truncation.error)
        self.fast = Fast(served, encoder, codec=codec)
        self._tokenizer = tokenizer()

    def answers(self, contents: Sequence[bytes]) -> list[bytes | None]:
        """Return what C++ answers; None for each that it leaves to Python."""
        with self.fast.served.channel() as channel:
            calls = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for content in contents]
            found = [call.result() for call in calls]
        return [None if answer == content else answer for answer, content in zip(found, contents, strict=True)]

    def written(self, content: bytes) -> bytes | None:
        """Return what Python answers; None where it refuses."""
        try:
            request: Any = parse(content, EmbeddingRequest)
        except RequestError:
            return None
        kept = request.truncation or "error"
        texts = [text for text in request.input if isinstance(text, str)]
        read = self._tokenizer.encode(texts, MAX_TOKENS, keep_end=kept == "end")
        cut = [tokens is not None and tokens[1] for tokens in read]
        ids = [tokens[0] for tokens in read if tokens is not None and tokens[0]]
        known = request.model in (None, NAME, ALIAS) and request.dimensions in (None, *SIZES)
        if not known or not ids or len(ids) < len(request.input) or (kept == "error" and any(cut)):
            return None
        offsets = np.cumsum([0, *map(len, ids)])
        rows = self.fast.encoder.run(np.concatenate(ids).astype(np.int32), offsets.astype(np.int64))
        rows = Options(normalize=True, dimensions=request.dimensions).shaped(rows)
        found = Embeddings(rows, [len(each) for each in ids], cut, VERSION)
        return write(NAME, request.encoding_format or "float", found)


@pytest.fixture
def asked(serve: Callable[..., Served]) -> Iterator[Asked]:
    made = Asked(serve())
    yield made
    made.fast.stop()


def body(**members: Any) -> bytes:
    return json.dumps({"model": ALIAS, "input": "a man"} | members).encode()


@pytest.mark.parametrize(
    "content",
    [
        body(),
        body(input=["a", "man b[UNK]", "é"]),
        body(input=["b" * 3] * 3, encoding_format="base64", user="me"),
        body(input="a b a b man b", truncation="end", dimensions=4, model=NAME),
        body(input="a b a b man b", truncation="start", encoding_format=None, dimensions=None, user=None),
        b' {"input"\t: "\\u00e9 \\u0061\\/".\n}'.replace(b'".', b'", "model":"text-embedding-3-small"').replace(
            b"\\/", b""
        ),
        json.dumps({"model": ALIAS, "input": "é"}, ensure_ascii=False).encode(),
    ],
)
def test_a_plain_request_is_answered_with_the_bytes_that_python_writes(asked: Asked, content: bytes) -> None:
    (answer,) = asked.answers([content])
    assert answer is not None
    assert answer == asked.written(content)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[]", body() + b"x", b"\xef\xbb\xbf" + body(), body()[:-1], b"[" * 100_000),
        *(
            body(input=[]),
            body(input=["a"] * 4),
            body(input=["a", 1]),
            body(input=""),
        ),
        *(
            body(input=" "),
            body(input="Ω"),
            body(input=None),
            body(model="another"),
            body(extra=1),
        ),
        *(body(dimensions=size) for size in (5, 4.0, True, -4, 2**64 + 4)),
        *(body(encoding_format="Float"), body(user=1), body(truncation="middle"), body(input="a b a b man b")),
        b'{"input":"a","model":"text-embedding-3-small","input":"b"}',
        b'{"input":"a","model":"text-embedding-3-small","inp\\u0075t":"b"}',
        b'{"input":"a\\ud800","model":"text-embedding-3-small"}',
        b'{"input":"a\xff","model":"text-embedding-3-small"}',
        b'{"input":"a","model":"text-embedding-3-small","dimensions":1e400}',
        b'{"input":"a","model":"text-embedding-3-small","user":NaN}',
        b'{"input":"a","model":"text-embedding-3-small",}',
    ],
)
def test_what_is_not_plain_is_left_to_python(asked: Asked, content: bytes) -> None:
    """It has the words, or another verdict: of members twice, of half a surrogate pair."""
    assert asked.answers([content]) == [None]
    assert asked.fast.count() == 0


def test_numbers_are_written_as_python_writes_them(serve: Callable[..., Served]) -> None:
    """As short as they can be, with an exponent where it has one: of each size that is left of a row of length 1."""
    made = Asked(serve(), encoder_of(500, decades=36))
    texts = ["a man", "b", "é b a", "man man", "a a a"]
    contents = [body(input=text) for text in texts]
    found = made.answers(contents)
    assert found == [made.written(content) for content in contents]
    numbers = [abs(number) for answer in found if answer for number in json.loads(answer)["data"][0]["embedding"]]
    assert min(numbers) < 1e-30
    assert max(numbers) > 0.01
    made.fast.stop()
